//! What is the same of every provider that is asked over HTTP: how it is called, and what silence means.

use std::time::Duration;

use super::SendFailure;

/// No answer of a provider is longer.
const LONGEST_ANSWER: usize = 64 << 10;

/// A client with this deadline, no redirects and no proxies of the environment.
///
/// # Errors
/// When no TLS provider is installed.
pub(super) fn client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(timeout)
        // Shorter than the whole, so that a connection that cannot be made is known as one: then nothing left.
        .connect_timeout((timeout / 2).min(Duration::from_secs(3)))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

/// Sends the request; the status and the body of the answer. The status line says that the request arrived: without the
/// body nobody knows what became of it.
pub(super) async fn ask(request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), SendFailure> {
    let response = request.send().await.map_err(|error| not_answered(&error))?;
    let status = response.status().as_u16();
    let body = read(response)
        .await
        .map_err(|error| SendFailure::Unknown(describe(&error)))?;
    Ok((status, body))
}

/// The body, cut off where no honest answer goes on.
async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            break;
        }
    }
    Ok(body)
}

/// A connection that could not be made carried nothing; any other silence leaves the outcome open.
fn not_answered(error: &reqwest::Error) -> SendFailure {
    if error.is_connect() || error.is_builder() {
        SendFailure::NotSent(describe(error))
    } else {
        SendFailure::Unknown(describe(error))
    }
}

/// What happened, without the URL: it names the account.
fn describe(error: &reqwest::Error) -> String {
    if error.is_connect() {
        "no connection".to_owned()
    } else if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        "the connection broke".to_owned()
    }
}

//! The services of other processes: whether each address says that it is ready.

use std::time::Duration;

use futures_util::future::join_all;
use http::Uri;
use plaza_contracts::services::ALL;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::report::Report;
use super::secrets::address;
use crate::config::Config;

/// How long an address may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// As much of an answer as is read.
const LONGEST: u64 = 16 * 1024;

/// What an address said.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Ready,
    /// With this status.
    NotReady(String),
    /// Nothing that could be understood, and why.
    Nothing(String),
}

pub(super) async fn look(config: &Config, report: &mut Report) {
    report.area("services of other processes");
    let all = ALL.into_iter().flat_map(|service| {
        let urls = config.services.of(service).iter();
        urls.map(move |url| async move { (service, url, ask(url).await) })
    });
    for (service, url, said) in join_all(all).await {
        let what = format!("{service} at {}", address(url));
        match said {
            Said::Ready => report.ok(what, "ready"),
            Said::NotReady(status) => report.fail(
                what,
                format!("answers /readyz with {status}"),
                "its own log names the check that fails",
            ),
            Said::Nothing(why) => report.fail(
                what,
                why,
                "is it the internal listener (server.internal_listen) there, and may this machine reach it?",
            ),
        }
    }
}

async fn ask(url: &str) -> Said {
    let Ok(uri) = url.parse::<Uri>() else {
        return Said::Nothing("is no address: write http://host:port".to_owned());
    };
    let (Some("http"), Some(host), Some(port)) = (uri.scheme_str(), uri.host(), uri.port_u16()) else {
        return Said::Nothing("is no address: write http://host:port".to_owned());
    };
    match timeout(PATIENCE, exchange(host, port)).await {
        Ok(Ok(answer)) => understand(&answer),
        Ok(Err(error)) => Said::Nothing(format!("cannot be reached: {error}")),
        Err(_) => Said::Nothing(format!("does not answer within {PATIENCE:?}")),
    }
}

/// One question over a connection of its own, as simple as HTTP/1.1 lets it be.
async fn exchange(host: &str, port: u16) -> std::io::Result<String> {
    let mut connection = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn understand(answer: &str) -> Said {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .filter(|status| status.bytes().all(|byte| byte.is_ascii_digit()));
    match status {
        Some("200") => Said::Ready,
        Some(status) => Said::NotReady(status.to_owned()),
        None => Said::Nothing("answers, but not with HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection with this.
    async fn asked(answer: &'static str) -> Said {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut question = vec![0; 1024];
            let length = connection.read(&mut question).await.unwrap();
            assert!(question[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            connection.write_all(answer.as_bytes()).await.unwrap();
        };
        let (said, ()) = tokio::join!(ask(&url), serve);
        said
    }

    #[tokio::test]
    async fn an_address_is_asked_whether_it_is_ready() {
        assert_eq!(
            asked("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await,
            Said::Ready
        );
        let busy = asked("HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        assert_eq!(busy, Said::NotReady("503".to_owned()));
        assert!(matches!(asked("SSH-2.0-OpenSSH\r\n").await, Said::Nothing(_)));
        assert!(matches!(asked("").await, Said::Nothing(_)));
    }

    #[tokio::test]
    async fn an_address_where_nobody_is_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        assert!(matches!(ask(&url).await, Said::Nothing(why) if why.starts_with("cannot be reached")));
        for wrong in ["https://10.0.0.1:9080", "http://host", "nonsense", ""] {
            assert!(matches!(ask(wrong).await, Said::Nothing(_)), "{wrong}");
        }
    }
}

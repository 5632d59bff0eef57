//! An upstream that answers with what reached it.

use axum::body::Body;
use axum::extract::Request;
use http::HeaderMap;
use plaza_contracts::edge::{ClientAddress, HostTenant};
use plaza_kernel::Caller;
use serde::{Deserialize, Serialize};

/// What reached the upstream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Echo {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) caller: Option<Caller>,
    pub(crate) host_slug: Option<String>,
    /// Where the client is.
    pub(crate) client: Option<String>,
    pub(crate) body_bytes: usize,
    pub(crate) trailers: usize,
}

impl Echo {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

pub(crate) fn router() -> axum::Router {
    axum::Router::new().fallback(echo)
}

async fn echo(request: Request) -> axum::Json<Echo> {
    let (parts, body) = request.into_parts();
    let (body_bytes, trailers) = count(body).await;
    axum::Json(Echo {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: text(&parts.headers),
        caller: parts.extensions.get::<Caller>().cloned(),
        host_slug: parts
            .extensions
            .get::<HostTenant>()
            .map(|tenant| tenant.slug.clone()),
        client: parts
            .extensions
            .get::<ClientAddress>()
            .map(|client| client.0.to_string()),
        body_bytes,
        trailers,
    })
}

async fn count(body: Body) -> (usize, usize) {
    use http_body_util::BodyExt;
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().map_or(0, HeaderMap::len);
    (collected.to_bytes().len(), trailers)
}

fn text(headers: &HeaderMap) -> Vec<(String, String)> {
    let pairs = headers.iter();
    pairs
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect()
}

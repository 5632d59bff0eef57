//! A thin HTTP client: what a person with curl would see.

use std::sync::OnceLock;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use reqwest::RequestBuilder;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

/// One client for the process: it keeps connections.
fn http() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Another test of the same process may have been first.
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        client.timeout(Duration::from_secs(60)).build().unwrap()
    })
}

/// An API as one caller sees it.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    base: String,
    token: Option<String>,
}

impl Api {
    /// Nobody in particular.
    pub(crate) fn at(base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            token: None,
        }
    }

    /// The same with an access token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            base: self.base.clone(),
            token: Some(token.to_owned()),
        }
    }

    /// The access token, if there is one.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request that is still to be filled and sent.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = http().request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// POST with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    /// POST without a body.
    pub(crate) async fn post_nothing(&self, path: &str) -> Answer {
        answer(self.request(Method::POST, path)).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }

    /// POST of a file as multipart, with an optional JSON part `mapping`.
    pub(crate) async fn upload(
        &self,
        path: &str,
        name: &str,
        file: Vec<u8>,
        mapping: Option<Value>,
    ) -> Answer {
        let mut form = Form::new();
        if let Some(mapping) = mapping {
            let part = Part::text(mapping.to_string())
                .mime_str("application/json")
                .unwrap();
            form = form.part("mapping", part);
        }
        let part = Part::bytes(file)
            .file_name(name.to_owned())
            .mime_str("text/csv")
            .unwrap();
        answer(
            self.request(Method::POST, path)
                .multipart(form.part("file", part)),
        )
        .await
    }

    /// Every item of a list, page after page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut next = format!("{path}{separator}limit=200");
        loop {
            let mut page = self.get(&next).await.ok();
            let Value::Array(found) = page["items"].take() else {
                panic!("no list at {next}: {page}")
            };
            items.extend(found);
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("{path}{separator}limit=200&cursor={cursor}"),
                None => return items,
            }
        }
    }
}

/// Sends a request and reads the answer whole.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request
        .send()
        .await
        .unwrap_or_else(|error| panic!("no answer: {error:?}"));
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response
        .bytes()
        .await
        .unwrap_or_else(|error| panic!("half an answer: {error:?}"));
    Answer {
        status,
        headers,
        body: body.to_vec(),
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        self.json()
    }

    /// Asserts a problem of this status and code.
    #[track_caller]
    pub(crate) fn assert_failed(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.json()["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text()
        );
    }
}

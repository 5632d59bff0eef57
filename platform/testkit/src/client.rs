//! One service, mounted without a socket.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use plaza_kernel::{Caller, Clock, RequestId};
use plaza_web::{RouteInfo, ServiceApi};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt;

/// The routes of one service, ready to be asked.
#[derive(Clone)]
pub struct Mounted {
    router: Router,
    routes: Vec<RouteInfo>,
}

impl Mounted {
    /// Mounts them.
    pub fn new(api: ServiceApi) -> Self {
        Self {
            router: api.router,
            routes: api.routes,
        }
    }

    /// The table of routes.
    pub fn routes(&self) -> &[RouteInfo] {
        &self.routes
    }

    /// Asks as this caller.
    pub fn as_caller(&self, caller: &Caller) -> Client {
        Client {
            router: self.router.clone(),
            caller: Some(caller.clone()),
        }
    }

    /// Asks as nobody known.
    pub fn anonymous(&self) -> Client {
        Client {
            router: self.router.clone(),
            caller: None,
        }
    }
}

/// Sends requests as one caller, the way the gateway would: the caller and a request id are in the extensions.
#[derive(Clone)]
pub struct Client {
    router: Router,
    caller: Option<Caller>,
}

impl Client {
    /// `GET path`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(request(Method::GET, path, Body::empty())).await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(request(Method::DELETE, path, Body::empty())).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Reply {
        self.send(json_request(Method::POST, path, body)).await
    }

    /// `PUT path` with a JSON body.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> Reply {
        self.send(json_request(Method::PUT, path, body)).await
    }

    /// `PATCH path` with a JSON body.
    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Reply {
        self.send(json_request(Method::PATCH, path, body)).await
    }

    /// `POST path` with a `multipart/form-data` body of one file and further text parts.
    pub async fn post_file(
        &self,
        path: &str,
        file_name: &str,
        content: &[u8],
        texts: &[(&str, &str)],
    ) -> Reply {
        self.send(upload(path, file_name, content, texts)).await
    }

    /// Sends any request. Extensions that the test set itself are kept.
    ///
    /// # Panics
    /// When the body of the answer breaks off.
    pub async fn send(&self, mut request: Request<Body>) -> Reply {
        let asked = format!("{} {}", request.method(), request.uri());
        if let Some(caller) = &self.caller {
            request.extensions_mut().get_or_insert_with(|| caller.clone());
        }
        request
            .extensions_mut()
            .get_or_insert_with(|| RequestId::generate(&Clock::system()));
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => panic!("{asked}: the body of the answer broke off: {error}"),
        };
        Reply {
            asked,
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }
}

/// A POST of a file and texts as `multipart/form-data`, to which headers may be added.
pub fn upload(path: &str, file_name: &str, content: &[u8], texts: &[(&str, &str)]) -> Request<Body> {
    const BOUNDARY: &str = "plaza-testkit-boundary-7f3a9c";
    let mut body = Vec::new();
    for (name, text) in texts {
        let part =
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let disposition = format!("form-data; name=\"file\"; filename=\"{file_name}\"");
    let head =
        format!("--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\nContent-Type: text/csv\r\n\r\n");
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let length = header::HeaderValue::from(body.len());
    let mut request = request(Method::POST, path, Body::from(body));
    let form =
        header::HeaderValue::from_static("multipart/form-data; boundary=plaza-testkit-boundary-7f3a9c");
    request.headers_mut().insert(header::CONTENT_TYPE, form);
    request.headers_mut().insert(header::CONTENT_LENGTH, length);
    request
}

fn request(method: Method, path: &str, body: Body) -> Request<Body> {
    match Request::builder().method(method).uri(path).body(body) {
        Ok(request) => request,
        Err(error) => panic!("`{path}` is not a request target: {error}"),
    }
}

fn json_request(method: Method, path: &str, body: &impl Serialize) -> Request<Body> {
    let bytes = match serde_json::to_vec(body) {
        Ok(bytes) => bytes,
        Err(error) => panic!("the body for {path} cannot be written as JSON: {error}"),
    };
    let mut request = request(method, path, Body::from(bytes));
    let json = header::HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    request
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    asked: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body read as JSON.
    ///
    /// # Panics
    /// When it is not such JSON; the message shows the answer.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{self}\nis not a {}: {error}", std::any::type_name::<T>()),
        }
    }

    /// The body as any JSON value.
    ///
    /// # Panics
    /// When it is not JSON.
    #[track_caller]
    pub fn value(&self) -> serde_json::Value {
        self.json()
    }

    /// Passes on a 2xx answer.
    ///
    /// # Panics
    /// On any other; the message shows the answer.
    #[track_caller]
    pub fn assert_ok(self) -> Self {
        assert!(self.status.is_success(), "expected success:\n{self}");
        self
    }

    /// Passes on an answer with exactly this status.
    ///
    /// # Panics
    /// On any other; the message shows the answer.
    #[track_caller]
    pub fn assert_status(self, status: StatusCode) -> Self {
        assert!(self.status == status, "expected {status}:\n{self}");
        self
    }

    /// Passes on a problem with this status and this stable code.
    ///
    /// # Panics
    /// On any other answer; the message shows it.
    #[track_caller]
    pub fn assert_failed(self, status: StatusCode, code: &str) -> Self {
        let problem: Option<plaza_web::Problem> = serde_json::from_slice(&self.body).ok();
        let found = problem
            .as_ref()
            .map_or("no problem at all", |problem| problem.code.as_str());
        assert!(
            self.status == status && found == code,
            "expected {status} {code}, found {found}:\n{self}"
        );
        let media_type = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        assert_eq!(
            media_type,
            Some("application/problem+json"),
            "a problem has its own media type:\n{self}"
        );
        self
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} answered {}", self.asked, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "  {name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        match serde_json::from_slice::<serde_json::Value>(&self.body) {
            Ok(value) => write!(f, "{value:#}"),
            Err(_) => write!(f, "{}", self.text()),
        }
    }
}

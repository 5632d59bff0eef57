//! Multipart bodies: files and what goes with them.

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{StatusCode, header};
use plaza_kernel::Kind;

use crate::{ApiError, unreadable_body};

/// A multipart body; 400 `MALFORMED_MULTIPART`, 415 `UNSUPPORTED_MEDIA_TYPE`.
#[derive(Debug)]
pub struct Multipart(pub axum::extract::Multipart);

impl<S: Send + Sync> FromRequest<S> for Multipart {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let media = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        if !media.is_some_and(|media| {
            media
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("multipart/form-data")
        }) {
            let text = "the body has to be `multipart/form-data`";
            return Err(ApiError::new(
                Kind::UnsupportedMedia,
                "UNSUPPORTED_MEDIA_TYPE",
                text,
            ));
        }
        let multipart = axum::extract::Multipart::from_request(request, state).await;
        multipart
            .map(Self)
            .map_err(|rejection| malformed(&rejection.body_text()))
    }
}

impl Multipart {
    /// The next part, or nothing after the last one.
    ///
    /// # Errors
    /// When the body is not multipart, too long, or stops to arrive.
    pub async fn next_part(&mut self) -> Result<Option<Part<'_>>, ApiError> {
        Ok(self
            .0
            .next_field()
            .await
            .map_err(|error| refused(&error))?
            .map(Part))
    }
}

/// One part of a multipart body.
#[derive(Debug)]
pub struct Part<'a>(Field<'a>);

impl Part<'_> {
    /// Its name.
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }

    /// The name of the file, as the client calls it: never a path to write to.
    pub fn file_name(&self) -> Option<&str> {
        self.0.file_name()
    }

    /// Its media type, as the client calls it.
    pub fn content_type(&self) -> Option<&str> {
        self.0.content_type()
    }

    /// The next piece of it, or nothing after the last one.
    ///
    /// # Errors
    /// As [`Multipart::next_part`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ApiError> {
        self.0.chunk().await.map_err(|error| refused(&error))
    }

    /// All of it.
    ///
    /// # Errors
    /// As [`Multipart::next_part`].
    pub async fn bytes(self) -> Result<Bytes, ApiError> {
        self.0.bytes().await.map_err(|error| refused(&error))
    }

    /// All of it, as text in UTF-8.
    ///
    /// # Errors
    /// As [`Multipart::next_part`], and when it is not such text.
    pub async fn text(self) -> Result<String, ApiError> {
        let bytes = self.bytes().await?;
        String::from_utf8(bytes.into()).map_err(|_| malformed("a part that has to be text is not UTF-8"))
    }
}

/// What a failure while reading the parts answers.
fn refused(error: &MultipartError) -> ApiError {
    let of_body = unreadable_body(error);
    match error.status() {
        // The form of the body is wrong, not the way it arrives.
        StatusCode::BAD_REQUEST => malformed(&error.body_text()),
        _ => of_body,
    }
}

fn malformed(what: &str) -> ApiError {
    ApiError::new(Kind::Malformed, "MALFORMED_MULTIPART", what)
}

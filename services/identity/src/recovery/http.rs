//! Forgotten passwords and unproven addresses: what is asked for, and what the links and their pages send.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use plaza_contracts::email::Email;
use plaza_kernel::{FieldError, Kind};
use plaza_web::{ApiError, ApiErrors, Json, Query};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::origin::Origin;
use crate::users::http::Accepted;
use crate::{Identity, pages};

/// Whose mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailboxBody {
    /// The account's address.
    email: String,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetBody {
    /// What stands in the link after `token=`.
    #[schema(value_type = String)]
    token: SecretString,
    /// 8 to 128 characters, not easy to guess.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// The proof of an address: a link's token, or the address with its code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyBody {
    /// What stands in the link after `token=`. With it neither `email` nor `code`.
    #[schema(value_type = Option<String>)]
    token: Option<SecretString>,
    /// The account's address; goes with `code`.
    email: Option<String>,
    /// Eight letters, in either case, with or without the dash.
    #[schema(value_type = Option<String>)]
    code: Option<SecretString>,
}

/// The address was proven.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verified {
    /// True.
    verified: bool,
}

const VERIFIED: Json<Verified> = Json(Verified { verified: true });

/// What a link of a mail carries. Mail programs and those that count clicks add parameters of their own.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct VerifyQuery {
    /// The token. The page reads it by itself.
    #[param(value_type = Option<String>)]
    token: Option<SecretString>,
}

/// Ask for a link to a new password.
///
/// Answers alike, and takes the same time, whether the address has an account or not.
#[utoipa::path(post, path = "/api/v1/auth/forgot-password", tag = "auth", operation_id = "forgot_password",
    request_body = MailboxBody, responses((status = 202, body = Accepted), ApiErrors))]
pub(crate) async fn forgot_password(
    State(identity): State<Identity>,
    origin: Origin,
    Json(body): Json<MailboxBody>,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let email: Email = body.email.parse()?;
    identity.forgot_password(&email, origin).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted::new())))
}

/// Set a new password with the link out of a mail.
///
/// Ends every session of the account. A link is good once, and for half an hour: 400 `TOKEN_USED` after that.
#[utoipa::path(post, path = "/api/v1/auth/reset-password", tag = "auth", operation_id = "reset_password",
    request_body = ResetBody, responses((status = 204, description = "The password is set"), ApiErrors))]
pub(crate) async fn reset_password(
    State(identity): State<Identity>,
    origin: Origin,
    Json(body): Json<ResetBody>,
) -> Result<StatusCode, ApiError> {
    let token = body.token.expose_secret();
    identity.reset_password(token, &body.password, origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The page behind a link to a new password. Looking at it uses nothing up.
#[utoipa::path(get, path = "/reset", tag = "auth", operation_id = "reset_page",
    params(("token" = Option<String>, Query, description = "Read by the page itself")),
    responses((status = 200, description = "A page that asks for a password", content_type = "text/html", body = String)))]
pub(crate) async fn reset_page() -> impl IntoResponse {
    pages::RESET.show()
}

/// The page behind the link that proves an address; or the proof itself, for who asks for JSON.
///
/// Looking at the page uses nothing up, and `HEAD` never does: programs that scan mail for links do both.
#[utoipa::path(get, path = "/api/v1/auth/verify-email", tag = "auth", operation_id = "verify_email_page",
    params(VerifyQuery),
    responses((status = 200, description = "A page with a button, or the proof", content((String = "text/html"), (Verified = "application/json"))),
        ApiErrors))]
pub(crate) async fn verify_email_page(
    State(identity): State<Identity>,
    origin: Origin,
    method: Method,
    headers: HeaderMap,
    Query(query): Query<VerifyQuery>,
) -> Result<Response, ApiError> {
    // axum answers HEAD by the handler of GET.
    if method != Method::GET || !asks_for_json(&headers) {
        return Ok(([(header::VARY, "accept")], pages::VERIFY.show()).into_response());
    }
    let token = query.token.unwrap_or_default();
    identity.verify_by_token(token.expose_secret(), origin).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], VERIFIED).into_response())
}

/// Prove that an address is one's own, with a link's token or by its code.
///
/// A code can be tried ten times: 401 `CODE_WRONG`. A link is good once: 400 `TOKEN_USED` after that.
#[utoipa::path(post, path = "/api/v1/auth/verify-email", tag = "auth", operation_id = "verify_email",
    request_body = VerifyBody, responses((status = 200, body = Verified), ApiErrors))]
pub(crate) async fn verify_email(
    State(identity): State<Identity>,
    origin: Origin,
    Json(body): Json<VerifyBody>,
) -> Result<Json<Verified>, ApiError> {
    match (body.token, body.email, body.code) {
        (Some(token), None, None) => identity.verify_by_token(token.expose_secret(), origin).await?,
        (None, Some(email), Some(code)) => {
            let email: Email = email.parse()?;
            identity
                .verify_by_code(&email, code.expose_secret(), origin)
                .await?;
        }
        _ => return Err(ambiguous()),
    }
    Ok(VERIFIED)
}

/// Ask for the mail that proves an address once more. What was sent before is no longer good.
///
/// Answers alike whether the address has an account or not.
#[utoipa::path(post, path = "/api/v1/auth/verify-email/resend", tag = "auth", operation_id = "resend_verification",
    request_body = MailboxBody, responses((status = 202, body = Accepted), ApiErrors))]
pub(crate) async fn resend_verification(
    State(identity): State<Identity>,
    origin: Origin,
    Json(body): Json<MailboxBody>,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let email: Email = body.email.parse()?;
    identity.resend_verification(&email, origin).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted::new())))
}

fn ambiguous() -> ApiError {
    let text = "send `token`, or `email` and `code`";
    ApiError::new(Kind::Invalid, "INVALID_BODY", text).with_fields(vec![FieldError::new("", "ONE_OF", text)])
}

/// A program that names JSON and no page. Whatever scans links accepts anything, or pages.
fn asks_for_json(headers: &HeaderMap) -> bool {
    let accepted: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .collect();
    let names = |kind: &str| accepted.iter().any(|range| range.eq_ignore_ascii_case(kind));
    names("application/json") && !names("text/html")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_who_names_json_and_no_page_asks_for_json() {
        let asks = |accept: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            asks_for_json(&headers)
        };
        assert!(asks(&["application/json"]));
        assert!(asks(&["text/plain", "Application/JSON;q=0.9, */*"]));
        for accept in [
            &[][..],
            &["*/*"],
            &["text/html,application/xhtml+xml,*/*;q=0.8"],
            &["text/html, application/json"],
            &["application/*"],
            &["application/problem+json"],
        ] {
            assert!(!asks(accept), "{accept:?}");
        }
    }
}

//! The page that a link opens, and what the page sends.

use axum::extract::State;
use axum::response::IntoResponse;
use plaza_web::{ApiError, ApiErrors, Json};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{SetUp, Setup};
use crate::origin::Origin;
use crate::{Identity, pages};

/// What the holder of a link says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetupBody {
    /// What stands in the link after `token=`.
    #[schema(value_type = String)]
    token: SecretString,
    /// The administrator's address, or the one that the link was made for.
    email: String,
    /// 8 to 128 characters, not easy to guess. The holder of an account that has a password gives that one.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Use a setup link.
///
/// Makes the platform's administrator, or sets the first password of a tenant's owner or of an invited user. A link
/// is good once: 400 `SETUP_LINK_INVALID` after that. The password of an account that has one is compared as at a login, and as
/// often at most: 401 `INVALID_CREDENTIALS`, and 429 after several wrong ones.
#[utoipa::path(post, path = "/api/v1/auth/setup", tag = "auth", operation_id = "setup", request_body = SetupBody,
    responses((status = 200, body = SetUp), ApiErrors))]
pub(crate) async fn setup(
    State(identity): State<Identity>,
    origin: Origin,
    Json(body): Json<SetupBody>,
) -> Result<Json<SetUp>, ApiError> {
    let token = body.token.expose_secret().to_owned();
    let setup = Setup {
        token,
        email: body.email.parse()?,
        password: body.password,
        origin,
    };
    Ok(Json(identity.set_up(setup).await?))
}

/// The page behind a setup link. Looking at it uses nothing up.
#[utoipa::path(get, path = "/setup", tag = "auth", operation_id = "setup_page",
    params(("token" = Option<String>, Query, description = "Read by the page itself")),
    responses((status = 200, description = "A page that asks for e-mail and password", content_type = "text/html", body = String)))]
pub(crate) async fn setup_page() -> impl IntoResponse {
    pages::SETUP.show()
}

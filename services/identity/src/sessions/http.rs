//! Login, refresh, logout, and the key set.

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderName, StatusCode, header};
use plaza_contracts::edge::HostTenant;
use plaza_contracts::email::Email;
use plaza_web::{ApiError, ApiErrors, Authenticated, Granted, Json};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Login, TokenPair};
use crate::Identity;
use crate::origin::Origin;

/// What a person says to come in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginBody {
    /// The account's address.
    email: String,
    /// At most 128 characters.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// The tenant's slug. Not needed on the tenant's own host, nor by members of a single tenant.
    tenant: Option<String>,
}

/// A refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshBody {
    /// The one that came with the last access token.
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// An access token and the refresh token for the next one.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokensView {
    /// To be sent as `Authorization: Bearer …`.
    access_token: String,
    /// Good once.
    refresh_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// How many seconds the access token is good for.
    expires_in: u32,
}

impl From<TokenPair> for TokensView {
    fn from(pair: TokenPair) -> Self {
        Self {
            access_token: pair.access.expose_secret().to_owned(),
            refresh_token: pair.refresh.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: pair.expires_in,
        }
    }
}

// Tokens do not belong into any cache (RFC 6749 §5.1).
const NO_STORE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// Log in.
///
/// 409 `TENANT_REQUIRED` when the account belongs to several tenants and none is named; 403 `EMAIL_NOT_VERIFIED` where people
/// who registered have to prove their address first; 429 after several wrong passwords from one network, or very many from
/// everywhere: a new password by mail (`forgot-password`) lets its holder in again.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", operation_id = "login", request_body = LoginBody,
    responses((status = 200, body = TokensView), ApiErrors))]
pub(crate) async fn login(
    State(identity): State<Identity>,
    host: Option<Extension<HostTenant>>,
    origin: Origin,
    Json(body): Json<LoginBody>,
) -> Result<impl IntoResponse, ApiError> {
    let email: Email = body.email.parse()?;
    let host = host.as_ref().map(|Extension(host)| host);
    let tenant = identity.tenants().wanted(host, body.tenant.as_deref()).await?;
    let pair = identity
        .login(Login {
            email,
            password: body.password,
            tenant,
            origin,
        })
        .await?;
    Ok((NO_STORE, Json(TokensView::from(pair))))
}

/// Exchange a refresh token for the next pair of tokens.
///
/// A refresh token is good once. Using one again ends its session: 401 `REFRESH_REUSED`.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", operation_id = "refresh", request_body = RefreshBody,
    responses((status = 200, body = TokensView), ApiErrors))]
pub(crate) async fn refresh(
    State(identity): State<Identity>,
    host: Option<Extension<HostTenant>>,
    Json(body): Json<RefreshBody>,
) -> Result<impl IntoResponse, ApiError> {
    let host = host.map(|Extension(host)| host.tenant_id);
    let token = body.refresh_token.expose_secret();
    let pair = identity.refresh(token, host).await?;
    Ok((NO_STORE, Json(TokensView::from(pair))))
}

/// End the session of the access token.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", operation_id = "logout",
    responses((status = 204, description = "The session has ended"), ApiErrors))]
pub(crate) async fn logout(
    State(identity): State<Identity>,
    granted: Granted<Authenticated>,
) -> Result<StatusCode, ApiError> {
    identity.logout(granted.caller()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The public keys of access tokens, as a JSON Web Key Set (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "auth", operation_id = "jwks",
    responses((status = 200, description = "A JSON Web Key Set", content_type = "application/json", body = serde_json::Value), ApiErrors))]
pub(crate) async fn jwks(State(identity): State<Identity>) -> Result<impl IntoResponse, ApiError> {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    Ok((headers, identity.keys().jwks().await?))
}

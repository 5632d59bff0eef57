//! What is one's own: oneself, one's password, one's sessions.

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_contracts::permissions::UpdateUsers;
use plaza_kernel::{Page, SessionId, UserId};
use plaza_web::{
    ApiError, ApiErrors, Authenticated, Granted, IfMatch, IfMatchParams, Json, May, PageParams, Path,
    PreconditionErrors, Query, Version, etag,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AboutMe, Me, PasswordChange, Session};
use crate::Identity;
use crate::origin::Origin;
use crate::users::PersonName;

/// What a person says of themselves. What is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateMeBody {
    /// The name, at most 200 characters.
    name: Option<String>,
    /// A language tag; empty for none.
    #[schema(example = "pt-BR")]
    locale: Option<String>,
    /// A time zone; empty for none.
    #[schema(example = "America/Sao_Paulo")]
    timezone: Option<String>,
}

/// The present password and the next one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePasswordBody {
    /// The present one.
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    /// 8 to 128 characters, not easy to guess.
    #[schema(value_type = String, format = Password)]
    new_password: SecretString,
}

/// A login.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// Its id.
    id: SessionId,
    /// Whether it is the one that asks.
    current: bool,
    /// When it began.
    created_at: DateTime<Utc>,
    /// When it was last refreshed; when it began, if never.
    refreshed_at: DateTime<Utc>,
    /// When it ends however often it is refreshed.
    expires_at: DateTime<Utc>,
}

impl SessionView {
    fn of(session: Session, present: SessionId) -> Self {
        Self {
            id: session.id,
            current: session.id == present,
            created_at: session.created_at,
            refreshed_at: session.refreshed_at,
            expires_at: session.expires_at,
        }
    }
}

/// Who am I?
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "auth", operation_id = "me",
    responses((status = 200, body = Me), ApiErrors))]
pub(crate) async fn me(
    State(identity): State<Identity>,
    granted: Granted<Authenticated>,
) -> Result<impl IntoResponse, ApiError> {
    let me = identity.me(granted.caller()).await?;
    Ok(([etag(Version(me.version))], Json(me)))
}

/// Say something about oneself, in this tenant.
#[utoipa::path(put, path = "/api/v1/auth/me", tag = "auth", operation_id = "update_me", params(IfMatchParams),
    request_body = UpdateMeBody, responses((status = 200, body = Me), ApiErrors, PreconditionErrors))]
pub(crate) async fn update_me(
    State(identity): State<Identity>,
    granted: Granted<Authenticated>,
    version: IfMatch,
    Json(body): Json<UpdateMeBody>,
) -> Result<impl IntoResponse, ApiError> {
    let name = body.name.as_deref();
    let about = AboutMe {
        name: name.map(|name| PersonName::parse(Some(name))).transpose()?,
        locale: body.locale.map(|text| text.parse()).transpose()?,
        timezone: body.timezone.map(|text| text.parse()).transpose()?,
    };
    let me = identity.update_me(granted.caller(), about, version).await?;
    Ok(([etag(Version(me.version))], Json(me)))
}

/// Change one's password.
///
/// Ends every other session of the account, in every tenant. 403 `WRONG_PASSWORD` when the present one is wrong.
#[utoipa::path(post, path = "/api/v1/auth/me/password", tag = "auth", operation_id = "change_password",
    request_body = ChangePasswordBody, responses((status = 204, description = "The password is changed"), ApiErrors))]
pub(crate) async fn change_password(
    State(identity): State<Identity>,
    granted: Granted<Authenticated>,
    origin: Origin,
    Json(body): Json<ChangePasswordBody>,
) -> Result<StatusCode, ApiError> {
    let change = PasswordChange {
        current: body.current_password,
        new: body.new_password,
        origin,
    };
    identity.change_password(granted.caller(), change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List one's sessions here, oldest first.
#[utoipa::path(get, path = "/api/v1/auth/me/sessions", tag = "auth", operation_id = "list_my_sessions",
    params(PageParams), responses((status = 200, body = Page<SessionView>), ApiErrors))]
pub(crate) async fn list_my_sessions(
    State(identity): State<Identity>,
    granted: Granted<Authenticated>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<SessionView>>, ApiError> {
    let (caller, skip) = (granted.caller(), page.skip()?);
    let page = identity
        .sessions(caller.scope(), caller.subject, page.parse()?, skip)
        .await?;
    Ok(Json(page.map(|session| SessionView::of(session, caller.session))))
}

/// End one of one's sessions here. Ending it again changes nothing.
#[utoipa::path(delete, path = "/api/v1/auth/me/sessions/{id}", tag = "auth", operation_id = "end_my_session",
    params(("id" = SessionId, Path)), responses((status = 204, description = "The session has ended"), ApiErrors))]
pub(crate) async fn end_my_session(
    State(identity): State<Identity>,
    granted: Granted<Authenticated>,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, ApiError> {
    let caller = granted.caller();
    identity.revoke(caller.scope(), caller.subject, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End every session of one's account, this one too, in every tenant.
#[utoipa::path(post, path = "/api/v1/auth/logout-all", tag = "auth", operation_id = "logout_all",
    responses((status = 204, description = "All sessions have ended"), ApiErrors))]
pub(crate) async fn logout_all(
    State(identity): State<Identity>,
    granted: Granted<Authenticated>,
) -> Result<StatusCode, ApiError> {
    identity.logout_all(granted.caller()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End every session that a user has in the tenant.
#[utoipa::path(post, path = "/api/v1/auth/users/{id}/logout", tag = "users", operation_id = "end_user_sessions",
    params(("id" = UserId, Path)), responses((status = 204, description = "The sessions have ended"), ApiErrors))]
pub(crate) async fn end_user_sessions(
    State(identity): State<Identity>,
    granted: Granted<May<UpdateUsers>>,
    Path(id): Path<UserId>,
) -> Result<StatusCode, ApiError> {
    identity.end_user_sessions(&(&granted).into(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

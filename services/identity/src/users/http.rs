//! Register, and the users of a tenant.

pub(crate) mod create;
pub(crate) mod internal;

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_contracts::edge::HostTenant;
use plaza_contracts::email::Email;
use plaza_contracts::permissions::{DeleteUsers, UpdateUsers, ViewUsers};
use plaza_kernel::{Cursor, Kind, Limit, Page, PageQuery, UserId};
use plaza_web::{
    ApiError, ApiErrors, Granted, IfMatch, IfMatchParams, Json, May, Path, PreconditionErrors, Query,
    Version, etag,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Admission, CoarseRole, Member, MemberChange, PersonName, Registration};
use crate::Identity;
use crate::origin::Origin;

/// What a stranger says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterBody {
    /// The address of the account.
    email: String,
    /// 8 to 128 characters, not easy to guess.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// The name in the tenant.
    name: Option<String>,
    /// The slug of the tenant to join. Not needed on the tenant's own host; without either, no tenant is joined.
    tenant: Option<String>,
}

/// The same answer to everybody.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// `accepted`.
    status: &'static str,
}

impl Accepted {
    pub(crate) const fn new() -> Self {
        Self { status: "accepted" }
    }
}

/// Make an account.
///
/// Answers alike whether the address is known or not; an account that exists is not changed. A mail asks to prove the address.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth", operation_id = "register",
    request_body = RegisterBody, responses((status = 202, body = Accepted), ApiErrors))]
pub(crate) async fn register(
    State(identity): State<Identity>,
    host: Option<Extension<HostTenant>>,
    origin: Origin,
    Json(body): Json<RegisterBody>,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let email: Email = body.email.parse()?;
    let name = PersonName::parse(body.name.as_deref())?;
    let host = host.as_ref().map(|Extension(host)| host);
    let tenant = identity.tenants().wanted(host, body.tenant.as_deref()).await?;
    identity
        .register(Registration {
            email,
            password: body.password,
            name,
            tenant,
            origin,
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted::new())))
}

/// A user of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserView {
    /// The account.
    user_id: UserId,
    /// Its address.
    email: String,
    /// The name in this tenant; may be empty.
    name: String,
    /// `owner` or `member`.
    role: String,
    /// `invited`, `active` or `disabled`.
    status: String,
    /// When the membership began.
    created_at: DateTime<Utc>,
    /// Somebody has shown to read the address's mail, or the platform vouches for it.
    email_verified: bool,
    /// A language tag, if they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    /// A name of the time zone database, if they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    /// Rises with every change; the `ETag` of the user.
    version: i64,
}

impl UserView {
    /// With its version, for who wants to change it.
    fn answer(member: Member) -> impl IntoResponse {
        ([etag(Version(member.version))], Json(Self::from(member)))
    }
}

impl From<Member> for UserView {
    fn from(member: Member) -> Self {
        let Member {
            user_id,
            email,
            name,
            role,
            status,
            created_at,
            email_verified,
            locale,
            timezone,
            version,
        } = member;
        Self {
            user_id,
            email,
            name,
            role,
            status,
            created_at,
            email_verified,
            locale,
            timezone,
            version,
        }
    }
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many: 1 to 200, 50 unless told.
    limit: Option<u16>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Counted from 1, for clients that know no cursor: at most 1000.
    page: Option<u16>,
}

impl ListQuery {
    /// Which page, and how many to leave out.
    fn parse(&self) -> Result<(PageQuery, i64), ApiError> {
        let invalid = |text: &str| ApiError::new(Kind::Invalid, "INVALID_QUERY", text);
        let limit = self.limit.map_or(Some(Limit::default()), Limit::new);
        let limit = limit.ok_or_else(|| invalid("limit is a number from 1 to 200"))?;
        let cursor = self.cursor.as_deref().map(Cursor::parse).transpose();
        let cursor = cursor.map_err(|_| invalid("cursor is not one of this list"))?;
        let page = self.page.unwrap_or(1);
        if !(1..=1000).contains(&page) {
            return Err(invalid("page is a number from 1 to 1000"));
        }
        let skip = i64::from(page - 1) * (limit.and_one() - 1);
        Ok((PageQuery { limit, cursor }, skip))
    }
}

/// List the users of the tenant.
#[utoipa::path(get, path = "/api/v1/auth/users", tag = "users", operation_id = "list_users", params(ListQuery),
    responses((status = 200, body = Page<UserView>), ApiErrors))]
pub(crate) async fn list(
    State(identity): State<Identity>,
    granted: Granted<May<ViewUsers>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<UserView>>, ApiError> {
    let (page, skip) = query.parse()?;
    let page = identity.members(&(&granted).into(), page, skip).await?;
    Ok(Json(page.map(UserView::from)))
}

/// One user of the tenant.
#[utoipa::path(get, path = "/api/v1/auth/users/{id}", tag = "users", operation_id = "get_user",
    params(("id" = UserId, Path)), responses((status = 200, body = UserView), ApiErrors))]
pub(crate) async fn get(
    State(identity): State<Identity>,
    granted: Granted<May<ViewUsers>>,
    Path(id): Path<UserId>,
) -> Result<impl IntoResponse, ApiError> {
    let member = identity.member(granted.tenant(), id).await?;
    Ok(UserView::answer(member))
}

/// What is said of a user. What is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateUserBody {
    /// The name in the tenant, at most 200 characters.
    name: Option<String>,
    /// Whether the user may come in. Nobody says so of themselves.
    status: Option<Admission>,
    /// The coarse role: for owners to say, and of others.
    role: Option<CoarseRole>,
}

/// Change a user of the tenant.
///
/// Owners are changed by owners: 403 `OWNER_ONLY`; nobody changes their own role or status: 403 `NOT_YOURSELF`; one active owner
/// stays: 409 `LAST_OWNER`; who was asked in and has not come has neither: 409 `USER_INVITED`.
#[utoipa::path(put, path = "/api/v1/auth/users/{id}", tag = "users", operation_id = "update_user",
    params(("id" = UserId, Path), IfMatchParams), request_body = UpdateUserBody,
    responses((status = 200, body = UserView), ApiErrors, PreconditionErrors))]
pub(crate) async fn update(
    State(identity): State<Identity>,
    granted: Granted<May<UpdateUsers>>,
    Path(id): Path<UserId>,
    version: IfMatch,
    Json(body): Json<UpdateUserBody>,
) -> Result<impl IntoResponse, ApiError> {
    let name = body.name.as_deref();
    let change = MemberChange {
        name: name.map(|name| PersonName::parse(Some(name))).transpose()?,
        status: body.status,
        role: body.role,
    };
    let member = identity
        .update_member(&(&granted).into(), id, change, version)
        .await?;
    Ok(UserView::answer(member))
}

/// Remove a user from the tenant.
///
/// The account is the person's own and stays. 403 and 409 as for changing.
#[utoipa::path(delete, path = "/api/v1/auth/users/{id}", tag = "users", operation_id = "delete_user",
    params(("id" = UserId, Path)), responses((status = 204, description = "The user has no access any more"), ApiErrors))]
pub(crate) async fn delete(
    State(identity): State<Identity>,
    granted: Granted<May<DeleteUsers>>,
    Path(id): Path<UserId>,
) -> Result<StatusCode, ApiError> {
    identity.remove_member(&(&granted).into(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

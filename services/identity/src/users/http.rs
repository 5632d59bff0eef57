//! Register, and the users of a tenant.

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use http::{StatusCode, header};
use plaza_contracts::edge::HostTenant;
use plaza_contracts::email::Email;
use plaza_contracts::permissions::{CreateUsers, ViewUsers};
use plaza_kernel::{Cursor, Kind, Limit, Page, PageQuery, UserId};
use plaza_web::{ApiError, ApiErrors, Granted, Json, May, Path, Query};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Invitation, Invite, Member, PersonName, Registration};
use crate::Identity;

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

/// Make an account.
///
/// Answers alike whether the address is known or not; an account that exists is not changed.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth", operation_id = "register",
    request_body = RegisterBody, responses((status = 202, body = Accepted), ApiErrors))]
pub(crate) async fn register(
    State(identity): State<Identity>,
    host: Option<Extension<HostTenant>>,
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
        })
        .await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { status: "accepted" })))
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
        } = member;
        Self {
            user_id,
            email,
            name,
            role,
            status,
            created_at,
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
) -> Result<Json<UserView>, ApiError> {
    Ok(Json(identity.member(granted.tenant(), id).await?.into()))
}

/// Who is asked in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteBody {
    /// The address of the account.
    email: String,
    /// The name in the tenant.
    name: Option<String>,
    /// `member`, the only coarse role that is given here.
    #[serde(default)]
    role: InvitedRole,
}

/// The coarse role of an invited person.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InvitedRole {
    /// May do what the tenant's roles grant.
    #[default]
    Member,
}

/// The link that the invited person opens.
#[derive(Serialize, ToSchema)]
pub(crate) struct InviteView {
    /// The account.
    user_id: UserId,
    /// What `/api/v1/auth/setup` takes. Shown once.
    #[schema(value_type = String)]
    token: String,
    /// The page that asks for the password. Shown once.
    setup_url: String,
    /// Until when the link is good.
    expires_at: DateTime<Utc>,
}

/// Ask a person in.
///
/// The link is good once. Asking again, before the person has come, makes a new link and ends the old one.
#[utoipa::path(post, path = "/api/v1/auth/users", tag = "users", operation_id = "create_user",
    request_body = InviteBody, responses((status = 201, body = InviteView), ApiErrors))]
pub(crate) async fn create(
    State(identity): State<Identity>,
    granted: Granted<May<CreateUsers>>,
    Json(body): Json<InviteBody>,
) -> Result<impl IntoResponse, ApiError> {
    let InvitedRole::Member = body.role;
    let invitation = Invitation {
        email: body.email.parse()?,
        name: PersonName::parse(body.name.as_deref())?,
    };
    let Invite { user, link } = identity.invite(&(&granted).into(), invitation).await?;
    let view = InviteView {
        user_id: user,
        setup_url: identity.setup_url(&link.token),
        token: link.token.expose_secret().to_owned(),
        expires_at: link.expires_at,
    };
    Ok((
        StatusCode::CREATED,
        [(header::CACHE_CONTROL, "no-store")],
        Json(view),
    ))
}

impl Identity {
    /// Where a link leads. Built from the configured origin, never from a request's host.
    pub(crate) fn setup_url(&self, token: &SecretString) -> String {
        format!(
            "{}/setup?token={}",
            self.config().public_url.trim_end_matches('/'),
            token.expose_secret()
        )
    }
}

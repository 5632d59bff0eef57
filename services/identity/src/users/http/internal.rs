//! What other services ask for over HTTP, on the internal listener only.

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use http::{StatusCode, header};
use plaza_kernel::{TenantId, UserId};
use plaza_web::{ApiError, ApiErrors, Granted, Internal, Json};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Identity;
use crate::users::{Added, Addition, CoarseRole, PersonName};

/// Who is added to which tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddUserBody {
    /// The tenant.
    tenant_id: TenantId,
    /// The address of the account.
    email: String,
    /// The name in the tenant.
    name: Option<String>,
    /// What the person is in the tenant.
    role: CoarseRole,
}

/// A person who was added, and how they come in.
#[derive(Serialize, ToSchema)]
pub(crate) struct AddedView {
    /// The account.
    user_id: UserId,
    /// What `/api/v1/auth/setup` takes. Absent for an owner who is in already, because the platform vouches for the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Until when the link is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
}

impl From<Added> for AddedView {
    fn from(added: Added) -> Self {
        let link = added.link.as_ref();
        Self {
            user_id: added.user,
            token: link.map(|link| link.token.expose_secret().to_owned()),
            expires_at: link.map(|link| link.expires_at),
        }
    }
}

/// Add a person to a tenant.
///
/// For services of Plaza. Adding again, before the person has come, makes a new link and ends the old one.
#[utoipa::path(post, path = "/api/v1/auth/internal/users", tag = "internal", operation_id = "create_internal_user",
    request_body = AddUserBody, responses((status = 201, body = AddedView), ApiErrors))]
pub(crate) async fn add(
    State(identity): State<Identity>,
    inside: Granted<Internal>,
    Json(body): Json<AddUserBody>,
) -> Result<impl IntoResponse, ApiError> {
    let addition = Addition {
        tenant: body.tenant_id,
        email: body.email.parse()?,
        name: PersonName::parse(body.name.as_deref())?,
        role: body.role,
    };
    let added = identity.add_user(&inside, addition).await?;
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, no_store, Json(AddedView::from(added))))
}

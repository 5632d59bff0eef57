//! A role for a member, given by another service of Plaza: no person decides about it.

use axum::extract::State;
use http::StatusCode;
use plaza_database::TenantTx;
use plaza_kernel::{TenantId, UserId};
use plaza_web::{ApiError, ApiErrors, Granted, Internal, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use super::assign::AssignError;
use super::{RoleId, Template, store};
use crate::{Access, audit, grants};

/// Who gets which role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignInternalRoleBody {
    /// In which tenant.
    tenant_id: TenantId,
    /// The member.
    user_id: UserId,
    /// A default role (`administrator`, `editor`, `viewer`), or the id of a role of the tenant. Never a name that the
    /// tenant may choose.
    #[schema(example = "viewer")]
    role: String,
}

/// Give a role to a member, as another service of Plaza; giving it twice is giving it once.
#[utoipa::path(post, path = "/api/v1/auth/internal/roles", tag = "internal",
    operation_id = "assign_internal_role", request_body = AssignInternalRoleBody,
    responses((status = 204), ApiErrors))]
pub(crate) async fn assign_internal_role(
    State(access): State<Access>,
    granted: Granted<Internal>,
    Json(body): Json<AssignInternalRoleBody>,
) -> Result<StatusCode, ApiError> {
    let AssignInternalRoleBody {
        tenant_id,
        user_id,
        role,
    } = body;
    access
        .assign_internal(&granted, tenant_id, user_id, &role)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Access {
    /// Gives a role to a member. A tenant whose roles are not there yet has none to give.
    async fn assign_internal(
        &self,
        _granted: &Granted<Internal>,
        tenant: TenantId,
        user: UserId,
        role: &str,
    ) -> Result<(), AssignError> {
        let tx = self.inner.database.begin(tenant);
        grants::store::raise_version(&tx).await?;
        let role = meant(&tx, role).await?.ok_or(AssignError::NotFound)?;
        if store::assign(&tx, user, role, self.inner.clock.now()).await? {
            audit::assignment(&tx, &self.inner.clock, &audit::ROLE_ASSIGNED, role, user).await?;
        }
        Ok(self.commit(tx).await?)
    }
}

async fn meant(tx: &TenantTx, role: &str) -> Result<Option<RoleId>, AssignError> {
    if let Some(template) = Template::named(role) {
        return Ok(store::of_template(tx, template).await?);
    }
    let Ok(id) = role.parse() else { return Ok(None) };
    Ok(store::find(tx, id).await?.map(|role| role.id))
}

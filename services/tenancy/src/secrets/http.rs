//! Handlers of `/api/v1/admin/tenants/{id}/secrets`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use plaza_kernel::{FieldError, Page, TenantId};
use plaza_web::{ApiError, ApiErrors, Granted, Json, OwnerOrPlatformAdmin, PageParams, Path, Query};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::keep::SecretError;
use super::{NotAName, SecretName, Shown};
use crate::Tenancy;
use crate::tenants::charge::InCharge;

/// A secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutSecretBody {
    /// 1 to 8192 bytes. Write-only.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 8192)]
    value: SecretString,
}

/// What is shown of a secret: never its value.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecretView {
    /// The part of the configuration that it belongs to.
    #[schema(example = "messaging")]
    namespace: String,
    /// Its name there.
    #[schema(example = "whatsapp_token")]
    key: String,
    /// Its last four characters; absent if it has less than twelve.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// When it was given.
    updated_at: DateTime<Utc>,
}

impl From<Shown> for SecretView {
    fn from(shown: Shown) -> Self {
        Self {
            namespace: shown.namespace,
            key: shown.key,
            hint: Some(shown.hint).filter(|hint| !hint.is_empty()),
            updated_at: shown.updated_at,
        }
    }
}

type At = Path<(TenantId, String, String)>;

/// List a tenant's secrets: any for who runs the platform, their own for owners. Their values are shown to nobody.
#[utoipa::path(get, path = "/api/v1/admin/tenants/{id}/secrets", tag = "configuration",
    operation_id = "list_secrets", params(("id" = TenantId, Path), PageParams),
    responses((status = 200, body = Page<SecretView>), ApiErrors))]
pub(crate) async fn list_secrets(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path(id): Path<TenantId>,
    Query(page): Query<PageParams>,
) -> Result<Json<Page<SecretView>>, ApiError> {
    let charge = InCharge::proven(&granted, id)?;
    let page = tenancy.secrets(charge, page.parse()?, page.skip()?).await?;
    Ok(Json(page.map(SecretView::from)))
}

/// Give Plaza a secret, in place of the one of this name if there is one.
#[utoipa::path(put, path = "/api/v1/admin/tenants/{id}/secrets/{namespace}/{key}", tag = "configuration",
    operation_id = "put_secret",
    params(("id" = TenantId, Path), ("namespace" = String, Path), ("key" = String, Path)),
    request_body = PutSecretBody, responses((status = 204), ApiErrors))]
pub(crate) async fn put_secret(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path((id, namespace, key)): At,
    Json(body): Json<PutSecretBody>,
) -> Result<StatusCode, ApiError> {
    let charge = InCharge::proven(&granted, id)?;
    let name = SecretName::parse(&namespace, &key).map_err(refused)?;
    tenancy.put_secret(charge, &name, &body.value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a secret.
#[utoipa::path(delete, path = "/api/v1/admin/tenants/{id}/secrets/{namespace}/{key}", tag = "configuration",
    operation_id = "delete_secret",
    params(("id" = TenantId, Path), ("namespace" = String, Path), ("key" = String, Path)),
    responses((status = 204), ApiErrors))]
pub(crate) async fn delete_secret(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path((id, namespace, key)): At,
) -> Result<StatusCode, ApiError> {
    let charge = InCharge::proven(&granted, id)?;
    let name = SecretName::parse(&namespace, &key).map_err(SecretError::from)?;
    tenancy.remove_secret(charge, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Seal a secret anew with the key that is in use now. Its value stays.
#[utoipa::path(post, path = "/api/v1/admin/tenants/{id}/secrets/{namespace}/{key}/rotate", tag = "configuration",
    operation_id = "rotate_secret",
    params(("id" = TenantId, Path), ("namespace" = String, Path), ("key" = String, Path)),
    responses((status = 204), ApiErrors))]
pub(crate) async fn rotate_secret(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path((id, namespace, key)): At,
) -> Result<StatusCode, ApiError> {
    let charge = InCharge::proven(&granted, id)?;
    let name = SecretName::parse(&namespace, &key).map_err(SecretError::from)?;
    tenancy.rotate_secret(charge, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where a secret is to be made, a key that can be none is a mistake in the request; elsewhere there is just no such secret.
fn refused(error: NotAName) -> SecretError {
    match error {
        NotAName::Key => SecretError::Invalid(FieldError::new("key", "INVALID_KEY", error.to_string())),
        NotAName::Namespace => error.into(),
    }
}

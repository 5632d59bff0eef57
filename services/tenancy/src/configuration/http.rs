//! Handlers of `/api/v1/admin/tenants/{id}/config`.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue};
use plaza_kernel::TenantId;
use plaza_web::{
    ApiError, ApiErrors, Granted, IfMatch, IfMatchParams, Json, OwnerOrPlatformAdmin, Path,
    PreconditionErrors, etag,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::put::{Change, ConfigError, one};
use super::read::{ConfigurationBody, DocumentBody, document};
use super::{Namespace, Stored, version};
use crate::Tenancy;
use crate::tenants::charge::InCharge;

/// A namespace of a tenant's configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamespaceView {
    /// When it was changed, by the tenant's own count of changes; 0 if it never was.
    version: i64,
    /// What was said, in the schema of the namespace.
    #[schema(value_type = Object)]
    document: Value,
    /// When it was said; absent if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<DateTime<Utc>>,
}

impl From<Stored> for NamespaceView {
    fn from(stored: Stored) -> Self {
        Self {
            version: stored.version.get(),
            document: stored.document,
            updated_at: stored.updated_at,
        }
    }
}

/// A tenant's configuration.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfigurationView {
    /// The version of the whole: that of the namespace which was changed last.
    version: i64,
    /// Every namespace there is, by name.
    namespaces: BTreeMap<&'static str, NamespaceView>,
}

impl From<Vec<Stored>> for ConfigurationView {
    fn from(all: Vec<Stored>) -> Self {
        Self {
            version: version(&all).get(),
            namespaces: all
                .into_iter()
                .map(|stored| (stored.namespace.as_str(), stored.into()))
                .collect(),
        }
    }
}

/// An answer with its version in the `ETag`.
type Tagged<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

fn whole(all: Vec<Stored>) -> Tagged<ConfigurationView> {
    ([etag(version(&all))], Json(all.into()))
}

fn part(all: &[Stored], namespace: Namespace) -> Tagged<NamespaceView> {
    let stored = one(all, namespace);
    ([etag(stored.version)], Json(stored.into()))
}

/// Get a tenant's configuration: any for who runs the platform, their own for owners.
#[utoipa::path(get, path = "/api/v1/admin/tenants/{id}/config", tag = "configuration",
    operation_id = "get_tenant_config", params(("id" = TenantId, Path)),
    responses((status = 200, body = ConfigurationView), ApiErrors))]
pub(crate) async fn get_tenant_config(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path(id): Path<TenantId>,
) -> Result<Tagged<ConfigurationView>, ApiError> {
    let charge = InCharge::proven(&granted, id)?;
    Ok(whole(tenancy.configuration(charge).await?))
}

/// Change several namespaces of a tenant's configuration: all or nothing, each to the whole document that is given. Those
/// that are left out stay as they are.
#[utoipa::path(put, path = "/api/v1/admin/tenants/{id}/config", tag = "configuration",
    operation_id = "put_tenant_config", params(("id" = TenantId, Path), IfMatchParams),
    request_body = ConfigurationBody,
    responses((status = 200, body = ConfigurationView), ApiErrors, PreconditionErrors))]
pub(crate) async fn put_tenant_config(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path(id): Path<TenantId>,
    wanted: IfMatch,
    Json(body): Json<ConfigurationBody>,
) -> Result<Tagged<ConfigurationView>, ApiError> {
    let charge = InCharge::proven(&granted, id)?;
    let change = Change::Several(body.into_documents());
    let all = tenancy.configure(charge, change, wanted.required()?).await?;
    Ok(whole(all))
}

/// Get one namespace of a tenant's configuration.
#[utoipa::path(get, path = "/api/v1/admin/tenants/{id}/config/{namespace}", tag = "configuration",
    operation_id = "get_tenant_config_namespace",
    params(("id" = TenantId, Path), ("namespace" = String, Path, description = "`branding` or `messaging`.")),
    responses((status = 200, body = NamespaceView), ApiErrors))]
pub(crate) async fn get_tenant_config_namespace(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path((id, namespace)): Path<(TenantId, String)>,
) -> Result<Tagged<NamespaceView>, ApiError> {
    let charge = InCharge::proven(&granted, id)?;
    let all = tenancy.configuration(charge).await?;
    let namespace = Namespace::named(&namespace).ok_or(ConfigError::NoNamespace)?;
    Ok(part(&all, namespace))
}

/// Change one namespace of a tenant's configuration to the whole document that is given.
#[utoipa::path(put, path = "/api/v1/admin/tenants/{id}/config/{namespace}", tag = "configuration",
    operation_id = "put_tenant_config_namespace",
    params(("id" = TenantId, Path), ("namespace" = String, Path, description = "`branding` or `messaging`."),
        IfMatchParams),
    request_body = DocumentBody,
    responses((status = 200, body = NamespaceView), ApiErrors, PreconditionErrors))]
pub(crate) async fn put_tenant_config_namespace(
    State(tenancy): State<Tenancy>,
    granted: Granted<OwnerOrPlatformAdmin>,
    Path((id, namespace)): Path<(TenantId, String)>,
    wanted: IfMatch,
    request: Request,
) -> Result<Tagged<NamespaceView>, ApiError> {
    let charge = InCharge::proven(&granted, id)?;
    let namespace = Namespace::named(&namespace).ok_or(ConfigError::NoNamespace)?;
    let change = Change::One(Box::new(document(namespace, request).await?));
    let all = tenancy.configure(charge, change, wanted.required()?).await?;
    Ok(part(&all, namespace))
}

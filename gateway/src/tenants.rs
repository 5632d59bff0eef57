//! Tenants, as far as the gateway knows them: by the slug in a host, and whether they may be used at all.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_contracts::edge::HostTenant;
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::proto::tenancy::{GetRequest, ResolveRequest, Tenant};
use plaza_contracts::remembered::{NotKnown, Recent, Remembered};
use plaza_kernel::{Clock, Failure, Kind, TenantId};
use plaza_rpc::{RpcError, Transport};

use crate::confirmed::ANSWER_WITHIN;
use crate::settings::{GatewaySettings, seconds};

const SLUGS: usize = 8_192;
const TENANTS: usize = 8_192;

/// Whether a tenant's users may work, remembered. Shared by all its tokens.
pub(crate) type Usability = Arc<Remembered<bool>>;

/// The tenants by slug and by id.
pub(crate) struct Tenants {
    tenancy: TenancyClient<Transport>,
    clock: Clock,
    by_slug: Recent<String, Arc<Remembered<Option<HostTenant>>>>,
    usable: Recent<TenantId, Usability>,
    known_for: TimeDelta,
    unknown_for: TimeDelta,
}

impl Tenants {
    pub(crate) fn new(tenancy: TenancyClient<Transport>, clock: Clock, settings: &GatewaySettings) -> Self {
        Self {
            tenancy,
            clock,
            by_slug: Recent::new(SLUGS),
            usable: Recent::new(TENANTS),
            known_for: seconds(settings.tenant_seconds),
            unknown_for: seconds(settings.unknown_tenant_seconds),
        }
    }

    /// The tenant of a slug. That there is none is remembered too, for a shorter time.
    pub(crate) async fn by_slug(
        &self,
        slug: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<HostTenant>, NotKnown> {
        let remembered = self.by_slug.get_or_insert_with(slug, Arc::default);
        let is_good = |tenant: &Option<HostTenant>, age: TimeDelta| {
            age < if tenant.is_some() {
                self.known_for
            } else {
                self.unknown_for
            }
        };
        match remembered.known(now, is_good) {
            Some(tenant) => Ok(tenant),
            None => {
                remembered
                    .ask(&self.clock, is_good, |_, _| false, || self.resolve(slug))
                    .await
            }
        }
    }

    /// Where it is remembered whether a tenant may be used.
    pub(crate) fn usability(&self, tenant: TenantId) -> Usability {
        self.usable.get_or_insert_with(&tenant, Arc::default)
    }

    /// Asks whether a tenant may be used.
    pub(crate) fn ask_usable(
        &self,
        tenant: TenantId,
    ) -> impl Future<Output = Result<bool, RpcError>> + Send + use<> {
        let mut tenancy = self.tenancy.clone();
        async move {
            let mut request = tonic::Request::new(GetRequest {
                tenant_id: tenant.to_string(),
            });
            request.set_timeout(ANSWER_WITHIN);
            let found = found(tenancy.get(request).await)?;
            // While it is being set up its owner may already have a token; when it goes, nobody works any more.
            Ok(found.is_some_and(|tenant| ["provisioning", "active"].contains(&tenant.status.as_str())))
        }
    }

    async fn resolve(&self, slug: &str) -> Result<Option<HostTenant>, RpcError> {
        let mut request = tonic::Request::new(ResolveRequest {
            slug: slug.to_owned(),
        });
        request.set_timeout(ANSWER_WITHIN);
        let tenant = found(self.tenancy.clone().resolve(request).await)?;
        Ok(tenant.and_then(|tenant| {
            Some(HostTenant {
                tenant_id: tenant.tenant_id.parse().ok()?,
                slug: tenant.slug,
            })
        }))
    }
}

fn found(reply: Result<tonic::Response<Tenant>, tonic::Status>) -> Result<Option<Tenant>, RpcError> {
    match reply.map_err(RpcError::from) {
        Ok(tenant) => Ok(Some(tenant.into_inner())),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

//! Tenants, as far as the gateway knows them: by the slug in a host, and whether they may be used at all.
//!
//! Anybody can make up hosts, as many as they like. Slugs that are no tenant's, and those nobody has asked for yet, have
//! a small memory of their own and few questions at a time, so that they cost the tenants nothing.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_contracts::edge::HostTenant;
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::proto::tenancy::{GetRequest, ResolveRequest, Tenant};
use plaza_contracts::remembered::{NotKnown, Recent, Remembered};
use plaza_kernel::{Clock, Failure, Kind, TenantId};
use plaza_rpc::{RpcError, Transport};
use tokio::sync::Semaphore;

use crate::confirmed::ANSWER_WITHIN;
use crate::settings::{GatewaySettings, seconds};

const SLUGS: usize = 8_192;
const STRANGERS: usize = 1_024;
const TENANTS: usize = 8_192;
/// So many slugs are asked for at a time of which nothing is known yet …
const FIRST_QUESTIONS: usize = 8;
/// … and the next ones wait so long for their turn.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// While tenancy does not answer, a tenant stays known for so much longer. Which tenant a slug names hardly
/// ever changes, and a host opens nothing without a token of its tenant; whether it may be used is another question, and
/// has no such grace.
const GRACE: TimeDelta = TimeDelta::seconds(30);

/// Whether a tenant's users may work, remembered. Shared by all its tokens.
pub(crate) type Usability = Arc<Remembered<bool>>;

/// The tenant of a slug, remembered; or that there is none.
type Named = Arc<Remembered<Option<HostTenant>>>;

/// The tenants by slug and by id.
pub(crate) struct Tenants {
    tenancy: TenancyClient<Transport>,
    clock: Clock,
    /// Slugs of tenants.
    by_slug: Recent<String, Named>,
    /// Slugs of nobody, as far as is known.
    strangers: Recent<String, Named>,
    first_questions: Semaphore,
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
            strangers: Recent::new(STRANGERS),
            first_questions: Semaphore::new(FIRST_QUESTIONS),
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
        match self.by_slug.get(slug) {
            Some(named) => self.again(slug, &named, now).await,
            None => self.first(slug, now).await,
        }
    }

    /// The tenant of a slug that was a tenant's when it was last asked for.
    async fn again(
        &self,
        slug: &str,
        named: &Named,
        now: DateTime<Utc>,
    ) -> Result<Option<HostTenant>, NotKnown> {
        let is_good = |tenant: &Option<HostTenant>, age| self.is_good(tenant, age);
        if let Some(tenant) = named.known(now, is_good) {
            return Ok(tenant);
        }
        let is_tolerable =
            |tenant: &Option<HostTenant>, age| tenant.is_some() && age < self.known_for + GRACE;
        let tenant = named
            .ask(&self.clock, is_good, is_tolerable, || self.resolve(slug))
            .await?;
        if tenant.is_none() {
            self.strangers.get_or_insert_with(slug, || Arc::clone(named));
            self.by_slug.remove(slug);
        }
        Ok(tenant)
    }

    /// The tenant of a slug of which nothing is known, or that it is nobody's.
    async fn first(&self, slug: &str, now: DateTime<Utc>) -> Result<Option<HostTenant>, NotKnown> {
        let named = self.strangers.get_or_insert_with(slug, Arc::default);
        let is_good = |tenant: &Option<HostTenant>, age| self.is_good(tenant, age);
        let tenant = match named.known(now, is_good) {
            Some(tenant) => tenant,
            None => {
                named
                    .ask(&self.clock, is_good, |_, _| false, || self.resolve_in_turn(slug))
                    .await?
            }
        };
        if tenant.is_some() {
            self.by_slug.get_or_insert_with(slug, || named);
            self.strangers.remove(slug);
        }
        Ok(tenant)
    }

    fn is_good(&self, tenant: &Option<HostTenant>, age: TimeDelta) -> bool {
        age < if tenant.is_some() {
            self.known_for
        } else {
            self.unknown_for
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

    async fn resolve_in_turn(&self, slug: &str) -> Result<Option<HostTenant>, RpcError> {
        let turn = tokio::time::timeout(FIRST_WAIT, self.first_questions.acquire()).await;
        // The semaphore is never closed: what is missing is time.
        let Ok(Ok(_turn)) = turn else {
            metrics::counter!("plaza_gateway_hosts_not_looked_up_total").increment(1);
            return Err(tonic::Status::deadline_exceeded("too many unknown hosts at once").into());
        };
        self.resolve(slug).await
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

//! What identity asks of tenancy: which tenant a slug names, and whether one may be entered.

use plaza_contracts::edge::HostTenant;
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::proto::tenancy::{GetRequest, ResolveRequest, Tenant};
use plaza_kernel::TenantId;
use plaza_rpc::{RpcError, Transport};

/// A tenant as far as a login needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownTenant {
    pub(crate) id: TenantId,
    /// Neither suspended nor about to be deleted.
    pub(crate) open: bool,
}

/// The tenant that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It names none.
    None,
    /// It names one that does not exist, or two different ones.
    Unknown,
    /// This one.
    Tenant(KnownTenant),
}

impl Wanted {
    /// The one that is named, if it exists.
    pub(crate) fn id(self) -> Option<TenantId> {
        match self {
            Self::Tenant(tenant) => Some(tenant.id),
            Self::None | Self::Unknown => None,
        }
    }
}

/// The way to tenancy.
#[derive(Clone)]
pub(crate) struct Tenants(TenancyClient<Transport>);

impl Tenants {
    pub(crate) fn new(transport: Transport) -> Self {
        Self(TenancyClient::new(transport))
    }

    /// The tenant named by the request's host, by the slug in its body, or by both if they agree.
    pub(crate) async fn wanted(
        &self,
        host: Option<&HostTenant>,
        slug: Option<&str>,
    ) -> Result<Wanted, RpcError> {
        let known = match (host, slug) {
            (None, None) => return Ok(Wanted::None),
            (Some(host), Some(slug)) if host.slug != slug => None,
            (Some(host), _) => self.by_id(host.tenant_id).await?,
            (None, Some(slug)) => self.by_slug(slug).await?,
        };
        Ok(known.map_or(Wanted::Unknown, Wanted::Tenant))
    }

    /// The tenant of an id.
    pub(crate) async fn by_id(&self, id: TenantId) -> Result<Option<KnownTenant>, RpcError> {
        known(
            self.0
                .clone()
                .get(GetRequest {
                    tenant_id: id.to_string(),
                })
                .await,
        )
    }

    async fn by_slug(&self, slug: &str) -> Result<Option<KnownTenant>, RpcError> {
        // A DNS label: nothing else can be a slug, so nothing else is worth a call.
        let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if slug.is_empty() || slug.len() > 63 || !slug.bytes().all(label) {
            return Ok(None);
        }
        known(
            self.0
                .clone()
                .resolve(ResolveRequest {
                    slug: slug.to_owned(),
                })
                .await,
        )
    }
}

fn known(answer: Result<tonic::Response<Tenant>, tonic::Status>) -> Result<Option<KnownTenant>, RpcError> {
    let tenant = match answer.map_err(RpcError::from) {
        Ok(tenant) => tenant.into_inner(),
        Err(error) if error.is("TENANT_NOT_FOUND") => return Ok(None),
        Err(error) => return Err(error),
    };
    let open = matches!(tenant.status.as_str(), "provisioning" | "active");
    // An id that is none would be a defect of tenancy: better no tenant than a wrong one.
    Ok(tenant.tenant_id.parse().ok().map(|id| KnownTenant { id, open }))
}

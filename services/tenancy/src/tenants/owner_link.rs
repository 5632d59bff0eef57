//! The link with which a tenant's owner sets the first password.

use chrono::{DateTime, Utc};
use plaza_contracts::incoming::PlatformRight;
use plaza_contracts::proto::identity::CreateOwnerLinkRequest;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, TenantId};
use plaza_rpc::RpcError;

use super::store;
use crate::Tenancy;

/// A single-use link.
pub(crate) struct OwnerLink {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnerLinkError {
    #[error("the tenant does not exist")]
    NotFound,
    #[error(transparent)]
    Identity(#[from] RpcError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for OwnerLinkError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Identity(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "TENANT_NOT_FOUND",
            Self::Identity(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }
}

impl Tenancy {
    /// Makes a link for the owner; earlier ones end.
    pub(crate) async fn owner_link(
        &self,
        _right: &PlatformRight,
        id: TenantId,
    ) -> Result<OwnerLink, OwnerLinkError> {
        store::get(&self.inner.database, id)
            .await?
            .ok_or(OwnerLinkError::NotFound)?;
        let request = CreateOwnerLinkRequest {
            tenant_id: id.to_string(),
        };
        let mut identity = self.inner.identity.clone();
        let link = identity
            .create_owner_link(request)
            .await
            .map_err(RpcError::from)?
            .into_inner();
        Ok(OwnerLink {
            url: format!("{}/setup?token={}", self.inner.config.public_url, link.token),
            token: link.token,
            expires_at: DateTime::from_timestamp(link.expires_at, 0).unwrap_or_default(),
        })
    }
}

//! What would become of a tenant if it were deleted: asked before somebody does it.

use chrono::{DateTime, Utc};
use plaza_contracts::incoming::PlatformRight;
use plaza_contracts::proto::broadcast::ListCampaignsRequest;
use plaza_contracts::proto::identity::ListMembersRequest;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, TenantId};
use plaza_rpc::{RpcError, carried, carry_as_service};
use serde::Serialize;
use utoipa::ToSchema;

use super::life::WrongStatus;
use super::store;
use crate::Tenancy;

/// A page of what others have of the tenant …
const PAGE: u32 = 200;
/// … and how many of them are read.
const PAGES: u32 = 25;

/// What would become of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletionForecast {
    /// Its name in hosts, which would be free.
    slug: String,
    /// When: until then it could be restored.
    delete_after: DateTime<Utc>,
    /// Its users.
    users: u64,
    /// Its campaigns.
    campaigns: u64,
    /// The messages of these.
    messages: u64,
    /// There is more than was counted: the numbers are the least that there is.
    more: bool,
}

/// Nothing can be said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForecastError {
    #[error("this tenant does not exist")]
    NotFound,
    #[error(transparent)]
    WrongStatus(#[from] WrongStatus),
    /// Identity or broadcast says nothing.
    #[error(transparent)]
    Neighbour(#[from] RpcError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for ForecastError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::WrongStatus(_) => Kind::Conflict,
            Self::Neighbour(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "TENANT_NOT_FOUND",
            Self::WrongStatus(_) => "TENANT_STATE",
            Self::Neighbour(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }
}

/// How many there are, if all were counted.
#[derive(Debug, Default)]
struct Counted {
    items: u64,
    messages: u64,
    more: bool,
}

impl Tenancy {
    /// What deleting the tenant now would do. Changes nothing.
    pub(crate) async fn forecast(
        &self,
        _right: &PlatformRight,
        id: TenantId,
    ) -> Result<DeletionForecast, ForecastError> {
        let tenant = store::get(&self.inner.database, id).await?;
        let mut tenant = tenant.ok_or(ForecastError::NotFound)?;
        let now = self.inner.clock.now();
        tenant.life.delete(now)?;
        // Asked as the service: who runs the platform has no rights inside tenants.
        let users = carry_as_service(carried(), self.count_users(id)).await?;
        let campaigns = carry_as_service(carried(), self.count_campaigns(id)).await?;
        Ok(DeletionForecast {
            slug: tenant.slug.as_str().to_owned(),
            delete_after: tenant.life.delete_after.unwrap_or(now),
            users: users.items,
            campaigns: campaigns.items,
            messages: campaigns.messages,
            more: users.more || campaigns.more,
        })
    }

    async fn count_users(&self, id: TenantId) -> Result<Counted, RpcError> {
        let (mut members, mut counted) = (self.inner.members.clone(), Counted::default());
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let request = ListMembersRequest {
                tenant_id: id.to_string(),
                limit: PAGE,
                cursor,
            };
            let page = members.list_members(request).await?.into_inner();
            counted.items += page.members.len() as u64;
            cursor = page.next_cursor;
            if cursor.is_empty() {
                return Ok(counted);
            }
        }
        counted.more = true;
        Ok(counted)
    }

    async fn count_campaigns(&self, id: TenantId) -> Result<Counted, RpcError> {
        let (mut broadcast, mut counted) = (self.inner.broadcast.clone(), Counted::default());
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let request = ListCampaignsRequest {
                tenant_id: id.to_string(),
                limit: PAGE,
                cursor,
            };
            let page = broadcast.list_campaigns(request).await?.into_inner();
            counted.items += page.campaigns.len() as u64;
            let planned = page
                .campaigns
                .iter()
                .filter_map(|campaign| campaign.planned.get("send"));
            counted.messages += planned.sum::<u64>();
            cursor = page.next_cursor;
            if cursor.is_empty() {
                return Ok(counted);
            }
        }
        counted.more = true;
        Ok(counted)
    }
}

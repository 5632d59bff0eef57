//! What happens to a tenant: it is suspended and resumed, will be deleted and is restored. One transaction each, with the
//! event from which everybody else learns it.

use chrono::{DateTime, Utc};
use plaza_contracts::events::TenantStateChanged;
use plaza_contracts::incoming::PlatformRight;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Failure, Kind, TenantId};
use plaza_messaging::outbox;

use super::life::{Life, WrongStatus};
use super::{Status, Tenant, store};
use crate::{Tenancy, audit};

/// Why that does not happen to a tenant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LifeError {
    #[error("this tenant does not exist")]
    NotFound,
    #[error(transparent)]
    WrongStatus(#[from] WrongStatus),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for LifeError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::WrongStatus(_) => Kind::Conflict,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "TENANT_NOT_FOUND",
            Self::WrongStatus(_) => "TENANT_STATE",
            Self::Database(error) => error.code(),
        }
    }
}

impl Tenancy {
    /// Keeps everybody out of the tenant: logins, sessions that stand, and its messages wait.
    pub(crate) async fn suspend(&self, _right: &PlatformRight, id: TenantId) -> Result<Tenant, LifeError> {
        self.live(id, Life::suspend).await
    }

    /// Lets them in again.
    pub(crate) async fn resume(&self, _right: &PlatformRight, id: TenantId) -> Result<Tenant, LifeError> {
        self.live(id, |life, _| life.resume()).await
    }

    /// Closes the tenant and lets its days of grace begin.
    pub(crate) async fn delete(&self, _right: &PlatformRight, id: TenantId) -> Result<Tenant, LifeError> {
        self.live(id, Life::delete).await
    }

    /// Takes a deletion back before its days of grace are over.
    pub(crate) async fn restore(&self, _right: &PlatformRight, id: TenantId) -> Result<Tenant, LifeError> {
        self.live(id, |life, _| life.restore()).await
    }

    async fn live(
        &self,
        id: TenantId,
        step: impl FnOnce(&mut Life, DateTime<Utc>) -> Result<(), WrongStatus>,
    ) -> Result<Tenant, LifeError> {
        let tx = self.inner.database.begin(id);
        let mut tenant = store::lock(&tx).await?.ok_or(LifeError::NotFound)?;
        let (now, from) = (self.inner.clock.now(), tenant.status());
        step(&mut tenant.life, now)?;
        let at;
        (tenant.version, at) = store::save_life(&tx, &tenant.life, now).await?;
        self.announce(&tx, from, &tenant, at).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// Says that the tenant is in another state.
    pub(super) async fn announce(
        &self,
        tx: &TenantTx,
        from: Status,
        tenant: &Tenant,
        at: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        audit::state(tx, &self.inner.clock, from, tenant).await?;
        let to = tenant.status();
        let changed = TenantStateChanged {
            tenant_id: tenant.id,
            from: from.to_string(),
            to: to.to_string(),
            at,
            delete_after: tenant.life.delete_after.filter(|_| to == Status::Deleting),
        };
        outbox::append(tx, &self.inner.clock, &changed).await.map(drop)
    }
}

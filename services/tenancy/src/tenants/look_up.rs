//! Looking tenants up.

use plaza_contracts::incoming::PlatformRight;
use plaza_database::{Database, DatabaseError};
use plaza_kernel::{Failure, Kind, Page, PageQuery, TenantId};

use super::charge::InCharge;
use super::{Status, Tenant, store};
use crate::Tenancy;

/// There is no tenant to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookUpError {
    #[error("this tenant does not exist")]
    NotFound,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for LookUpError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "TENANT_NOT_FOUND",
            Self::Database(error) => error.code(),
        }
    }
}

/// Where a tenant is in its life, also one that is deleted, which no API finds; none if there never was one. For who works on
/// what a deleted tenant left.
///
/// # Errors
/// When the database fails.
pub async fn status(database: &Database, id: TenantId) -> Result<Option<Status>, DatabaseError> {
    let found = store::ever(database, id).await?;
    Ok(found.map(|tenant| tenant.status()))
}

impl Tenancy {
    /// The tenant of a slug.
    pub(crate) async fn resolve(&self, slug: &str) -> Result<Tenant, LookUpError> {
        let tx = self.inner.database.begin_system();
        let found = store::resolve(&tx, slug).await?;
        tx.commit().await?;
        found.ok_or(LookUpError::NotFound)
    }

    /// One tenant, whoever asks: for the doors, which ask about people before they let them in.
    pub(crate) async fn find(&self, id: TenantId) -> Result<Tenant, LookUpError> {
        let found = store::get(&self.inner.database, id).await?;
        found.ok_or(LookUpError::NotFound)
    }

    /// One tenant, for who looks after it.
    pub(crate) async fn get(&self, charge: InCharge) -> Result<Tenant, LookUpError> {
        self.find(charge.tenant()).await
    }

    /// All tenants, newest first.
    pub(crate) async fn list(
        &self,
        _right: &PlatformRight,
        page: PageQuery,
        skip: i64,
    ) -> Result<Page<Tenant>, LookUpError> {
        let tx = self.inner.database.begin_system();
        let found = store::list(&tx, page, skip).await?;
        tx.commit().await?;
        Ok(Page::from_found(found, page.limit, |tenant| tenant.id.as_uuid()))
    }
}

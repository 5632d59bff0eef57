//! Looking tenants up.

use plaza_contracts::incoming::PlatformRight;
use plaza_database::DatabaseError;
use plaza_kernel::{Caller, Failure, Kind, Page, PageQuery, TenantId};

use super::{Tenant, store};
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

impl Tenancy {
    /// The tenant of a slug.
    pub(crate) async fn resolve(&self, slug: &str) -> Result<Tenant, LookUpError> {
        let tx = self.inner.database.begin_system();
        let found = store::resolve(&tx, slug).await?;
        tx.commit().await?;
        found.ok_or(LookUpError::NotFound)
    }

    /// One tenant: any for who runs the platform and for services that ask by themselves, their own for everybody else.
    pub(crate) async fn get(&self, person: Option<&Caller>, id: TenantId) -> Result<Tenant, LookUpError> {
        // Another tenant's owner learns no more than from an id that does not exist.
        let may = person.is_none_or(|caller| caller.is_platform_admin() || caller.tenant() == Some(id));
        let found = if may {
            store::get(&self.inner.database, id).await?
        } else {
            None
        };
        found.ok_or(LookUpError::NotFound)
    }

    /// All tenants, newest first.
    pub(crate) async fn list(
        &self,
        _right: &PlatformRight,
        page: PageQuery,
    ) -> Result<Page<Tenant>, LookUpError> {
        let tx = self.inner.database.begin_system();
        let found = store::list(&tx, page).await?;
        tx.commit().await?;
        Ok(Page::from_found(found, page.limit, |tenant| tenant.id.as_uuid()))
    }
}

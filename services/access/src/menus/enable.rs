//! Turning a product area of a tenant on and off. Roles keep what they grant there: it counts again when the area is on
//! again.

use plaza_contracts::incoming::PlatformRight;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, TenantId};
use plaza_rpc::RpcError;

use super::{Menu, store};
use crate::{Access, audit, grants};

/// Why a product area was not turned on or off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MenuError {
    #[error("the catalogue has no such menu")]
    Unknown,
    #[error("this menu does not exist")]
    NotFound,
    #[error("a tenant cannot do without this menu")]
    Needed,
    /// Tenancy says no, or nothing; its `TENANT_NOT_FOUND` among it.
    #[error(transparent)]
    Tenancy(#[from] RpcError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for MenuError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unknown => Kind::Invalid,
            Self::NotFound => Kind::NotFound,
            Self::Needed => Kind::Conflict,
            Self::Tenancy(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN_MENU",
            Self::NotFound => "MENU_NOT_FOUND",
            Self::Needed => "MENU_NEEDED",
            Self::Tenancy(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Unknown => vec![FieldError::new("/menu", self.code(), self.to_string())],
            _ => Vec::new(),
        }
    }
}

impl Access {
    /// Turns a product area on; says whether it was off.
    pub(crate) async fn enable_menu(
        &self,
        _right: &PlatformRight,
        tenant: TenantId,
        menu: &str,
    ) -> Result<bool, MenuError> {
        let menu = Menu::named(menu).ok_or(MenuError::Unknown)?;
        self.tenant_status(tenant).await?;
        let tx = self.inner.database.begin(tenant);
        grants::store::raise_version(&tx).await?;
        if store::enable(&tx, &[menu]).await? == 0 {
            return Ok(false);
        }
        plaza_audit::done(&tx, &self.inner.clock, &audit::MENU_ENABLED, menu.name()).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Turns a product area off. Turning off what is off changes nothing.
    pub(crate) async fn disable_menu(
        &self,
        _right: &PlatformRight,
        tenant: TenantId,
        menu: &str,
    ) -> Result<(), MenuError> {
        let menu = Menu::named(menu).ok_or(MenuError::NotFound)?;
        if menu.is_needed() {
            return Err(MenuError::Needed);
        }
        self.tenant_status(tenant).await?;
        let tx = self.inner.database.begin(tenant);
        grants::store::raise_version(&tx).await?;
        if store::disable(&tx, menu).await? {
            plaza_audit::done(&tx, &self.inner.clock, &audit::MENU_DISABLED, menu.name()).await?;
            self.commit(tx).await?;
        }
        Ok(())
    }
}

//! Keeping a secret: taking it, sealing it anew, removing it.

use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::{Failure, FieldError, Kind, Page, PageQuery};
use plaza_vault::VaultError;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{MOST, NotAName, SecretName, Shown, VALUES, hint, store};
use crate::tenants::charge::InCharge;
use crate::tenants::store as tenants;
use crate::{Tenancy, audit};

/// Why a secret is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("the secret is not acceptable")]
    Invalid(FieldError),
    #[error("this tenant does not exist")]
    NoTenant,
    #[error("there is no configuration of this name")]
    NoNamespace,
    #[error("this secret does not exist")]
    NotFound,
    #[error("a tenant has at most {MOST} secrets")]
    TooMany,
    #[error("the secret is not sealed, or does not open")]
    Vault(#[from] VaultError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl From<NotAName> for SecretError {
    fn from(error: NotAName) -> Self {
        match error {
            NotAName::Namespace => Self::NoNamespace,
            NotAName::Key => Self::NotFound,
        }
    }
}

impl Failure for SecretError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::NoTenant | Self::NoNamespace | Self::NotFound => Kind::NotFound,
            Self::TooMany => Kind::Conflict,
            Self::Vault(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_SECRET",
            Self::NoTenant => "TENANT_NOT_FOUND",
            Self::NoNamespace => "NAMESPACE_NOT_FOUND",
            Self::NotFound => "SECRET_NOT_FOUND",
            Self::TooMany => "TOO_MANY_SECRETS",
            Self::Vault(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(field) => vec![field.clone()],
            _ => Vec::new(),
        }
    }
}

impl Tenancy {
    /// Takes a secret, in place of the one of this name if there is one. It is sealed before it touches the database.
    pub(crate) async fn put_secret(
        &self,
        charge: InCharge,
        name: &SecretName,
        value: &SecretString,
    ) -> Result<(), SecretError> {
        check(value)?;
        let tx = self.inner.database.begin(charge.tenant());
        // Of two at once the second sees what the first has made.
        tenants::lock(&tx).await?.ok_or(SecretError::NoTenant)?;
        let found = store::find(&tx, name).await?;
        if found.is_none() && store::count(&tx).await? >= MOST {
            return Err(SecretError::TooMany);
        }
        let id = found.map_or_else(|| self.inner.clock.uuid(), |(id, _)| id);
        let value = value.expose_secret();
        let sealed = self.seal_secret(&tx, id, value.as_bytes()).await?;
        let now = self.inner.clock.now();
        store::save(&tx, name, id, (sealed, hint(value)), now).await?;
        audit::secret(&tx, &self.inner.clock, &audit::SECRET_PUT, name).await?;
        Ok(tx.commit().await?)
    }

    /// Seals a secret anew, with the key that is in use now. Its value stays.
    pub(crate) async fn rotate_secret(&self, charge: InCharge, name: &SecretName) -> Result<(), SecretError> {
        let tx = self.inner.database.begin(charge.tenant());
        tenants::lock(&tx).await?.ok_or(SecretError::NoTenant)?;
        let (id, sealed) = store::find(&tx, name).await?.ok_or(SecretError::NotFound)?;
        let (vault, row) = (&self.inner.vault, id.to_string());
        let value = vault.open(charge.tenant(), &VALUES, &row, &sealed).await?;
        let sealed = self.seal_secret(&tx, id, value.expose_secret()).await?;
        store::reseal(&tx, id, sealed).await?;
        audit::secret(&tx, &self.inner.clock, &audit::SECRET_ROTATED, name).await?;
        Ok(tx.commit().await?)
    }

    /// Removes a secret.
    pub(crate) async fn remove_secret(&self, charge: InCharge, name: &SecretName) -> Result<(), SecretError> {
        let tx = self.inner.database.begin(charge.tenant());
        tenants::lock(&tx).await?.ok_or(SecretError::NoTenant)?;
        if !store::remove(&tx, name).await? {
            return Err(SecretError::NotFound);
        }
        audit::secret(&tx, &self.inner.clock, &audit::SECRET_REMOVED, name).await?;
        Ok(tx.commit().await?)
    }

    /// What people see of a tenant's secrets.
    pub(crate) async fn secrets(
        &self,
        charge: InCharge,
        page: PageQuery,
        skip: i64,
    ) -> Result<Page<Shown>, SecretError> {
        let page = store::list(&self.inner.database, charge.tenant(), page, skip).await?;
        page.ok_or(SecretError::NoTenant)
    }

    async fn seal_secret(&self, tx: &TenantTx, id: Uuid, value: &[u8]) -> Result<String, VaultError> {
        self.inner.vault.seal(tx, &VALUES, &id.to_string(), value).await
    }
}

fn check(value: &SecretString) -> Result<(), SecretError> {
    let good = (1..=8_192).contains(&value.expose_secret().len());
    let wanted = "a secret has 1 to 8192 bytes";
    let wrong = || FieldError::new("/value", "INVALID_VALUE", wanted);
    if good {
        Ok(())
    } else {
        Err(SecretError::Invalid(wrong()))
    }
}

//! Sealing and opening.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use plaza_crypto::{DataKey, KeyRing, KeyRingError, SealContext, SealedWith};
use plaza_database::{Database, SystemTx, Transaction};
use plaza_kernel::{Clock, Scope, ServiceName, TenantId};
use secrecy::SecretBox;
use tokio::time::Instant;
use uuid::Uuid;

use crate::data_keys::{self, Kept, Statements};
use crate::open_keys::OpenKeys;
use crate::sealed::holder;
use crate::{Sealed, VaultError, registered};

/// The secrets of one service. Cheap to clone.
#[derive(Clone)]
pub struct Vault(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) ring: KeyRing,
    pub(crate) columns: Vec<&'static Sealed>,
    pub(crate) keys: OpenKeys,
    clock: Clock,
    /// `schema.data_keys`.
    table: String,
    /// Known to seal with data keys: once it is so, it stays so.
    upgraded: AtomicBool,
}

impl Vault {
    /// The vault of the database's service, with the columns that are [`sealed!`](crate::sealed) in its schema; connects to
    /// nothing yet.
    pub fn new(database: Database, ring: KeyRing, clock: Clock) -> Self {
        let service = database.service();
        Self(Arc::new(Inner {
            columns: registered(service).collect(),
            table: format!("{service}.data_keys"),
            keys: OpenKeys::default(),
            upgraded: AtomicBool::new(false),
            database,
            ring,
            clock,
        }))
    }

    /// Whose it is.
    pub fn service(&self) -> ServiceName {
        self.0.database.service()
    }

    /// Seals a value for its place: the transaction's tenant, this column, this row.
    ///
    /// The first value of a tenant makes the tenant's key, in the same transaction.
    ///
    /// # Errors
    /// When the database fails, or the tenant's key does not open.
    pub async fn seal(
        &self,
        tx: &Transaction,
        column: &Sealed,
        row: &str,
        plain: &[u8],
    ) -> Result<String, VaultError> {
        let scope = tx.scope();
        let holder = holder(scope);
        let place = place(&holder, column, row);
        if !self.upgraded().await? {
            return Ok(self.0.ring.seal(&place, plain));
        }
        let key = match self.0.keys.active(scope, Instant::now()) {
            Some(key) => key,
            None => self.active(tx, scope, &data_keys::SERVICE).await?,
        };
        Ok(key.seal(&place, plain))
    }

    /// Opens a value that was sealed in this place.
    ///
    /// # Errors
    /// When the database fails, or the value does not open: changed, moved, or sealed with a key that is gone.
    pub async fn open(
        &self,
        scope: impl Into<Scope>,
        column: &Sealed,
        row: &str,
        sealed: &str,
    ) -> Result<SecretBox<Vec<u8>>, VaultError> {
        let scope = scope.into();
        let holder = holder(scope);
        let place = place(&holder, column, row);
        let id = match SealedWith::of(sealed).ok_or(KeyRingError::MalformedValue)? {
            SealedWith::Ring(_) => return Ok(self.0.ring.open(&place, sealed)?),
            SealedWith::DataKey(id) => id,
        };
        let key = match self.0.keys.find(scope, id, Instant::now()) {
            Some(key) => key,
            None => {
                let kept = data_keys::read(&self.0.database, scope, parse(id)?).await?;
                self.unwrapped(scope, &kept.ok_or(KeyRingError::UnknownKey)?)?
            }
        };
        Ok(key.open(&place, sealed)?)
    }

    /// Forgets the keys of a tenant for ever, and with them all that they sealed: here, in other processes within five
    /// minutes. A backup from before has them too, wrapped. Says how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn shred(&self, tenant: TenantId) -> Result<u64, VaultError> {
        let tx = self.0.database.begin_system();
        let shredded = data_keys::shred(&tx, tenant.as_uuid()).await?;
        tx.commit().await?;
        self.0.keys.forget(tenant.into());
        Ok(shredded)
    }

    /// Whether values are sealed with data keys. Where the ring sealed before, that begins when somebody says so
    /// ([`Upgrade::Yes`](crate::Upgrade)): programs from before the vault read nothing else, and may run beside this one.
    pub(crate) async fn upgraded(&self) -> Result<bool, VaultError> {
        if self.0.upgraded.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let tx = self.0.database.begin_system();
        let upgraded = data_keys::any(&tx).await? || self.of_the_ring(&tx).await?.is_empty();
        tx.commit().await?;
        self.0.upgraded.fetch_or(upgraded, Ordering::Relaxed);
        Ok(upgraded)
    }

    pub(crate) fn upgrade(&self) {
        self.0.upgraded.store(true, Ordering::Relaxed);
    }

    /// How many values each key of the ring has sealed, of all columns: the keys that have none are left out.
    pub(crate) async fn of_the_ring(&self, tx: &SystemTx) -> Result<Vec<(String, i64)>, VaultError> {
        let mut all = Vec::new();
        for column in &self.0.columns {
            all.extend(tx.all(column.of_the_ring, ()).await?);
        }
        Ok(all)
    }

    /// The key that seals for a scope, made if there is none.
    pub(crate) async fn active(
        &self,
        tx: &Transaction,
        scope: Scope,
        statements: &Statements,
    ) -> Result<Arc<DataKey>, VaultError> {
        let kept = match statements.active(tx, scope).await? {
            Some(kept) => kept,
            None => {
                self.make(tx, scope, statements).await?;
                // It may be another's, who was quicker.
                let made = statements.active(tx, scope).await?;
                made.ok_or(plaza_database::DatabaseError::MissingRow)?
            }
        };
        let key = self.unwrapped(scope, &kept)?;
        // One that this transaction made is nobody's yet: rolled back, it would open nothing any more.
        if !kept.fresh {
            self.0.keys.keep_active(scope, &key, Instant::now());
        }
        Ok(key)
    }

    async fn make(&self, tx: &Transaction, scope: Scope, statements: &Statements) -> Result<(), VaultError> {
        let id = self.0.clock.uuid();
        let (name, holder) = (id.simple().to_string(), holder(scope));
        let (_, wrapped) = DataKey::generate(&name, &self.0.ring, &self.kept_at(&holder, &name))?;
        Ok(statements.add(tx, scope, id, wrapped, self.0.clock.now()).await?)
    }

    /// The key itself, kept for a while unless nobody knows yet whether it stays.
    pub(crate) fn unwrapped(&self, scope: Scope, kept: &Kept) -> Result<Arc<DataKey>, VaultError> {
        let (name, holder) = (kept.id.simple().to_string(), holder(scope));
        let place = self.kept_at(&holder, &name);
        let key = Arc::new(DataKey::unwrapped(&name, &self.0.ring, &place, &kept.wrapped)?);
        if !kept.fresh {
            self.0.keys.keep(scope, &key, Instant::now());
        }
        Ok(key)
    }

    /// Where a data key lies, as it is authenticated.
    pub(crate) fn kept_at<'a>(&'a self, holder: &'a str, name: &'a str) -> SealContext<'a> {
        SealContext {
            tenant: holder,
            table: &self.0.table,
            column: "wrapped",
            row: name,
        }
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault")
            .field("service", &self.0.database.service())
            .field("ring", &self.0.ring)
            .field("columns", &self.0.columns)
            .finish_non_exhaustive()
    }
}

pub(crate) fn place<'a>(holder: &'a str, column: &'a Sealed, row: &'a str) -> SealContext<'a> {
    SealContext {
        tenant: holder,
        table: column.table,
        column: column.column,
        row,
    }
}

/// The id of a data key, as a value names it.
pub(crate) fn parse(id: &str) -> Result<Uuid, KeyRingError> {
    Uuid::try_parse(id).map_err(|_| KeyRingError::UnknownKey)
}

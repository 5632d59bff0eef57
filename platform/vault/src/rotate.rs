//! Sealing anew: what another first key of the ring wraps, and what older keys sealed.
//!
//! Values change only where they still stand as they were read, so whoever writes meanwhile wins. What is interrupted is
//! taken up by the next pass: nothing remembers where it was.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use plaza_crypto::{DataKey, KeyRingError, SealedWith};
use plaza_database::SystemTx;
use plaza_kernel::{Scope, TenantId};
use secrecy::{ExposeSecret, SecretBox};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::data_keys::{self, Kept, SYSTEM};
use crate::sealed::{SealedRow, holder};
use crate::vault::{parse, place};
use crate::{Sealed, Vault, VaultError};

/// How many are sealed anew in one transaction.
const PAGE: i64 = 200;

/// Whether values of the ring are sealed anew with data keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// Only where data keys are in use already.
    Begun,
    /// From now on: every program that runs on this database knows data keys.
    Yes,
}

/// What a pass has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Data keys that were wrapped anew.
    pub data_keys: u64,
    /// Values that were sealed anew.
    pub values: u64,
    /// Data keys and values that do not open: they were left as they are.
    pub stuck: u64,
}

impl Rotated {
    /// Whether nothing was to be done.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Vault {
    /// Wraps all data keys with the first key of the ring, and seals values anew that the ring itself or a retired data key
    /// has sealed. Bears being done by several at once, and being interrupted anywhere.
    ///
    /// # Errors
    /// When the database fails, or `stop` is cancelled ([`VaultError::Stopped`]): what was done is done.
    pub async fn rotate(&self, upgrade: Upgrade, stop: &CancellationToken) -> Result<Rotated, VaultError> {
        let mut rotated = Rotated::default();
        self.rewrap(&mut rotated, stop).await?;
        if upgrade == Upgrade::Yes {
            self.upgrade();
        }
        for column in self.0.columns.iter().copied() {
            self.reseal(column, &mut rotated, stop).await?;
        }
        Ok(rotated)
    }

    /// Lets data keys of this age seal no more: the next value of a tenant gets a new one, and [`Vault::rotate`] seals
    /// anew what the old ones sealed. Says how many there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retire_data_keys(&self, age: Duration) -> Result<u64, VaultError> {
        let tx = self.0.database.begin_system();
        let retired = data_keys::retire(&tx, age).await?;
        tx.commit().await?;
        self.0.keys.forget_active();
        Ok(retired)
    }

    async fn rewrap(&self, rotated: &mut Rotated, stop: &CancellationToken) -> Result<(), VaultError> {
        let mut after = Uuid::nil();
        loop {
            goes_on(stop)?;
            let tx = self.0.database.begin_system();
            let page = data_keys::of_others(&tx, self.0.ring.first_id(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            let (mut ids, mut was, mut wrapped) = (Vec::new(), Vec::new(), Vec::new());
            for kept in page {
                match self.rewrapped(&kept) {
                    Ok(anew) => {
                        ids.push(kept.id);
                        was.push(kept.wrapped);
                        wrapped.push(anew);
                    }
                    Err(error) => self.stuck(rotated, "data_keys.wrapped", &kept.id.to_string(), error),
                }
            }
            rotated.data_keys += data_keys::rewrap(&tx, ids, was, wrapped).await?;
            tx.commit().await?;
        }
    }

    fn rewrapped(&self, kept: &Kept) -> Result<String, KeyRingError> {
        let (holder, name) = (holder(scope(kept.tenant)?), kept.id.simple().to_string());
        let place = self.kept_at(&holder, &name);
        let key = self.0.ring.open(&place, &kept.wrapped)?;
        Ok(self.0.ring.seal(&place, key.expose_secret()))
    }

    async fn reseal(
        &self,
        column: &'static Sealed,
        rotated: &mut Rotated,
        stop: &CancellationToken,
    ) -> Result<(), VaultError> {
        let upgraded = self.upgraded().await?;
        let mut after = (String::new(), String::new());
        loop {
            goes_on(stop)?;
            let tx = self.0.database.begin_system();
            let retired = data_keys::retired(&tx).await?;
            let page = tx.all(column.outdated, (retired, after.0, after.1, PAGE)).await?;
            let Some(last) = page.last() else { return Ok(()) };
            let tenant = last.tenant.map(|tenant| tenant.to_string());
            after = (tenant.unwrap_or_default(), last.key.clone());
            let mut work = Page {
                vault: self,
                tx: &tx,
                column,
                upgraded,
                active: HashMap::new(),
            };
            let mut swaps = Vec::new();
            for row in page {
                match work.resealed(&row).await {
                    Ok(None) => {}
                    Ok(Some(anew)) => swaps.push((row.tenant, row.key, row.sealed, anew)),
                    Err(VaultError::Sealed(error)) => {
                        self.stuck(rotated, &format!("{column:?}"), &row.key, error);
                    }
                    Err(error) => return Err(error),
                }
            }
            let swaps = swaps.into_iter().map(|swap| tx.execute(column.swap, swap));
            rotated.values += try_join_all(swaps).await?.into_iter().sum::<u64>();
            tx.commit().await?;
        }
    }

    /// One that nobody can open is told, and keeps its key in use: it shows in [`Vault::status`].
    fn stuck(&self, rotated: &mut Rotated, column: &str, row: &str, error: KeyRingError) {
        rotated.stuck += 1;
        let service = self.0.database.service();
        tracing::error!(%service, column, row, %error, "a sealed value does not open and was left as it is");
    }
}

/// One page of values, in one transaction.
struct Page<'a> {
    vault: &'a Vault,
    tx: &'a SystemTx,
    column: &'static Sealed,
    upgraded: bool,
    /// The keys that seal, of the tenants of the page.
    active: HashMap<Scope, Arc<DataKey>>,
}

impl Page<'_> {
    /// The value, sealed anew; none if it is as it should be.
    async fn resealed(&mut self, row: &SealedRow) -> Result<Option<String>, VaultError> {
        let ring = &self.vault.0.ring;
        if !self.upgraded && !ring.is_outdated(&row.sealed) {
            return Ok(None);
        }
        let scope = scope(row.tenant)?;
        let plain = self.opened(scope, row).await?;
        let holder = holder(scope);
        let place = place(&holder, self.column, &row.key);
        if !self.upgraded {
            return Ok(Some(ring.seal(&place, plain.expose_secret())));
        }
        let key = self.active(scope).await?;
        Ok(Some(key.seal(&place, plain.expose_secret())))
    }

    async fn opened(&self, scope: Scope, row: &SealedRow) -> Result<SecretBox<Vec<u8>>, VaultError> {
        let holder = holder(scope);
        let place = place(&holder, self.column, &row.key);
        match SealedWith::of(&row.sealed).ok_or(KeyRingError::MalformedValue)? {
            SealedWith::Ring(_) => Ok(self.vault.0.ring.open(&place, &row.sealed)?),
            SealedWith::DataKey(id) => {
                let kept = SYSTEM.find(self.tx, parse(id)?).await?;
                let key = self
                    .vault
                    .unwrapped(scope, &kept.ok_or(KeyRingError::UnknownKey)?)?;
                Ok(key.open(&place, &row.sealed)?)
            }
        }
    }

    async fn active(&mut self, scope: Scope) -> Result<Arc<DataKey>, VaultError> {
        if let Some(key) = self.active.get(&scope) {
            return Ok(Arc::clone(key));
        }
        let key = self.vault.active(self.tx, scope, &SYSTEM).await?;
        self.active.insert(scope, Arc::clone(&key));
        Ok(key)
    }
}

fn scope(tenant: Option<Uuid>) -> Result<Scope, KeyRingError> {
    let tenant = tenant.map(TenantId::try_from).transpose();
    // No table takes the nil tenant.
    tenant.map(Scope::from).map_err(|_| KeyRingError::MalformedValue)
}

fn goes_on(stop: &CancellationToken) -> Result<(), VaultError> {
    if stop.is_cancelled() {
        Err(VaultError::Stopped)
    } else {
        Ok(())
    }
}

//! Which keys of the ring are needed, and whether they are there.

use std::collections::BTreeMap;

use plaza_crypto::DataKey;
use plaza_database::SystemTx;
use plaza_kernel::Scope;

use crate::data_keys::{self, Kept};
use crate::sealed::holder;
use crate::{Vault, VaultError};

/// How many data keys are tried before the key that wraps them is taken for another one. One that is damaged keeps nobody
/// from starting.
const SAMPLE: i64 = 5;

/// What a key of the ring is needed for in one schema. One that is not needed for anything may be taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// Its id.
    pub key: String,
    /// Data keys that it wraps.
    pub data_keys: i64,
    /// Values that it sealed itself.
    pub values: i64,
    /// Whether the configuration has it.
    pub known: bool,
}

impl Vault {
    /// Every key that something here was sealed with, and every key of the ring, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn status(&self) -> Result<Vec<KeyUse>, VaultError> {
        let tx = self.0.database.begin_system();
        let uses = self.uses(&tx).await?;
        tx.commit().await?;
        Ok(uses)
    }

    /// Looks whether everything that is sealed here can be opened: to be called before anything is served.
    ///
    /// # Errors
    /// [`VaultError::KeyMissing`] or [`VaultError::OtherKey`] when a key is not the one, or when the database fails.
    pub async fn check(&self) -> Result<(), VaultError> {
        let service = self.0.database.service();
        let tx = self.0.database.begin_system();
        for used in self.uses(&tx).await? {
            let count = used.data_keys + used.values;
            if count > 0 && !used.known {
                return Err(VaultError::KeyMissing {
                    key: used.key,
                    count,
                    service,
                });
            }
            let sample = data_keys::sample(&tx, &used.key, SAMPLE).await?;
            if !sample.is_empty() && !sample.iter().any(|kept| self.opens(kept)) {
                return Err(VaultError::OtherKey {
                    key: used.key,
                    service,
                });
            }
        }
        tx.commit().await?;
        Ok(())
    }

    async fn uses(&self, tx: &SystemTx) -> Result<Vec<KeyUse>, VaultError> {
        let mut uses: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for key in self.0.ring.ids() {
            uses.entry(key.to_owned()).or_default();
        }
        for (key, count) in data_keys::uses(tx).await? {
            uses.entry(key).or_default().0 += count;
        }
        for (key, count) in self.of_the_ring(tx).await? {
            uses.entry(key).or_default().1 += count;
        }
        let known = |key: &str| self.0.ring.ids().any(|id| id == key);
        let uses = uses.into_iter().map(|(key, (data_keys, values))| KeyUse {
            known: known(&key),
            key,
            data_keys,
            values,
        });
        Ok(uses.collect())
    }

    fn opens(&self, kept: &Kept) -> bool {
        let tenant = kept
            .tenant
            .and_then(|tenant| plaza_kernel::TenantId::try_from(tenant).ok());
        let (holder, name) = (holder(Scope::from(tenant)), kept.id.simple().to_string());
        let place = self.kept_at(&holder, &name);
        DataKey::unwrapped(&name, &self.0.ring, &place, &kept.wrapped).is_ok()
    }
}

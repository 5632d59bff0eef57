//! The hold of this process on a sender: its lease, kept up, and what is needed to send from it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::SenderId;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::TenantId;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use uuid::Uuid;

use super::lease::{self, Worked};
use super::working::Key;
use crate::Notification;
use crate::providers::Account;
use crate::senders::{seal_context, store as senders};

/// A sender that this process may claim for.
pub(super) struct Hold<'a> {
    notification: &'a Notification,
    pub(super) tenant: TenantId,
    pub(super) sender: SenderId,
    /// This hold among all that ever were.
    pub(super) holder: Uuid,
    pub(super) account: Arc<Account>,
    /// Messages a second, 0 without limit.
    pub(super) rate: i32,
    /// The account's token as it is in the database: what a refusal of it is about.
    sealed_token: String,
    /// When the lease has to be prolonged.
    prolong_at: Instant,
}

impl<'a> Hold<'a> {
    /// Takes the lease. None when another process has it, or the sender is stopped.
    pub(super) async fn take(
        notification: &'a Notification,
        key: Key,
    ) -> Result<Option<Self>, DatabaseError> {
        let inner = &notification.inner;
        let (tenant, sender) = key;
        let (lease, holder) = (inner.config.lease(), inner.clock.uuid());
        // Before it is asked for, so that it is prolonged in time however long that takes.
        let prolong_at = Instant::now() + lease / 3;
        let tx = inner.database.begin(tenant);
        let Some(found) = lease::take(&tx, sender, holder, lease).await? else {
            return Ok(None);
        };
        let Some(token) = open(notification, key, &found.access_token) else {
            // The lease is not committed: whoever resumes the sender does not have to wait for its end.
            drop(tx);
            refuse(notification, key, &found).await?;
            return Ok(None);
        };
        tx.commit().await?;
        Ok(Some(Self {
            notification,
            tenant,
            sender,
            holder,
            account: Arc::new(Account {
                id: found.account_id,
                token,
            }),
            rate: found.rate,
            sealed_token: found.access_token,
            prolong_at,
        }))
    }

    /// How long until the lease has to be prolonged.
    pub(super) fn until_prolonging(&self) -> Duration {
        self.prolong_at.saturating_duration_since(Instant::now())
    }

    /// Prolongs the lease if it is time; says whether it still holds.
    pub(super) async fn prolong(&mut self) -> Result<bool, DatabaseError> {
        let inner = &self.notification.inner;
        let (now, lease) = (Instant::now(), inner.config.lease());
        if now < self.prolong_at {
            return Ok(true);
        }
        // Whatever comes of it, it is not tried again at once.
        self.prolong_at = now + lease / 3;
        let tx = inner.database.begin(self.tenant);
        lease::prolong(tx, self.sender, self.holder, lease).await
    }

    /// Gives the lease back.
    pub(super) async fn end(&self) -> Result<(), DatabaseError> {
        let tx = self.notification.inner.database.begin(self.tenant);
        lease::give_back(tx, self.sender, self.holder).await
    }

    /// Stops the sender, unless its token was renewed since.
    pub(super) async fn stop(
        &self,
        tx: &TenantTx,
        (status, reason): (&str, &str),
        now: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        tracing::warn!(sender = %self.sender, status, reason, "sender stopped");
        senders::stop(tx, self.sender, &self.sealed_token, (status, reason), now).await
    }
}

fn open(notification: &Notification, (tenant, sender): Key, sealed: &str) -> Option<SecretString> {
    let (tenant, sender) = (tenant.to_string(), sender.to_string());
    let keys = &notification.inner.keys;
    let opened = keys.open(&seal_context(&tenant, &sender), sealed).ok()?;
    String::from_utf8(opened.expose_secret().clone())
        .ok()
        .map(SecretString::from)
}

/// Stops a sender whose secret does not open: nothing can be sent from it before it gets another.
async fn refuse(
    notification: &Notification,
    (tenant, sender): Key,
    found: &Worked,
) -> Result<(), DatabaseError> {
    const WHY: (&str, &str) = ("needs_auth", "its secret does not open");
    tracing::error!(%sender, "sender stopped: its secret does not open");
    let inner = &notification.inner;
    let tx = inner.database.begin(tenant);
    senders::stop(&tx, sender, &found.access_token, WHY, inner.clock.now()).await?;
    tx.commit().await
}

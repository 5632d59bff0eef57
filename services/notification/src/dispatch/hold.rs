//! The hold of this process on a sender: its lease, kept up, and what is needed to send from it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_contracts::events::SenderDegraded;
use plaza_contracts::ids::SenderId;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::TenantId;
use plaza_messaging::outbox;
use tokio::time::Instant;
use uuid::Uuid;

use super::lease::{self, Worked};
use super::lessons::Lessons;
use super::verdict::Stop;
use super::working::Key;
use crate::Notification;
use crate::providers::{Account, ErrorClass};
use crate::senders::{SenderSettings, WHATSAPP, holders, store as senders};
use crate::terms::{self, Terms};

/// Beyond so many sources all are forgotten, and written down once more.
const MOST_BEGUN: usize = 1_000;

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
    /// Whether a message was ever accepted from the account.
    pub(super) proven: bool,
    /// The tenant's terms of sending, as they were when the lease was last prolonged.
    pub(super) terms: Terms,
    /// Sources of which it is written down that a message was accepted.
    begun: BTreeSet<String>,
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
        let (found, terms) = tokio::join!(lease::take(&tx, sender, holder, lease), terms::store::of(&tx));
        let (Some(found), terms) = (found?, terms?) else {
            return Ok(None);
        };
        let token = notification
            .open_token(tenant, sender, &found.access_token)
            .await?;
        let Some(token) = token else {
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
                sender,
                channel: found.channel,
                id: found.account_id,
                token,
                settings: SenderSettings::from_json(found.settings),
            }),
            rate: found.rate,
            proven: found.proven,
            terms,
            begun: BTreeSet::new(),
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
        self.terms = terms::store::of(&tx).await?;
        lease::prolong(tx, self.sender, self.holder, lease).await
    }

    /// How long a message takes of what may go from the account to one person.
    pub(super) fn pair_seconds(&self) -> TimeDelta {
        match self.account.channel.as_str() {
            WHATSAPP => TimeDelta::seconds(self.notification.inner.config.whatsapp.pair_seconds.into()),
            _ => TimeDelta::zero(),
        }
    }

    /// Whether it is not written down yet that a message of the source was accepted.
    pub(super) fn is_news(&self, source: &str) -> bool {
        !self.begun.contains(source)
    }

    /// Remembers what is written down.
    pub(super) fn written(&mut self, lessons: &Lessons) {
        self.proven |= lessons.is_proven();
        if self.begun.len() >= MOST_BEGUN {
            self.begun.clear();
        }
        self.begun.extend(lessons.begun().cloned());
    }

    /// Notes that a message was accepted from the account.
    pub(super) async fn prove(&self, tx: &TenantTx) -> Result<(), DatabaseError> {
        holders::prove(tx, self.sender).await
    }

    /// Gives the lease back.
    pub(super) async fn end(&self) -> Result<(), DatabaseError> {
        let tx = self.notification.inner.database.begin(self.tenant);
        lease::give_back(tx, self.sender, self.holder).await
    }

    /// Stops the sender, unless its token was renewed since, and tells the others.
    pub(super) async fn stop(
        &self,
        tx: &TenantTx,
        stop: &Stop,
        now: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let why = (stop.status, stop.reason.as_str());
        if !senders::stop(tx, self.sender, &self.sealed_token, why, now).await? {
            return Ok(());
        }
        tracing::warn!(sender = %self.sender, status = stop.status, reason = %stop.reason, "sender stopped");
        let degraded = SenderDegraded {
            sender_id: self.sender,
            status: stop.status.to_owned(),
            class: stop.class.name().to_owned(),
            code: stop.code.clone(),
            at: now,
        };
        outbox::append(tx, &self.notification.inner.clock, &degraded)
            .await
            .map(drop)
    }
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
    let (tx, now) = (inner.database.begin(tenant), inner.clock.now());
    if senders::stop(&tx, sender, &found.access_token, WHY, now).await? {
        let degraded = SenderDegraded {
            sender_id: sender,
            status: "needs_auth".to_owned(),
            class: ErrorClass::Credentials.name().to_owned(),
            code: "SECRET_UNREADABLE".to_owned(),
            at: now,
        };
        outbox::append(&tx, &inner.clock, &degraded).await?;
    }
    tx.commit().await
}

//! What failures that a provider tells of afterwards say about recipients, senders and sources: the same as when it refuses.

use chrono::{DateTime, Utc};
use plaza_contracts::events::SenderDegraded;
use plaza_contracts::ids::MessageId;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::TenantId;
use plaza_messaging::outbox;
use uuid::Uuid;

use super::Receipt;
use super::store::Moved;
use crate::messages::State;
use crate::providers::{ErrorClass, class_of};
use crate::suppressions::{Said, Scope};
use crate::{Notification, contacts, senders};

/// A message that failed, and why.
pub(super) struct Failed<'a> {
    pub(super) message: &'a Moved,
    pub(super) class: ErrorClass,
    code: &'a str,
}

/// Those that failed, of the messages that receipts moved.
pub(super) fn failed<'a>(moved: impl IntoIterator<Item = &'a Moved>) -> impl Iterator<Item = Failed<'a>> {
    moved.into_iter().filter_map(|message| {
        let code = message.error_code.as_deref()?;
        (message.state == "failed").then(|| Failed {
            message,
            class: class_of(&message.channel, code),
            code,
        })
    })
}

/// Notes at which addresses there is nobody, and at which there is somebody after all.
async fn whether_somebody_is_there(
    tx: &TenantTx,
    channel: &str,
    moved: &[&Moved],
) -> Result<(), DatabaseError> {
    let arrived = moved
        .iter()
        .filter(|moved| ["delivered", "read"].contains(&moved.state.as_str()));
    let arrived: Vec<String> = arrived.map(|moved| moved.address.clone()).collect();
    let met: Vec<(String, MessageId)> = failed(moved.iter().copied())
        .filter(|failed| failed.class == ErrorClass::Unreachable)
        .map(|failed| (failed.message.address.clone(), failed.message.id))
        .collect();
    if !arrived.is_empty() && !met.is_empty() {
        let all: Vec<String> = met.iter().map(|(address, _)| address.clone()).collect();
        contacts::store::hold(tx, channel, &[&all[..], &arrived[..]].concat()).await?;
    }
    contacts::store::unreachable(tx, channel, met).await?;
    contacts::store::reachable(tx, channel, arrived).await
}

impl Notification {
    /// What is learned in the transaction in which the receipts are kept.
    pub(super) async fn learn(&self, tx: &TenantTx, moved: &[Moved]) -> Result<(), DatabaseError> {
        let now = self.inner.clock.now();
        for channel in [senders::WHATSAPP, senders::SMS] {
            let of_channel: Vec<&Moved> = moved.iter().filter(|moved| moved.channel == channel).collect();
            whether_somebody_is_there(tx, channel, &of_channel).await?;
        }
        let mut failed: Vec<Failed<'_>> = failed(moved).collect();
        // Two callbacks about the same people never wait for each other in a circle.
        failed.sort_by_key(|failed| (&failed.message.address, failed.message.sender_id));
        for failed in failed {
            let message = failed.message;
            if failed.class == ErrorClass::OptedOut {
                let who = (message.channel.as_str(), message.address.as_str());
                let scope = Scope::objected_on(&message.channel);
                self.opt_out(tx, who, (scope, Said::Provider), now).await?;
            } else if let Some(status) = failed.class.stops_sender() {
                self.degrade(tx, &failed, status, now).await?;
            }
        }
        Ok(())
    }

    /// What is learned after that: a source is locked before any of its messages is. What counts is in the database, so a
    /// crash in between costs nothing: the next failure is looked at with all that came before it, and so is this one when
    /// its callback is repeated.
    pub(super) async fn trip_sources(
        &self,
        tenant: TenantId,
        receipts: &[Receipt],
    ) -> Result<(), DatabaseError> {
        let failed = receipts.iter().filter(|receipt| receipt.state == State::Failed);
        let failed: Vec<Uuid> = failed.map(|receipt| receipt.message.as_uuid()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        self.trip_those_of(tenant, failed).await
    }

    async fn degrade(
        &self,
        tx: &TenantTx,
        failed: &Failed<'_>,
        status: &'static str,
        now: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let words = failed.message.error_text.as_deref().unwrap_or_default();
        let reason = format!("{}: {words}", failed.code);
        let sender = failed.message.sender_id;
        if !senders::store::stop_active(tx, sender, (status, &reason), now).await? {
            return Ok(());
        }
        tracing::warn!(%sender, status, reason, "sender stopped");
        let degraded = SenderDegraded {
            sender_id: sender,
            status: status.to_owned(),
            class: failed.class.name().to_owned(),
            code: failed.code.to_owned(),
            at: now,
        };
        outbox::append(tx, &self.inner.clock, &degraded).await.map(drop)
    }
}

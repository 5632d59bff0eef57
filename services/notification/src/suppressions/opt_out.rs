//! What people say about being written to, by whichever way we hear of it.

use chrono::{DateTime, Utc};
use plaza_contracts::events::OptOutRecorded;
use plaza_database::{DatabaseError, TenantTx};
use plaza_messaging::outbox;

use super::words::{self, Word};
use super::{Said, Scope, Suppression, SuppressionId, store};
use crate::Notification;

impl Notification {
    /// A person wants to be written to no more; says whether that is news. Whoever has said something else since then, the
    /// same way, is taken at that.
    pub(crate) async fn opt_out(
        &self,
        tx: &TenantTx,
        (channel, address): (&str, &str),
        (scope, said): (Scope, Said),
        at: DateTime<Utc>,
    ) -> Result<bool, DatabaseError> {
        let now = self.inner.clock.now();
        let word = Word {
            id: SuppressionId::generate(&self.inner.clock),
            channel,
            address,
            scope,
            said,
            // A clock of theirs that goes ahead must not keep a later word from being one.
            at: at.min(now),
            now,
        };
        if !words::out(tx, &word).await? {
            return Ok(false);
        }
        self.tell(tx, (channel, address), (scope, said, "out"), word.at)
            .await?;
        Ok(true)
    }

    /// A person wants to be written to again: what was said up to then in one of these ways counts no more. Says whether
    /// that makes a difference.
    pub(crate) async fn opt_in(
        &self,
        tx: &TenantTx,
        (channel, address): (&str, &str),
        (scope, said): (Scope, &[Said]),
        at: DateTime<Utc>,
    ) -> Result<bool, DatabaseError> {
        let (clock, now) = (&self.inner.clock, self.inner.clock.now());
        let at = at.min(now);
        let ways: Vec<_> = said
            .iter()
            .map(|said| (*said, SuppressionId::generate(clock)))
            .collect();
        let (Some(first), true) = (
            said.first(),
            words::back(tx, (channel, address), &ways, scope, (at, now)).await?,
        ) else {
            return Ok(false);
        };
        self.tell(tx, (channel, address), (scope, *first, "in"), at)
            .await?;
        Ok(true)
    }

    /// What is said of one address is said of another one too: the person has another number.
    pub(crate) async fn carry_suppressions(
        &self,
        tx: &TenantTx,
        channel: &str,
        (from, to): (&str, &str),
    ) -> Result<(), DatabaseError> {
        let (clock, now) = (&self.inner.clock, self.inner.clock.now());
        for (said, scope, at) in words::standing(tx, channel, from).await? {
            let word = Word {
                id: SuppressionId::generate(clock),
                channel,
                address: to,
                scope,
                said,
                at,
                now,
            };
            words::out(tx, &word).await?;
        }
        if let Some((scope, reason, created_at)) = store::by_hand(tx, channel, from).await? {
            let same = Suppression {
                id: SuppressionId::generate(clock),
                channel: channel.to_owned(),
                address: to.to_owned(),
                scope,
                source: Said::Api.as_str().to_owned(),
                reason,
                created_at,
            };
            store::add(tx, same).await?;
        }
        Ok(())
    }

    async fn tell(
        &self,
        tx: &TenantTx,
        (channel, address): (&str, &str),
        (scope, said, action): (Scope, Said, &str),
        at: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let recorded = OptOutRecorded {
            channel: channel.to_owned(),
            address: address.to_owned(),
            scope: scope.as_str().to_owned(),
            action: action.to_owned(),
            source: said.as_str().to_owned(),
            at,
        };
        outbox::append(tx, &self.inner.clock, &recorded).await.map(drop)
    }
}

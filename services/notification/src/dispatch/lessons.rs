//! What answers of the provider say besides what becomes of their messages: about the source, the account and the recipient.
//! Kept until it is written down, in the transaction in which the answers are.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::MessageId;
use plaza_database::{DatabaseError, TenantTx};

use super::attempt::Finished;
use super::breaker::Breaker;
use super::hold::Hold;
use super::verdict::Stop;
use crate::providers::SendFailure;
use crate::sources::Trip;
use crate::suppressions::{Said, Scope};
use crate::{Notification, contacts, sources};

/// What is to be written down. Writing it twice does no harm.
#[derive(Debug, Default)]
pub(super) struct Lessons {
    /// Addresses at which there is nobody, and the messages that met nobody there.
    pub(super) unreachable: Vec<(String, MessageId)>,
    /// Addresses whose holders told the provider that they want no advertising.
    pub(super) opted_out: Vec<String>,
    /// With what the sender is to be stopped.
    pub(super) stop: Option<Stop>,
    /// Sources of which a message was accepted.
    begun: BTreeSet<String>,
    /// Sources that failed too often.
    trips: Vec<(String, Trip)>,
}

impl Lessons {
    /// Takes in an answer.
    pub(super) fn learn(
        &mut self,
        finished: &Finished,
        hold: &Hold<'_>,
        breaker: &mut Breaker,
        now: DateTime<Utc>,
    ) {
        let (class, code) = match &finished.result {
            Ok(_) => {
                self.begun.insert(finished.source.clone());
                (None, String::new())
            }
            Err(SendFailure::Refused { class, code, .. }) => (Some(*class), code.clone()),
            Err(_) => return,
        };
        if let Some(tripped) = breaker.count(&finished.source, class, hold.terms.breaker) {
            let trip = Trip {
                sender: hold.sender,
                class: tripped.class.name().to_owned(),
                code,
                failed: tripped.failed,
                tried: tripped.tried,
                at: now,
            };
            self.trips.push((finished.source.clone(), trip));
        }
    }

    /// Whether a message was accepted: the account is the tenant's.
    pub(super) fn is_proven(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Writes down what is about sources, whose rows are locked before any of their messages is.
    pub(super) async fn about_sources(
        &self,
        notification: &Notification,
        hold: &Hold<'_>,
        tx: &TenantTx,
    ) -> Result<(), DatabaseError> {
        let begun: Vec<String> = self
            .begun
            .iter()
            .filter(|source| hold.is_news(source))
            .cloned()
            .collect();
        if !begun.is_empty() {
            sources::store::begun(tx, begun).await?;
        }
        for (source, trip) in &self.trips {
            notification.trip(tx, source, trip).await?;
        }
        Ok(())
    }

    /// Writes down what is about recipients and the sender.
    pub(super) async fn about_the_rest(
        &self,
        notification: &Notification,
        hold: &Hold<'_>,
        tx: &TenantTx,
        now: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let channel = &hold.account.channel;
        contacts::store::unreachable(tx, channel, self.unreachable.clone()).await?;
        for address in &self.opted_out {
            let scope = (Scope::objected_on(channel), Said::Provider);
            notification.opt_out(tx, (channel, address), scope, now).await?;
        }
        if self.is_proven() && !hold.proven {
            hold.prove(tx).await?;
        }
        match &self.stop {
            Some(stop) => hold.stop(tx, stop, now).await,
            None => Ok(()),
        }
    }

    /// The sources of which a message was accepted.
    pub(super) fn begun(&self) -> impl Iterator<Item = &String> {
        self.begun.iter()
    }
}

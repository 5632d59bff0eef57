//! Taking what a person wrote, and heeding what it asks for.

use chrono::{DateTime, Utc};
use plaza_contracts::events::{InboundReceived, MessageContent, OutgoingMessage};
use plaza_contracts::ids::{ConversationId, MessageId, SenderId};
use plaza_database::TenantTx;
use plaza_kernel::TenantId;
use plaza_messaging::outbox;

use super::{Inbound, persons, store};
use crate::messages::CONFIRMATION;
use crate::messages::single::QueueOneError;
use crate::opt_out::{Keyword, keyword};
use crate::suppressions::{Said, Scope};
use crate::terms::{self, Terms};
use crate::{Notification, contacts};

/// The account that somebody wrote to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct To<'a> {
    pub(crate) sender: SenderId,
    pub(crate) channel: &'a str,
}

impl Notification {
    /// Keeps what people wrote, all of it or nothing: each message once, however often it is told.
    pub(crate) async fn take_inbound(
        &self,
        tenant: TenantId,
        to: To<'_>,
        written: &[Inbound],
    ) -> Result<(), QueueOneError> {
        if written.is_empty() {
            return Ok(());
        }
        let tx = self.inner.database.begin(tenant);
        self.take_inbound_in(&tx, to, written).await?;
        Ok(tx.commit().await?)
    }

    /// The same in a transaction that does more than this. In the order of persons, so that two callbacks about the same ones
    /// never wait for each other in a circle; of one person in the order in which it was told.
    pub(crate) async fn take_inbound_in(
        &self,
        tx: &TenantTx,
        to: To<'_>,
        written: &[Inbound],
    ) -> Result<(), QueueOneError> {
        let terms = terms::store::of(tx).await?;
        let mut in_order: Vec<&Inbound> = written.iter().collect();
        in_order.sort_by_key(|inbound| (&inbound.from.user, &inbound.from.address));
        for inbound in in_order {
            self.take_one(tx, to, inbound, &terms).await?;
        }
        Ok(())
    }

    async fn take_one(
        &self,
        tx: &TenantTx,
        to: To<'_>,
        inbound: &Inbound,
        terms: &Terms,
    ) -> Result<(), QueueOneError> {
        let (clock, now) = (&self.inner.clock, self.inner.clock.now());
        // A clock of theirs that goes ahead must not keep a window open.
        let at = inbound.at.min(now);
        let conversation =
            persons::enter(tx, ConversationId::generate(clock), to, &inbound.from, (at, now)).await?;
        let words = || keyword(inbound.body.as_deref()?, &terms.opt_out);
        let asks = inbound.asks.or_else(words);
        let id = MessageId::generate(clock);
        if !store::keep(tx, id, conversation, to.sender, (inbound, asks), (at, now)).await? {
            return Ok(());
        }
        store::wrote(tx, conversation, at, asks == Some(Keyword::Review)).await?;
        // Who hides their number now may have shown it before.
        let address = match &inbound.from.address {
            Some(address) => Some(address.clone()),
            None => persons::address(tx, conversation).await?,
        };
        if let Some(address) = &address {
            contacts::store::reachable(tx, to.channel, vec![address.clone()]).await?;
        }
        let received = InboundReceived {
            conversation_id: conversation,
            message_id: id,
            sender_id: to.sender,
            channel: to.channel.to_owned(),
            kind: inbound.kind.clone(),
            at,
        };
        outbox::append(tx, clock, &received).await?;
        match (asks, &address) {
            (Some(asks), Some(address)) => {
                let heard = Heard {
                    to,
                    address,
                    at,
                    is_answered: inbound.is_answered,
                };
                self.heed(tx, asks, &heard, terms).await
            }
            // There is no number to be written to, so none to be kept from it: somebody has to see to it.
            (Some(Keyword::Stop), None) => Ok(store::review(tx, conversation).await?),
            _ => Ok(()),
        }
    }

    async fn heed(
        &self,
        tx: &TenantTx,
        asks: Keyword,
        heard: &Heard<'_>,
        terms: &Terms,
    ) -> Result<(), QueueOneError> {
        let (who, at) = ((heard.to.channel, heard.address), heard.at);
        match asks {
            Keyword::Stop => {
                let news = self.opt_out(tx, who, (Scope::All, Said::Stop), at).await?;
                if news && !heard.is_answered {
                    self.confirm(tx, heard, terms).await?;
                }
            }
            Keyword::Start => {
                // What the provider refused for their sake, it takes again once it dealt with the word itself.
                let said: &[Said] = match heard.is_answered {
                    true => &[Said::Stop, Said::Review, Said::Provider],
                    false => &[Said::Stop, Said::Review],
                };
                self.opt_in(tx, who, (Scope::All, said), at).await?;
            }
            Keyword::Review => {
                self.opt_out(tx, who, (Scope::Marketing, Said::Review), at)
                    .await?;
            }
            Keyword::Help => {}
        }
        Ok(())
    }

    /// Says once that there will be no more messages, where the tenant has words for it.
    async fn confirm(&self, tx: &TenantTx, heard: &Heard<'_>, terms: &Terms) -> Result<(), QueueOneError> {
        let Some(words) = terms
            .opt_out
            .confirmation
            .as_deref()
            .filter(|words| !words.is_empty())
        else {
            return Ok(());
        };
        let id = MessageId::generate(&self.inner.clock);
        let message = OutgoingMessage {
            message_id: id,
            channel: heard.to.channel.to_owned(),
            to: heard.address.to_owned(),
            content: MessageContent::Text {
                body: words.chars().take(1_000).collect(),
                preview_url: false,
                reply_to: None,
            },
            class: Some(CONFIRMATION.to_owned()),
            zone: None,
            expires_at: None,
        };
        self.queue_one(tx, (&format!("optout:{id}"), heard.to.sender), &message)
            .await
            .map(drop)
    }
}

/// Who asked for something, and where.
struct Heard<'a> {
    to: To<'a>,
    address: &'a str,
    at: DateTime<Utc>,
    is_answered: bool,
}

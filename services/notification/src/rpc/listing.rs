//! `Messages` of `plaza.notification.v1.Notification`: which ones, and how they are told.

use plaza_contracts::ids::MessageId;
use plaza_contracts::incoming::{Asker, Refusal, id, page, time};
use plaza_contracts::permissions::ViewLogs;
use plaza_contracts::proto::notification::{
    Message as MessageReply, MessagesReply, MessagesRequest, Receipt as ReceiptReply,
};
use plaza_kernel::{Cursor, Page};
use tonic::Request;

use super::messages::text;
use super::{Rpc, Unacceptable};
use crate::messages::filter::Filter;
use crate::messages::{Message, State, listing};
use crate::receipts::store::Kept;
use crate::senders::is_channel;
use crate::suppressions::is_e164;

/// The most messages that are picked by their ids.
const PICKED: usize = 500;

impl Rpc {
    pub(super) async fn list(&self, request: Request<MessagesRequest>) -> Result<MessagesReply, Refusal> {
        let (asker, request) = (Asker::of(&request)?, request.into_inner());
        let tenant = self.right::<ViewLogs>(asker, &request.tenant_id).await?.tenant();
        let page = page(request.limit, &request.cursor)?;
        let filter = Filter {
            after: page.cursor.map(Cursor::last_seen),
            ..filter(request)?
        };
        let filter = filter.lately(self.0.inner.clock.now());
        let (database, limit) = (&self.0.inner.database, page.limit.and_one());
        let found = listing::list(database, tenant, filter, limit).await?;
        let page = Page::from_found(found, page.limit, |message| message.id).map(message_reply);
        Ok(MessagesReply {
            messages: page.items,
            next_cursor: page.next_cursor.unwrap_or_default(),
        })
    }
}

/// What is empty narrows nothing.
fn filter(request: MessagesRequest) -> Result<Filter, Refusal> {
    text("source", &request.source)?;
    text("error_code", &request.error_code)?;
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let state = given(request.state).map(|state| state.parse::<State>());
    let (from, to) = (given(request.from), given(request.until));
    let (from, to) = (from.map(|at| at.parse()), to.map(|at| at.parse()));
    let (address, channel) = (given(request.to), given(request.channel));
    if address.as_deref().is_some_and(|address| !is_e164(address)) {
        return Err(Unacceptable("to").into());
    }
    if channel.as_deref().is_some_and(|channel| !is_channel(channel)) {
        return Err(Unacceptable("channel").into());
    }
    Ok(Filter {
        source: given(request.source),
        state: state.transpose().map_err(|_| Unacceptable("state"))?,
        address,
        error_code: given(request.error_code),
        channel,
        among: among(&request.message_ids)?,
        from: from.transpose().map_err(|_| Unacceptable("from"))?,
        to: to.transpose().map_err(|_| Unacceptable("until"))?,
        ..Filter::default()
    })
}

fn among(ids: &[String]) -> Result<Option<Vec<uuid::Uuid>>, Refusal> {
    if ids.len() > PICKED {
        return Err(Unacceptable("message_ids").into());
    }
    let ids = ids.iter().map(|text| {
        let id: MessageId = id("message_ids", text)?;
        Ok(id.as_uuid())
    });
    let ids: Vec<_> = ids.collect::<Result<_, Refusal>>()?;
    Ok(Some(ids).filter(|ids| !ids.is_empty()))
}

pub(super) fn message_reply(message: Message) -> MessageReply {
    MessageReply {
        message_id: message.id.to_string(),
        source: message.source,
        sender_id: message.sender_id.to_string(),
        channel: message.channel,
        to: message.address,
        state: message.state.to_string(),
        provider_id: message.provider_id.unwrap_or_default(),
        error_code: message.error_code.unwrap_or_default(),
        error_text: message.error_text.unwrap_or_default(),
        class: message.class.unwrap_or_default(),
        segments: message
            .segments
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or_default(),
        attempts: u32::try_from(message.attempts).unwrap_or_default(),
        created_at: time(message.created_at),
        updated_at: time(message.updated_at),
    }
}

pub(super) fn receipt_reply(receipt: Kept) -> ReceiptReply {
    ReceiptReply {
        provider_id: receipt.provider_id,
        status: receipt.status,
        at: time(receipt.at),
        error_code: receipt.error_code.unwrap_or_default(),
        received_at: time(receipt.received_at),
    }
}

//! `plaza.notification.v1.Notification`: messages, and what others need to know to ask for them.
//!
//! Who passes on a person sees messages, receipts and suppressed addresses by that person's rights, as over HTTP. Numbers of
//! messages by state, and which sender there is, are part of what broadcast shows of a campaign, and need none of their own.

use plaza_contracts::events::{MessageContent, OutgoingMessage};
use plaza_contracts::ids::SenderId;
use plaza_contracts::incoming::{Asker, Refusal, id, page, reply, time};
use plaza_contracts::permissions::{ViewLogs, ViewSuppressions};
use plaza_contracts::proto::notification::notification_server::Notification as NotificationApi;
use plaza_contracts::proto::notification::{
    CountsReply, CountsRequest, GetMessageRequest, Message as MessageReply, MessagesReply, MessagesRequest,
    OpenReply, OpenRequest, OutgoingMessage as OutgoingRequest, Receipt as ReceiptReply, ReceiptsReply,
    ReceiptsRequest, SendReply, SendRequest, SenderReply, SenderRequest, SuppressedReply, SuppressedRequest,
};
use plaza_kernel::{Cursor, Page};
use tonic::{Request, Response, Status, async_trait};

use super::{Rpc, Unacceptable};
use crate::messages::queue::Batch;
use crate::messages::store::Filter;
use crate::messages::{Message, NoMessage, State};
use crate::receipts::store::Kept;
use crate::senders::NoSender;
use crate::{messages, receipts, senders, suppressions};

/// The most addresses of one question.
const ADDRESSES: usize = 1_000;

#[async_trait]
impl NotificationApi for Rpc {
    async fn send(&self, request: Request<SendRequest>) -> Result<Response<SendReply>, Status> {
        reply(self.queue(request).await)
    }

    async fn counts(&self, request: Request<CountsRequest>) -> Result<Response<CountsReply>, Status> {
        let count = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tx = self.0.inner.database.begin(asker.tenant(&request.tenant_id)?);
            let by_state = messages::store::counts(&tx, text("source", &request.source)?).await?;
            tx.commit().await?;
            let by_state = by_state.into_iter().collect();
            Ok(CountsReply { by_state })
        };
        reply(count.await)
    }

    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<OpenReply>, Status> {
        let look = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let source = text("source", &request.source)?.to_owned();
            let open = messages::store::open(&self.0.inner.database, tenant, source).await?;
            Ok(OpenReply { open })
        };
        reply(look.await)
    }

    async fn messages(&self, request: Request<MessagesRequest>) -> Result<Response<MessagesReply>, Status> {
        reply(self.list(request).await)
    }

    async fn get_message(
        &self,
        request: Request<GetMessageRequest>,
    ) -> Result<Response<MessageReply>, Status> {
        let find = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = self.right::<ViewLogs>(asker, &request.tenant_id).await?.tenant();
            let message = id("message_id", &request.message_id)?;
            let found = messages::store::get(&self.0.inner.database, tenant, message).await?;
            Ok(found.map(message_reply).ok_or(NoMessage)?)
        };
        reply(find.await)
    }

    async fn receipts(&self, request: Request<ReceiptsRequest>) -> Result<Response<ReceiptsReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = self.right::<ViewLogs>(asker, &request.tenant_id).await?.tenant();
            let message = id("message_id", &request.message_id)?;
            let database = &self.0.inner.database;
            messages::store::get(database, tenant, message)
                .await?
                .ok_or(NoMessage)?;
            let receipts = receipts::store::of_message(database, tenant, message).await?;
            let receipts = receipts.into_iter().map(receipt_reply).collect();
            Ok(ReceiptsReply { receipts })
        };
        reply(list.await)
    }

    async fn suppressed(
        &self,
        request: Request<SuppressedRequest>,
    ) -> Result<Response<SuppressedReply>, Status> {
        let look = async {
            let (asker, request) = (Asker::of(&request)?, request.into_inner());
            let right = self.right::<ViewSuppressions>(asker, &request.tenant_id);
            let tenant = right.await?.tenant();
            let (channel, addresses) = (request.channel, request.addresses);
            text("channel", &channel)?;
            if addresses.len() > ADDRESSES || addresses.iter().any(|address| !is_text(address)) {
                return Err(Unacceptable("addresses").into());
            }
            let database = &self.0.inner.database;
            let addresses = suppressions::store::among(database, tenant, channel, addresses).await?;
            Ok(SuppressedReply { addresses })
        };
        reply(look.await)
    }

    async fn sender(&self, request: Request<SenderRequest>) -> Result<Response<SenderReply>, Status> {
        let find = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let (database, channel) = (&self.0.inner.database, text("channel", &request.channel)?);
            let found = if request.sender_id.is_empty() {
                senders::store::default_of(database, tenant, channel).await?
            } else {
                let id: SenderId = id("sender_id", &request.sender_id)?;
                senders::store::get(database, tenant, id)
                    .await?
                    .filter(|sender| sender.channel == channel)
            };
            let sender = found.ok_or(NoSender)?;
            let (sender_id, name) = (sender.id.to_string(), sender.name);
            Ok(SenderReply { sender_id, name })
        };
        reply(find.await)
    }
}

impl Rpc {
    async fn queue(&self, request: Request<SendRequest>) -> Result<SendReply, Refusal> {
        let (asker, request) = (Asker::of(&request)?, request.into_inner());
        let tenant = asker.tenant(&request.tenant_id)?;
        let messages: Result<_, Refusal> = request.messages.into_iter().map(outgoing).collect();
        let batch = Batch {
            source: source(request.source)?,
            sender: id("sender_id", &request.sender_id)?,
            messages: messages?,
        };
        let tx = self.0.inner.database.begin(tenant);
        let queued = self.0.queue(&tx, &batch).await?;
        tx.commit().await?;
        let queued = u32::try_from(queued).unwrap_or_default();
        Ok(SendReply { queued })
    }

    async fn list(&self, request: Request<MessagesRequest>) -> Result<MessagesReply, Refusal> {
        let (asker, request) = (Asker::of(&request)?, request.into_inner());
        let tenant = self.right::<ViewLogs>(asker, &request.tenant_id).await?.tenant();
        let page = page(request.limit, &request.cursor)?;
        text("source", &request.source)?;
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let state = given(request.state).map(|state| state.parse::<State>());
        let filter = Filter {
            source: given(request.source),
            state: state.transpose().map_err(|_| Unacceptable("state"))?,
            after: page.cursor.map(Cursor::last_seen),
            skip: 0,
        };
        let (database, limit) = (&self.0.inner.database, page.limit.and_one());
        let found = messages::store::list(database, tenant, filter, limit).await?;
        let page = Page::from_found(found, page.limit, |message| message.id).map(message_reply);
        Ok(MessagesReply {
            messages: page.items,
            next_cursor: page.next_cursor.unwrap_or_default(),
        })
    }
}

/// A text as the database can keep it.
fn text<'a>(field: &'static str, text: &'a str) -> Result<&'a str, Unacceptable> {
    is_text(text).then_some(text).ok_or(Unacceptable(field))
}

fn is_text(text: &str) -> bool {
    text.len() <= 1_000 && !text.contains(char::is_control)
}

/// A kind, a colon, an id.
fn source(text: String) -> Result<String, Unacceptable> {
    let good = |(kind, id): (&str, &str)| {
        let in_kind = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        !kind.is_empty() && kind.bytes().all(in_kind) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let is_source = text.len() <= 200 && !text.ends_with(':') && text.split_once(':').is_some_and(good);
    is_source.then_some(text).ok_or(Unacceptable("source"))
}

fn outgoing(message: OutgoingRequest) -> Result<OutgoingMessage, Refusal> {
    let template = message.template.ok_or(Unacceptable("template"))?;
    Ok(OutgoingMessage {
        message_id: id("message_id", &message.message_id)?,
        channel: message.channel,
        to: message.to,
        content: MessageContent::Template {
            name: template.name,
            language: template.language,
            body: template.body,
        },
    })
}

fn message_reply(message: Message) -> MessageReply {
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
        attempts: u32::try_from(message.attempts).unwrap_or_default(),
        created_at: time(message.created_at),
        updated_at: time(message.updated_at),
    }
}

fn receipt_reply(receipt: Kept) -> ReceiptReply {
    ReceiptReply {
        provider_id: receipt.provider_id,
        status: receipt.status,
        at: time(receipt.at),
        error_code: receipt.error_code.unwrap_or_default(),
        received_at: time(receipt.received_at),
    }
}

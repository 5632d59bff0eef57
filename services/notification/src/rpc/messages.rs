//! `plaza.notification.v1.Notification`: messages, and what others need to know to ask for them.
//!
//! Who passes on a person sees messages, receipts and suppressed addresses by that person's rights, as over HTTP. Numbers of
//! messages by state, and which sender there is, are part of what broadcast shows of a campaign, and need none of their own.

use plaza_contracts::ids::SenderId;
use plaza_contracts::incoming::{Asker, Refusal, id, reply};
use plaza_contracts::permissions::{ViewLogs, ViewSuppressions};
use plaza_contracts::proto::notification::notification_server::Notification as NotificationApi;
use plaza_contracts::proto::notification::{
    CancelReply, CancelRequest, CountsReply, CountsRequest, GetMessageRequest, HoldReply, HoldRequest,
    Message as MessageReply, MessagesReply, MessagesRequest, OpenReply, OpenRequest, ReceiptsReply,
    ReceiptsRequest, ReleaseReply, ReleaseRequest, ReportReply, ReportRequest, RetryFailedReply,
    RetryFailedRequest, SendReply, SendRequest, SenderReply, SenderRequest, SuppressedReply,
    SuppressedRequest,
};
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;

use super::listing::{message_reply, receipt_reply};
use super::sources::{report_reply, source};
use super::{Rpc, Unacceptable};
use crate::messages::NoMessage;
use crate::senders::NoSender;
use crate::sources::ASKED;
use crate::suppressions::planning::SUPPRESSED;
use crate::{messages, receipts, senders};

/// The most addresses of one question.
const ADDRESSES: usize = 1_000;

/// The most codes of one question.
const CODES: usize = 100;

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
            let found = messages::listing::get(&self.0.inner.database, tenant, message).await?;
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
            messages::listing::get(database, tenant, message)
                .await?
                .ok_or(NoMessage)?;
            let receipts = receipts::store::of_message(database, tenant, message).await?;
            let receipts = receipts.into_iter().map(receipt_reply).collect();
            Ok(ReceiptsReply { receipts })
        };
        reply(list.await)
    }

    async fn hold(&self, request: Request<HoldRequest>) -> Result<Response<HoldReply>, Status> {
        let hold = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let reason = text("reason", &request.reason)?;
            let reason = if reason.is_empty() { ASKED } else { reason };
            self.0.hold(tenant, source(&request.source)?, reason).await?;
            Ok(HoldReply {})
        };
        reply(hold.await)
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseReply>, Status> {
        let release = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            self.0.release(tenant, source(&request.source)?).await?;
            Ok(ReleaseReply {})
        };
        reply(release.await)
    }

    async fn cancel(&self, request: Request<CancelRequest>) -> Result<Response<CancelReply>, Status> {
        let cancel = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let part = self.0.call_off(tenant, source(&request.source)?).await?;
            Ok(CancelReply {
                cancelled: part.messages,
                more: part.more,
            })
        };
        reply(cancel.await)
    }

    async fn retry_failed(
        &self,
        request: Request<RetryFailedRequest>,
    ) -> Result<Response<RetryFailedReply>, Status> {
        let retry = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let (source, codes) = (source(&request.source)?, &request.codes);
            if codes.len() > CODES || codes.iter().any(|code| !is_text(code)) {
                return Err(Unacceptable("codes").into());
            }
            let after = match request.after.as_str() {
                "" => Uuid::nil(),
                last => id("after", last)?,
            };
            let part = self.0.retry_failed(tenant, source, codes, after).await?;
            Ok(RetryFailedReply {
                requeued: part.messages,
                more: part.more,
                last: part.last.map(|last| last.to_string()).unwrap_or_default(),
            })
        };
        reply(retry.await)
    }

    async fn report(&self, request: Request<ReportRequest>) -> Result<Response<ReportReply>, Status> {
        let report = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let found = self.0.report(tenant, source(&request.source)?).await?;
            Ok(report_reply(found))
        };
        reply(report.await)
    }

    async fn suppressed(
        &self,
        request: Request<SuppressedRequest>,
    ) -> Result<Response<SuppressedReply>, Status> {
        reply(self.look_up_suppressed(request).await)
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
    async fn look_up_suppressed(
        &self,
        request: Request<SuppressedRequest>,
    ) -> Result<SuppressedReply, Refusal> {
        let (asker, request) = (Asker::of(&request)?, request.into_inner());
        let right = self.right::<ViewSuppressions>(asker, &request.tenant_id);
        let tenant = right.await?.tenant();
        let (channel, addresses) = (request.channel, request.addresses);
        text("channel", &channel)?;
        if addresses.len() > ADDRESSES || addresses.iter().any(|address| !is_text(address)) {
            return Err(Unacceptable("addresses").into());
        }
        let class = Some(text("class", &request.class)?.to_owned()).filter(|class| !class.is_empty());
        let reasons = self.0.not_to_be_sent(tenant, &channel, addresses, class).await?;
        Ok(SuppressedReply {
            addresses: reasons
                .iter()
                .filter(|(_, reason)| **reason == SUPPRESSED)
                .map(|(address, _)| address.clone())
                .collect(),
            reasons: reasons
                .into_iter()
                .map(|(address, reason)| (address, reason.to_owned()))
                .collect(),
        })
    }
}

/// A text as the database can keep it.
pub(super) fn text<'a>(field: &'static str, text: &'a str) -> Result<&'a str, Unacceptable> {
    is_text(text).then_some(text).ok_or(Unacceptable(field))
}

fn is_text(text: &str) -> bool {
    text.len() <= 1_000 && !text.contains(char::is_control)
}

//! `plaza.notification.v1.Senders`: the accounts that messages go out from.

use plaza_contracts::ids::SenderId;
use plaza_contracts::incoming::{Asker, id, page, reply, time};
use plaza_contracts::permissions::{ManageSenders, ViewSenders};
use plaza_contracts::proto::notification::senders_server::Senders;
use plaza_contracts::proto::notification::{
    CreateSenderRequest, GetSenderRequest, ListSendersReply, ListSendersRequest, RenewSenderTokenReply,
    RenewSenderTokenRequest, ResumeSenderReply, ResumeSenderRequest, SenderAccount, SmsAccount,
};
use secrecy::SecretString;
use tonic::{Request, Response, Status, async_trait};

use super::{Rpc, Unacceptable};
use crate::senders::create::NewSender;
use crate::senders::{NewAccount, NoSender, SMS, Sender, WHATSAPP, is_messaging_service, store};

#[async_trait]
impl Senders for Rpc {
    async fn create_sender(
        &self,
        request: Request<CreateSenderRequest>,
    ) -> Result<Response<SenderAccount>, Status> {
        let create = async {
            let (asker, request) = (Asker::of(&request)?, request.into_inner());
            let right = self.right::<ManageSenders>(asker, &request.tenant_id).await?;
            Ok(account(self.0.create_sender(&right, new_sender(request)?).await?))
        };
        reply(create.await)
    }

    async fn get_sender(
        &self,
        request: Request<GetSenderRequest>,
    ) -> Result<Response<SenderAccount>, Status> {
        let find = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let right = self.right::<ViewSenders>(asker, &request.tenant_id).await?;
            let id: SenderId = id("sender_id", &request.sender_id)?;
            let found = store::get(&self.0.inner.database, right.tenant(), id).await?;
            Ok(found.map(account).ok_or(NoSender)?)
        };
        reply(find.await)
    }

    async fn list_senders(
        &self,
        request: Request<ListSendersRequest>,
    ) -> Result<Response<ListSendersReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let page = page(request.limit, &request.cursor)?;
            let right = self.right::<ViewSenders>(asker, &request.tenant_id).await?;
            let page = store::list(&self.0.inner.database, right.tenant(), page, 0).await?;
            Ok(ListSendersReply {
                senders: page.items.into_iter().map(account).collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }

    async fn resume_sender(
        &self,
        request: Request<ResumeSenderRequest>,
    ) -> Result<Response<ResumeSenderReply>, Status> {
        let resume = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let right = self.right::<ManageSenders>(asker, &request.tenant_id).await?;
            self.0
                .resume_sender(&right, id("sender_id", &request.sender_id)?)
                .await?;
            Ok(ResumeSenderReply {})
        };
        reply(resume.await)
    }

    async fn renew_sender_token(
        &self,
        request: Request<RenewSenderTokenRequest>,
    ) -> Result<Response<RenewSenderTokenReply>, Status> {
        let renew = async {
            let (asker, request) = (Asker::of(&request)?, request.into_inner());
            let right = self.right::<ManageSenders>(asker, &request.tenant_id).await?;
            let sender = id("sender_id", &request.sender_id)?;
            let token = SecretString::from(request.access_token);
            self.0.renew_token(&right, sender, &token).await?;
            Ok(RenewSenderTokenReply {})
        };
        reply(renew.await)
    }
}

fn new_sender(request: CreateSenderRequest) -> Result<NewSender, Unacceptable> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let account = match (request.channel.as_str(), request.sms) {
        ("" | WHATSAPP, None) => NewAccount::WhatsApp {
            phone_number_id: request.phone_number_id,
        },
        (SMS, Some(sms)) if request.phone_number_id.is_empty() => NewAccount::Sms {
            account_sid: sms.account_sid,
            from: given(sms.from),
            messaging_service_sid: given(sms.messaging_service_sid),
        },
        _ => return Err(Unacceptable("channel")),
    };
    Ok(NewSender {
        name: request.name,
        account,
        access_token: SecretString::from(request.access_token),
        rate: request.rate,
    })
}

fn account(sender: Sender) -> SenderAccount {
    let is_service = is_messaging_service(&sender.account_id);
    let id = |wanted: bool| {
        if wanted {
            sender.account_id.clone()
        } else {
            String::new()
        }
    };
    let sms = (sender.channel == SMS).then(|| SmsAccount {
        account_sid: sender.settings.account_sid.clone(),
        from: id(!is_service),
        messaging_service_sid: id(is_service),
    });
    SenderAccount {
        sender_id: sender.id.to_string(),
        name: sender.name,
        phone_number_id: id(sms.is_none()),
        channel: sender.channel,
        sms,
        rate: u32::try_from(sender.rate).unwrap_or_default(),
        status: sender.status,
        status_reason: sender.status_reason.unwrap_or_default(),
        created_at: time(sender.created_at),
    }
}

//! `plaza.notification.v1.Mails`: mails to single people.

use plaza_contracts::incoming::{Asker, Refusal, id, reply};
use plaza_contracts::proto::notification::mails_server::Mails;
use plaza_contracts::proto::notification::{SendMailReply, SendMailRequest};
use plaza_kernel::Scope;
use tonic::{Request, Response, Status, async_trait};

use super::{Rpc, Unacceptable};
use crate::mails::send::NewMail;
use crate::mails::templates::Locale;

#[async_trait]
impl Mails for Rpc {
    async fn send_mail(&self, request: Request<SendMailRequest>) -> Result<Response<SendMailReply>, Status> {
        let send = async {
            let (asker, request) = (Asker::of(&request)?, request.into_inner());
            self.0.send_mail(mail(&asker, request)?).await?;
            Ok(SendMailReply {})
        };
        reply(send.await)
    }
}

/// A mail of a tenant is for who may speak for it, one of the platform for who runs it.
fn mail(asker: &Asker, request: SendMailRequest) -> Result<NewMail, Refusal> {
    let scope = if request.tenant_id.is_empty() {
        asker.runs_platform()?;
        Scope::Platform
    } else {
        Scope::Tenant(asker.tenant(&request.tenant_id)?)
    };
    Ok(NewMail {
        id: id("mail_id", &request.mail_id)?,
        scope,
        recipient: request.recipient.parse().map_err(|_| Unacceptable("recipient"))?,
        template: request.template.parse().map_err(|_| Unacceptable("template"))?,
        locale: Locale::of(&request.locale),
        values: request.values.into_iter().collect(),
        from_name: request.from_name,
    })
}

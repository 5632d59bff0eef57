//! `Send` of `plaza.notification.v1.Notification`: a batch of messages to be queued.

use plaza_contracts::events::{MessageContent, OutgoingMessage};
use plaza_contracts::incoming::{Asker, Refusal, id};
use plaza_contracts::proto::notification::{
    OutgoingMessage as OutgoingRequest, SendReply, SendRequest, Template,
};
use tonic::Request;

use super::sources::source;
use super::{Rpc, Unacceptable};
use crate::messages::queue::Batch;

impl Rpc {
    pub(super) async fn queue(&self, request: Request<SendRequest>) -> Result<SendReply, Refusal> {
        let (asker, request) = (Asker::of(&request)?, request.into_inner());
        let tenant = asker.tenant(&request.tenant_id)?;
        let messages: Result<_, Refusal> = request.messages.into_iter().map(outgoing).collect();
        let batch = Batch {
            source: source(&request.source)?.to_owned(),
            sender: Some(id("sender_id", &request.sender_id)?),
            messages: messages?,
        };
        let tx = self.0.inner.database.begin(tenant);
        let queued = self.0.queue(&tx, &batch).await?;
        tx.commit().await?;
        let queued = u32::try_from(queued).unwrap_or_default();
        Ok(SendReply { queued })
    }
}

fn outgoing(message: OutgoingRequest) -> Result<OutgoingMessage, Refusal> {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let expires_at = given(message.expires_at).map(|at| at.parse());
    Ok(OutgoingMessage {
        message_id: id("message_id", &message.message_id)?,
        channel: message.channel,
        to: message.to,
        content: match given(message.text) {
            Some(body) => MessageContent::Text {
                body,
                preview_url: false,
                reply_to: None,
            },
            None => template(message.template.ok_or(Unacceptable("template"))?),
        },
        class: given(message.class),
        zone: given(message.zone),
        expires_at: expires_at.transpose().map_err(|_| Unacceptable("expires_at"))?,
    })
}

fn template(template: Template) -> MessageContent {
    MessageContent::Template {
        name: template.name,
        language: template.language,
        body: template.body,
        header: None,
        buttons: Vec::new(),
    }
}

//! `plaza.broadcast.v1.Recipients`.

use std::collections::BTreeMap;

use plaza_contracts::incoming::{Asker, id, page, reply, time};
use plaza_contracts::permissions::{CreateRecipients, DeleteRecipients, ViewRecipients};
use plaza_contracts::proto::broadcast::recipients_server::Recipients;
use plaza_contracts::proto::broadcast::{
    AddRecipientRequest, DeleteRecipientReply, DeleteRecipientRequest, GetRecipientRequest,
    ListRecipientsReply, ListRecipientsRequest, Recipient as RecipientReply,
};
use plaza_kernel::Page;
use tonic::{Request, Response, Status, async_trait};

use super::{Rpc, done, given};
use crate::listing::Window;
use crate::recipients::add::NewRecipient;
use crate::recipients::{NoRecipient, Recipient, e164, store};
use crate::repeatable::Repeatable;

#[async_trait]
impl Recipients for Rpc {
    async fn add_recipient(
        &self,
        request: Request<AddRecipientRequest>,
    ) -> Result<Response<RecipientReply>, Status> {
        let add = async {
            let (asker, request) = (Asker::of(&request)?, request.into_inner());
            let tenant = self.tenant::<CreateRecipients>(asker, &request.tenant_id).await?;
            let new = new(request);
            let added = self.0.add_recipient(tenant, &new, &Repeatable::never()).await?;
            Ok(recipient(done(added)?))
        };
        reply(add.await)
    }

    async fn get_recipient(
        &self,
        request: Request<GetRecipientRequest>,
    ) -> Result<Response<RecipientReply>, Status> {
        let find = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = self.tenant::<ViewRecipients>(asker, &request.tenant_id).await?;
            let id = id("recipient_id", &request.recipient_id)?;
            let found = store::get(&self.0.database, tenant, id).await?;
            Ok(found.map(recipient).ok_or(NoRecipient)?)
        };
        reply(find.await)
    }

    async fn list_recipients(
        &self,
        request: Request<ListRecipientsRequest>,
    ) -> Result<Response<ListRecipientsReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.into_inner());
            let window = Window::from(page(request.limit, &request.cursor)?);
            let tenant = self.tenant::<ViewRecipients>(asker, &request.tenant_id).await?;
            let phone = given(request.phone).as_deref().map(e164).transpose()?;
            let import = given(request.import_id).map(|text| id("import_id", &text));
            let found = store::list(&self.0.database, tenant, window, phone, import.transpose()?).await?;
            let page = Page::from_found(found, window.limit, |recipient| recipient.id);
            Ok(ListRecipientsReply {
                recipients: page.items.into_iter().map(recipient).collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }

    async fn delete_recipient(
        &self,
        request: Request<DeleteRecipientRequest>,
    ) -> Result<Response<DeleteRecipientReply>, Status> {
        let delete = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = self.tenant::<DeleteRecipients>(asker, &request.tenant_id).await?;
            let id = id("recipient_id", &request.recipient_id)?;
            self.0.delete_recipient(tenant, id).await?;
            Ok(DeleteRecipientReply {})
        };
        reply(delete.await)
    }
}

fn new(request: AddRecipientRequest) -> NewRecipient {
    NewRecipient {
        phone: given(request.phone),
        country: given(request.country),
        external_id: given(request.external_id),
        name: given(request.name),
        timezone: given(request.timezone),
        locale: given(request.locale),
        attrs: request.attrs.into_iter().collect(),
        opted_in: request.opted_in,
    }
}

fn recipient(recipient: Recipient) -> RecipientReply {
    RecipientReply {
        recipient_id: recipient.id.to_string(),
        phone: recipient.phone.unwrap_or_default(),
        external_id: recipient.external_id.unwrap_or_default(),
        name: recipient.name.unwrap_or_default(),
        country: recipient.country.unwrap_or_default(),
        timezone: recipient.timezone.unwrap_or_default(),
        locale: recipient.locale.unwrap_or_default(),
        attrs: texts(recipient.attrs),
        consent: recipient.consent.to_string(),
        consent_source: recipient.consent_source.unwrap_or_default(),
        import_id: recipient.import_id.map(|id| id.to_string()).unwrap_or_default(),
        created_at: time(recipient.created_at),
        updated_at: time(recipient.updated_at),
    }
}

/// Attributes are kept as an object of texts.
fn texts(attrs: serde_json::Value) -> BTreeMap<String, String> {
    serde_json::from_value(attrs).unwrap_or_default()
}

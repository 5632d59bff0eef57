//! The way to notification, which sends the mails.

use std::collections::BTreeMap;

use plaza_contracts::proto::notification::SendMailRequest;
use plaza_contracts::proto::notification::mails_client::MailsClient;
use plaza_rpc::{RpcError, Transport};
use uuid::Uuid;

use super::Template;

/// A mail to be sent.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) id: Uuid,
    pub(super) template: Template,
    pub(super) recipient: String,
    /// The language, if it is known.
    pub(super) locale: Option<String>,
    /// What the template has places for.
    pub(super) values: BTreeMap<String, String>,
}

/// The way to notification.
#[derive(Clone)]
pub(crate) struct Post(MailsClient<Transport>);

impl Post {
    pub(crate) fn new(transport: Transport) -> Self {
        Self(MailsClient::new(transport))
    }

    /// Hands a mail over. Handing it over again changes nothing: notification knows it by its id.
    pub(super) async fn send(&self, mail: Mail) -> Result<(), RpcError> {
        let request = SendMailRequest {
            mail_id: mail.id.to_string(),
            // Accounts are of no tenant, and so are their mails.
            tenant_id: String::new(),
            recipient: mail.recipient,
            template: mail.template.as_str().to_owned(),
            locale: mail.locale.unwrap_or_default(),
            values: mail.values,
            from_name: String::new(),
        };
        self.0.clone().send_mail(request).await?;
        Ok(())
    }
}

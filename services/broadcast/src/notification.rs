//! What this service asks of notification.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_contracts::proto::notification::notification_client::NotificationClient;
use plaza_contracts::proto::notification::{
    CountsRequest, Message, MessagesRequest, OpenRequest, SenderRequest, SuppressedRequest,
};
use plaza_kernel::{Cursor, Kind, Page, TenantId};
use plaza_rpc::{RpcError, Transport};

use crate::listing::Window;

/// The one channel that templates are sent on.
pub(crate) const CHANNEL: &str = "whatsapp";

/// The name by which notification knows a campaign's messages.
pub(crate) fn source(campaign: CampaignId) -> String {
    format!("campaign:{campaign}")
}

/// The campaign of a source, if it is one.
pub(crate) fn campaign_of(source: &str) -> Option<CampaignId> {
    source.strip_prefix("campaign:")?.parse().ok()
}

/// The client.
#[derive(Clone)]
pub(crate) struct Notification {
    client: NotificationClient<Transport>,
}

impl Notification {
    pub(crate) fn new(transport: Transport) -> Self {
        Self {
            client: NotificationClient::new(transport),
        }
    }

    /// Whether messages of a campaign may still be sent.
    pub(crate) async fn open(&self, tenant: TenantId, campaign: CampaignId) -> Result<bool, RpcError> {
        let request = OpenRequest {
            tenant_id: tenant.to_string(),
            source: source(campaign),
        };
        Ok(self.client.clone().open(request).await?.into_inner().open)
    }

    /// How many messages of a campaign are in each state. Takes long where there are many.
    pub(crate) async fn counts(
        &self,
        tenant: TenantId,
        campaign: CampaignId,
        patience: Duration,
    ) -> Result<BTreeMap<String, u64>, RpcError> {
        let mut request = tonic::Request::new(CountsRequest {
            tenant_id: tenant.to_string(),
            source: source(campaign),
        });
        request.set_timeout(patience);
        Ok(self
            .client
            .clone()
            .counts(request)
            .await?
            .into_inner()
            .by_state
            .into_iter()
            .collect())
    }

    /// Which of these numbers must not be written to.
    pub(crate) async fn suppressed(
        &self,
        tenant: TenantId,
        addresses: Vec<String>,
    ) -> Result<HashSet<String>, RpcError> {
        if addresses.is_empty() {
            return Ok(HashSet::new());
        }
        let request = SuppressedRequest {
            tenant_id: tenant.to_string(),
            channel: CHANNEL.to_owned(),
            addresses,
        };
        Ok(self
            .client
            .clone()
            .suppressed(request)
            .await?
            .into_inner()
            .addresses
            .into_iter()
            .collect())
    }

    /// The sender that a campaign goes out from.
    pub(crate) async fn sender(
        &self,
        tenant: TenantId,
        named: Option<SenderId>,
    ) -> Result<SenderId, RpcError> {
        let request = SenderRequest {
            tenant_id: tenant.to_string(),
            channel: CHANNEL.to_owned(),
            sender_id: named.map(|id| id.to_string()).unwrap_or_default(),
        };
        let reply = self.client.clone().sender(request).await?.into_inner();
        reply
            .sender_id
            .parse()
            .map_err(|_| RpcError::from(tonic::Status::internal("notification named no sender")))
    }

    /// A page of messages, newest first.
    pub(crate) async fn messages(
        &self,
        tenant: TenantId,
        campaign: Option<CampaignId>,
        state: Option<&str>,
        window: Window,
    ) -> Result<Page<Message>, RpcError> {
        let request = MessagesRequest {
            tenant_id: tenant.to_string(),
            source: campaign.map(source).unwrap_or_default(),
            state: state.unwrap_or_default().to_owned(),
            cursor: window
                .after
                .map(|id| Cursor::after(id).to_string())
                .unwrap_or_default(),
            limit: u32::try_from(window.limit.get()).unwrap_or_default(),
        };
        let reply = self.client.clone().messages(request).await?.into_inner();
        Ok(Page {
            items: reply.messages,
            next_cursor: Some(reply.next_cursor).filter(|cursor| !cursor.is_empty()),
        })
    }
}

/// Whether asking again later can help.
pub(crate) fn is_transient(kind: Kind) -> bool {
    matches!(kind, Kind::Unavailable | Kind::DeadlineExceeded | Kind::Throttled)
}

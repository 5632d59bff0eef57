//! What this service asks of notification.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_contracts::proto::notification::notification_client::NotificationClient;
use plaza_contracts::proto::notification::{
    CancelRequest, CountsRequest, HoldRequest, Message, MessagesRequest, OpenRequest, ReleaseRequest,
    ReportReply, ReportRequest, RetryFailedReply, RetryFailedRequest, SenderRequest, SuppressedReply,
    SuppressedRequest,
};
use plaza_kernel::{Cursor, Kind, Page, TenantId};
use plaza_rpc::{RpcError, Transport};

use crate::campaigns::plan::Reason;
use crate::campaigns::{Channel, Class};
use crate::listing::Window;

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

    /// Which of these numbers must not be written to, and why.
    pub(crate) async fn excluded(
        &self,
        tenant: TenantId,
        channel: Channel,
        class: Class,
        addresses: Vec<String>,
    ) -> Result<HashMap<String, Reason>, RpcError> {
        if addresses.is_empty() {
            return Ok(HashMap::new());
        }
        let request = SuppressedRequest {
            tenant_id: tenant.to_string(),
            channel: channel.to_string(),
            addresses,
            class: class.to_string(),
        };
        let reply = self.client.clone().suppressed(request).await?.into_inner();
        Ok(reasons_of(reply))
    }

    /// The sender that a campaign goes out from.
    pub(crate) async fn sender(
        &self,
        tenant: TenantId,
        channel: Channel,
        named: Option<SenderId>,
    ) -> Result<SenderId, RpcError> {
        let request = SenderRequest {
            tenant_id: tenant.to_string(),
            channel: channel.to_string(),
            sender_id: named.map(|id| id.to_string()).unwrap_or_default(),
        };
        let reply = self.client.clone().sender(request).await?.into_inner();
        reply
            .sender_id
            .parse()
            .map_err(|_| RpcError::from(tonic::Status::internal("notification named no sender")))
    }

    /// Nothing of a campaign is to leave any more, until it is released.
    pub(crate) async fn hold(
        &self,
        tenant: TenantId,
        campaign: CampaignId,
        reason: &str,
        patience: Duration,
    ) -> Result<(), RpcError> {
        let mut request = tonic::Request::new(HoldRequest {
            tenant_id: tenant.to_string(),
            source: source(campaign),
            reason: reason.to_owned(),
        });
        request.set_timeout(patience);
        self.client.clone().hold(request).await?;
        Ok(())
    }

    /// What waits of a campaign is to be sent.
    pub(crate) async fn release(
        &self,
        tenant: TenantId,
        campaign: CampaignId,
        patience: Duration,
    ) -> Result<(), RpcError> {
        let mut request = tonic::Request::new(ReleaseRequest {
            tenant_id: tenant.to_string(),
            source: source(campaign),
        });
        request.set_timeout(patience);
        self.client.clone().release(request).await?;
        Ok(())
    }

    /// Nothing of a campaign is ever to be sent any more. True when some of its messages do not know yet: to be asked
    /// again.
    pub(crate) async fn cancel(
        &self,
        tenant: TenantId,
        campaign: CampaignId,
        patience: Duration,
    ) -> Result<bool, RpcError> {
        let mut request = tonic::Request::new(CancelRequest {
            tenant_id: tenant.to_string(),
            source: source(campaign),
        });
        request.set_timeout(patience);
        Ok(self.client.clone().cancel(request).await?.into_inner().more)
    }

    /// Queues some of the failed messages of a campaign again, those after this one.
    pub(crate) async fn retry_failed(
        &self,
        tenant: TenantId,
        campaign: CampaignId,
        (codes, after): (Vec<String>, String),
        patience: Duration,
    ) -> Result<RetryFailedReply, RpcError> {
        let mut request = tonic::Request::new(RetryFailedRequest {
            tenant_id: tenant.to_string(),
            source: source(campaign),
            codes,
            after,
        });
        request.set_timeout(patience);
        Ok(self.client.clone().retry_failed(request).await?.into_inner())
    }

    /// What became of the messages of a campaign. Takes long where there are many.
    pub(crate) async fn report(
        &self,
        tenant: TenantId,
        campaign: CampaignId,
        patience: Duration,
    ) -> Result<ReportReply, RpcError> {
        let mut request = tonic::Request::new(ReportRequest {
            tenant_id: tenant.to_string(),
            source: source(campaign),
        });
        request.set_timeout(patience);
        Ok(self.client.clone().report(request).await?.into_inner())
    }

    /// A page of messages, newest first.
    pub(crate) async fn messages(
        &self,
        tenant: TenantId,
        narrowed: MessagesRequest,
        window: Window,
    ) -> Result<Page<Message>, RpcError> {
        let request = MessagesRequest {
            tenant_id: tenant.to_string(),
            cursor: window
                .after
                .map(|id| Cursor::after(id).to_string())
                .unwrap_or_default(),
            limit: u32::try_from(window.limit.get()).unwrap_or_default(),
            ..narrowed
        };
        let reply = self.client.clone().messages(request).await?.into_inner();
        Ok(Page {
            items: reply.messages,
            next_cursor: Some(reply.next_cursor).filter(|cursor| !cursor.is_empty()),
        })
    }
}

/// Why each of them is excluded. `addresses` are the suppressed ones alone; `reasons` has them all, but a notification of
/// the release before gives none, and one of a later release may have more of them.
fn reasons_of(reply: SuppressedReply) -> HashMap<String, Reason> {
    let suppressed = reply.addresses.into_iter();
    let mut excluded: HashMap<_, _> = suppressed.map(|address| (address, Reason::Suppressed)).collect();
    for (address, reason) in reply.reasons {
        let known = reason.parse().ok().filter(|known| *known != Reason::Send);
        excluded.insert(address, known.unwrap_or(Reason::Suppressed));
    }
    excluded
}

/// Whether asking again later can help.
pub(crate) fn is_transient(kind: Kind) -> bool {
    matches!(kind, Kind::Unavailable | Kind::DeadlineExceeded | Kind::Throttled)
}

//! What was sent to whom and what became of it: notification's messages, with the names of our recipients.

mod filter;

use std::collections::HashMap;

use axum::extract::State;
use chrono::{DateTime, Utc};
use plaza_contracts::ids::{CampaignId, MessageId};
use plaza_contracts::permissions::ViewLogs;
use plaza_contracts::proto::notification::Message;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, Page, TenantId};
use plaza_rpc::RpcError;
use plaza_web::{ApiError, ApiErrors, Granted, Json, May, PageParams, Query};
use serde::Serialize;
use utoipa::ToSchema;

use crate::campaigns::get::GetError;
use crate::campaigns::plan;
use crate::listing::{InvalidQuery, Window};
use crate::notification::campaign_of;
use crate::{Broadcast, RecipientId};
pub(crate) use filter::LogFilter;

/// One message and what became of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct LogEntry {
    /// The message.
    pub(crate) message_id: MessageId,
    /// The campaign it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) campaign_id: Option<CampaignId>,
    /// Who it went to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recipient_id: Option<RecipientId>,
    /// The recipient's name now; absent once the recipient was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recipient_name: Option<String>,
    /// `whatsapp`, `sms`.
    pub(crate) channel: String,
    /// The number in E.164.
    pub(crate) to: String,
    /// How far it is.
    pub(crate) state: String,
    /// The provider's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider_id: Option<String>,
    /// The provider's code of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_code: Option<String>,
    /// The provider's text of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_text: Option<String>,
    /// How often sending was tried.
    pub(crate) attempts: u32,
    /// When it was asked for.
    pub(crate) created_at: DateTime<Utc>,
    /// When its state changed last.
    pub(crate) updated_at: DateTime<Utc>,
}

/// Messages, newest first.
#[utoipa::path(get, path = "/api/v1/broadcast/logs", tag = "logs", operation_id = "list_logs",
    params(PageParams, LogFilter), responses((status = 200, body = Page<LogEntry>), ApiErrors))]
pub(crate) async fn list(
    State(broadcast): State<Broadcast>,
    granted: Granted<May<ViewLogs>>,
    Query(query): Query<PageParams>,
    Query(filter): Query<LogFilter>,
) -> Result<Json<Page<LogEntry>>, ApiError> {
    let (tenant, window) = (granted.tenant(), Window::of(&query)?);
    if window.skip > 0 {
        return Err(InvalidQuery::new("page", "use `cursor` for this list").into());
    }
    Ok(Json(broadcast.log(tenant, &filter, window).await?))
}

/// Why no messages were listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error(transparent)]
    Filter(#[from] InvalidQuery),
    #[error(transparent)]
    Campaign(#[from] GetError),
    #[error("notification failed")]
    Notification(#[from] RpcError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for LogError {
    fn kind(&self) -> Kind {
        match self {
            Self::Filter(error) => error.kind(),
            Self::Campaign(error) => error.kind(),
            Self::Notification(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Filter(error) => error.code(),
            Self::Campaign(error) => error.code(),
            Self::Notification(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Filter(error) => error.fields(),
            Self::Campaign(_) | Self::Notification(_) | Self::Database(_) => Vec::new(),
        }
    }
}

impl Broadcast {
    /// A page of messages, newest first.
    pub(crate) async fn log(
        &self,
        tenant: TenantId,
        filter: &LogFilter,
        window: Window,
    ) -> Result<Page<LogEntry>, LogError> {
        let mut narrowed = filter.narrowed()?;
        if let Some(campaign) = filter.campaign_id {
            self.campaign(tenant, campaign).await?;
        }
        if let Some(recipient) = filter.recipient_id {
            narrowed.message_ids = plan::messages_to(&self.database, tenant, recipient).await?;
            if narrowed.message_ids.is_empty() {
                return Ok(Page {
                    items: Vec::new(),
                    next_cursor: None,
                });
            }
        }
        let messages = self.notification.messages(tenant, narrowed, window).await?;
        let ids = messages
            .items
            .iter()
            .filter_map(|message| message.message_id.parse().ok())
            .collect();
        let named = plan::names(&self.database, tenant, ids).await?;
        let whose: HashMap<MessageId, _> = named
            .into_iter()
            .map(|(id, whose, name)| (id, (whose, name)))
            .collect();
        let entries = messages.items.into_iter();
        Ok(Page {
            items: entries.filter_map(|message| entry(message, &whose)).collect(),
            next_cursor: messages.next_cursor,
        })
    }
}

fn entry(message: Message, whose: &HashMap<MessageId, (RecipientId, Option<String>)>) -> Option<LogEntry> {
    let message_id: MessageId = message.message_id.parse().ok()?;
    let (recipient_id, recipient_name) = whose.get(&message_id).cloned().unzip();
    let said = |text: String| (!text.is_empty()).then_some(text);
    Some(LogEntry {
        message_id,
        campaign_id: campaign_of(&message.source),
        recipient_id,
        recipient_name: recipient_name.flatten(),
        channel: message.channel,
        to: message.to,
        state: message.state,
        provider_id: said(message.provider_id),
        error_code: said(message.error_code),
        error_text: said(message.error_text),
        attempts: message.attempts,
        created_at: message.created_at.parse().ok()?,
        updated_at: message.updated_at.parse().ok()?,
    })
}

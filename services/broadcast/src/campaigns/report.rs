//! What became of a campaign.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_contracts::ids::{CampaignId, SenderId};
use plaza_contracts::proto::notification::{ReportReply, Tripped as TrippedReply};
use plaza_kernel::{Failure, Kind, TenantId};
use plaza_rpc::RpcError;
use serde::Serialize;
use utoipa::ToSchema;

use super::get::GetError;
use super::{CampaignState, StoredCampaign};
use crate::Broadcast;
use crate::slots::NoSlot;

/// What became of a campaign.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Report {
    /// How far it is.
    pub state: CampaignState,
    /// Recipients by what was decided.
    pub planned: BTreeMap<String, u64>,
    /// Messages by state.
    pub messages: BTreeMap<String, u64>,
    /// The most frequent failures, at most 20, the most frequent first.
    pub by_error: Vec<ErrorCount>,
    /// When the first message left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_sent_at: Option<DateTime<Utc>>,
    /// When the last thing became known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<DateTime<Utc>>,
    /// Between the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// Which part of the messages that left is known to have arrived, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_share: Option<f64>,
    /// Which part of those is known to have been read, 0 to 1. Not everybody lets that be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_share: Option<f64>,
    /// What stopped it, if failures did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tripped: Option<Tripped>,
}

/// How many messages failed for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ErrorCount {
    /// The provider's code; empty where there was none.
    pub code: String,
    /// The provider's text.
    pub text: String,
    /// How many messages.
    pub messages: u64,
}

/// So many failures of one sort that it was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Tripped {
    /// The sender that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<SenderId>,
    /// What sort of failure.
    pub class: String,
    /// The provider's code of it.
    pub code: String,
    /// How many failed so …
    pub failed: u64,
    /// … of how many.
    pub tried: u64,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error(transparent)]
    Get(#[from] GetError),
    #[error(transparent)]
    Busy(#[from] NoSlot),
    #[error("notification failed")]
    Notification(#[from] RpcError),
}

impl Failure for ReportError {
    fn kind(&self) -> Kind {
        match self {
            Self::Get(error) => error.kind(),
            Self::Busy(error) => error.kind(),
            Self::Notification(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Get(error) => error.code(),
            Self::Busy(error) => error.code(),
            Self::Notification(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Get(error) => error.retry_after(),
            Self::Busy(error) => error.retry_after(),
            Self::Notification(error) => error.retry_after(),
        }
    }
}

/// How long notification may take: an answer has to be on its way before the front door gives it up.
const PATIENCE: Duration = Duration::from_secs(8);

impl Broadcast {
    /// What became of a campaign.
    pub(crate) async fn report(&self, tenant: TenantId, id: CampaignId) -> Result<Report, ReportError> {
        let _slot = self.reports.take(tenant)?;
        let campaign = self.campaign(tenant, id).await?;
        let told = self.notification.report(tenant, id, PATIENCE).await?;
        Ok(report(campaign, told))
    }
}

fn report(campaign: StoredCampaign, told: ReportReply) -> Report {
    let messages = told.by_state;
    let (first, last) = (time(&told.first_sent_at), time(&told.last_at));
    let by_error = told.by_error.into_iter().take(20).map(|error| ErrorCount {
        code: error.code,
        text: error.text,
        messages: error.messages,
    });
    Report {
        state: campaign.state,
        planned: campaign.planned.0,
        delivered_share: share(&messages, &["delivered", "read"], &LEFT),
        read_share: share(&messages, &["read"], &["delivered", "read"]),
        messages,
        by_error: by_error.collect(),
        first_sent_at: first,
        last_at: last,
        seconds: first
            .zip(last)
            .map(|(first, last)| (last - first).num_seconds().max(0)),
        tripped: told.tripped.map(tripped),
    }
}

/// The states of messages that a provider took, or refused.
const LEFT: [&str; 5] = ["accepted", "sent", "delivered", "read", "failed"];

fn share(messages: &BTreeMap<String, u64>, some: &[&str], all: &[&str]) -> Option<f64> {
    let sum = |states: &[&str]| -> u32 {
        let of = states.iter().filter_map(|state| messages.get(*state));
        // A campaign has fewer messages than that; a float has all of these numbers.
        u32::try_from(of.sum::<u64>()).unwrap_or(u32::MAX)
    };
    let all = sum(all);
    (all > 0).then(|| f64::from(sum(some)) / f64::from(all))
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}

fn tripped(tripped: TrippedReply) -> Tripped {
    Tripped {
        sender_id: tripped.sender_id.parse().ok(),
        class: tripped.class,
        code: tripped.code,
        failed: tripped.failed,
        tried: tripped.tried,
        at: time(&tripped.at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_left_and_of_what_arrived() {
        let messages = [("delivered", 2), ("read", 1), ("failed", 1), ("queued", 9)];
        let messages = messages.map(|(state, count)| (state.to_owned(), count)).into();
        assert_eq!(share(&messages, &["delivered", "read"], &LEFT), Some(0.75));
        assert_eq!(
            share(&messages, &["read"], &["delivered", "read"]),
            Some(1.0 / 3.0)
        );
        assert_eq!(share(&BTreeMap::new(), &["read"], &LEFT), None);
    }
}

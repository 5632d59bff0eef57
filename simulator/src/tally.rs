//! Sums, kept as things happen, so that asking for them costs nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::messages::{Message, Reached};
use crate::plan::Status;

/// `GET /_simulator/counts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests to send that were accepted.
    pub accepted: u64,
    /// Accepted messages that differ in their `biz_opaque_callback_data`; one without any counts as one of its own.
    pub unique_references: u64,
    /// `accepted - unique_references`: how often somebody would have been told the same again.
    pub duplicates: u64,
    /// Requests that were refused, by code; `cut` where the connection was closed instead.
    pub rejected: BTreeMap<String, u64>,
    /// Accepted messages by the furthest status that was acknowledged. Their sum is `accepted`.
    pub messages: MessageCounts,
    /// Statuses reported.
    pub callbacks: CallbackCounts,
}

/// Accepted messages by the furthest status that was acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCounts {
    /// Nothing was acknowledged yet.
    pub accepted: u64,
    /// `sent`.
    pub sent: u64,
    /// `delivered`.
    pub delivered: u64,
    /// `read`.
    pub read: u64,
    /// `failed`.
    pub failed: u64,
}

/// Statuses reported. `sent + delivered + read + failed + repeated = acknowledged`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackCounts {
    /// Acknowledged for the first time.
    pub sent: u64,
    /// Acknowledged for the first time.
    pub delivered: u64,
    /// Acknowledged for the first time.
    pub read: u64,
    /// Acknowledged for the first time.
    pub failed: u64,
    /// Acknowledged again, as planned by `duplicate_rate`.
    pub repeated: u64,
    /// All that were answered with 2xx.
    pub acknowledged: u64,
    /// Still to come.
    pub pending: u64,
    /// Callback requests since the start that were not answered with 2xx.
    pub refused_requests: u64,
}

impl Counts {
    pub(crate) fn accepted(&mut self, message: &Message, is_new: bool) {
        self.accepted += 1;
        *if is_new {
            &mut self.unique_references
        } else {
            &mut self.duplicates
        } += 1;
        self.messages.accepted += 1;
        self.callbacks.pending += message.steps.len() as u64;
    }

    pub(crate) fn refused(&mut self, code: &str) {
        match self.rejected.get_mut(code) {
            Some(count) => *count += 1,
            None => {
                self.rejected.insert(code.to_owned(), 1);
            }
        }
    }

    /// The next step of `message`, which was at `before`, was acknowledged and is already counted in it.
    pub(crate) fn acknowledged(&mut self, message: &Message, before: Reached) {
        let Some((last, earlier)) = message.acknowledged().split_last() else {
            return;
        };
        self.callbacks.acknowledged += 1;
        self.callbacks.pending -= 1;
        if earlier.iter().any(|step| step.status == last.status) {
            self.callbacks.repeated += 1;
        } else {
            *self.callbacks.of(last.status) += 1;
        }
        *self.messages.of(before) -= 1;
        *self.messages.of(message.reached()) += 1;
    }
}

impl CallbackCounts {
    fn of(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Sent => &mut self.sent,
            Status::Delivered => &mut self.delivered,
            Status::Read => &mut self.read,
            Status::Failed(_) => &mut self.failed,
        }
    }
}

impl MessageCounts {
    fn of(&mut self, reached: Reached) -> &mut u64 {
        match reached {
            Reached::Accepted => &mut self.accepted,
            Reached::Sent => &mut self.sent,
            Reached::Failed => &mut self.failed,
            Reached::Delivered => &mut self.delivered,
            Reached::Read => &mut self.read,
        }
    }
}

//! What `plaza.notification.v1.Notification` says of sources.

use plaza_contracts::incoming::time;
use plaza_contracts::proto::notification::{ErrorCount, ReportReply, Tripped};

use super::Unacceptable;
use crate::sources::Trip;
use crate::sources::report::Report;

/// A kind, a colon, an id.
pub(super) fn source(text: &str) -> Result<&str, Unacceptable> {
    let good = |(kind, id): (&str, &str)| {
        let in_kind = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        !kind.is_empty() && kind.bytes().all(in_kind) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let is_source = text.len() <= 200 && !text.ends_with(':') && text.split_once(':').is_some_and(good);
    is_source.then_some(text).ok_or(Unacceptable("source"))
}

pub(super) fn report_reply(report: Report) -> ReportReply {
    let by_error = report
        .by_error
        .into_iter()
        .map(|(code, text, messages)| ErrorCount {
            code: code.unwrap_or_default(),
            text: text.unwrap_or_default(),
            messages,
        });
    ReportReply {
        by_state: report.by_state.into_iter().collect(),
        by_error: by_error.collect(),
        first_sent_at: report.stands.first_sent_at.map(time).unwrap_or_default(),
        last_at: report.last_at.map(time).unwrap_or_default(),
        source_state: report.stands.standing.to_string(),
        source_reason: report.stands.reason.unwrap_or_default(),
        tripped: report.stands.trip.map(tripped),
    }
}

fn tripped(trip: Trip) -> Tripped {
    Tripped {
        sender_id: trip.sender.to_string(),
        class: trip.class,
        code: trip.code,
        failed: trip.failed,
        tried: trip.tried,
        at: time(trip.at),
    }
}

//! Which messages of the log somebody wants to see. No I/O here.

use chrono::{DateTime, Utc};
use plaza_contracts::ids::CampaignId;
use plaza_contracts::incoming::time;
use plaza_contracts::proto::notification::MessagesRequest;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::RecipientId;
use crate::campaigns::Channel;
use crate::listing::InvalidQuery;
use crate::notification::source;

/// The states of a message.
const STATES: [&str; 11] = [
    "queued",
    "leased",
    "unknown",
    "accepted",
    "sent",
    "failed",
    "delivered",
    "read",
    "skipped",
    "expired",
    "cancelled",
];

/// Which messages.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogFilter {
    /// Only those of this campaign.
    pub(crate) campaign_id: Option<CampaignId>,
    /// Only those that this asked for: `campaign:<id>`, or what another service calls itself by. Not together with
    /// `campaign_id`.
    #[param(max_length = 200)]
    pub(crate) source: Option<String>,
    /// Only those in this state.
    pub(crate) state: Option<String>,
    /// Only those to this recipient, whatever number it had: of its latest 500 campaigns.
    pub(crate) recipient_id: Option<RecipientId>,
    /// Only those to this number, in E.164, in any of its spellings: of the last 30 days, unless a campaign, a source, a
    /// recipient or `from` is named.
    #[param(example = "+4915117404120")]
    pub(crate) to: Option<String>,
    /// Only those whose last failure has this code of the provider.
    #[param(max_length = 64, example = "131026")]
    pub(crate) error_code: Option<String>,
    /// Only those on this channel, `whatsapp` or `sms`: of the last 30 days, as with `to`.
    pub(crate) channel: Option<String>,
    /// Only those that were asked for at this time or later.
    pub(crate) from: Option<DateTime<Utc>>,
    /// Only those that were asked for before this time.
    pub(crate) until: Option<DateTime<Utc>>,
}

impl LogFilter {
    /// The same as notification is asked for it, but for the recipient, whom it does not know.
    pub(super) fn narrowed(&self) -> Result<MessagesRequest, InvalidQuery> {
        let state = self.state.clone().unwrap_or_default();
        if !state.is_empty() && !STATES.contains(&state.as_str()) {
            return Err(InvalidQuery::new("state", "a state of messages"));
        }
        let channel = self.channel.as_deref().map(str::parse::<Channel>).transpose();
        let channel = channel.map_err(|_| InvalidQuery::new("channel", "whatsapp or sms"))?;
        let to = self.to.as_deref().map(|text| number(text).ok_or(NOT_A_NUMBER));
        let code = self.error_code.as_deref().unwrap_or_default();
        if !is_visible(code, 64) {
            return Err(InvalidQuery::new(
                "error_code",
                "at most 64 visible ASCII characters",
            ));
        }
        Ok(MessagesRequest {
            source: self.source()?.unwrap_or_default(),
            state,
            to: to.transpose()?.unwrap_or_default(),
            error_code: code.to_owned(),
            channel: channel.map(|channel| channel.to_string()).unwrap_or_default(),
            from: self.from.map(time).unwrap_or_default(),
            until: self.until.map(time).unwrap_or_default(),
            ..MessagesRequest::default()
        })
    }

    /// What notification calls whoever asked for them.
    fn source(&self) -> Result<Option<String>, InvalidQuery> {
        match (self.campaign_id, self.source.as_deref()) {
            (Some(_), Some(_)) => Err(InvalidQuery::new("source", "not together with `campaign_id`")),
            (Some(campaign), None) => Ok(Some(source(campaign))),
            (None, Some(text)) if !is_visible(text, 200) => Err(InvalidQuery::new(
                "source",
                "at most 200 visible ASCII characters",
            )),
            (None, given) => Ok(given.map(str::to_owned)),
        }
    }
}

const NOT_A_NUMBER: InvalidQuery = InvalidQuery::new("to", "a telephone number in E.164");

fn is_visible(text: &str, longest: usize) -> bool {
    text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A number with its plus, which is a space where a client did not encode it.
fn number(text: &str) -> Option<String> {
    let digits = text.trim_start_matches(['+', ' ']);
    let is_number = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    is_number.then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_known_with_its_plus_without_it_and_with_what_became_of_it_in_a_query() {
        for text in ["+4915117404120", "4915117404120", " 4915117404120"] {
            assert_eq!(number(text).as_deref(), Some("+4915117404120"), "{text}");
        }
        for text in [
            "",
            "+",
            "015117404120",
            "+49 151",
            "+1234567890123456",
            "+49151174x4120",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}

//! What a campaign would do: the same decisions as of the planner, about the same recipients, and nothing of it is written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use plaza_contracts::events::MessageContent;
use plaza_contracts::sms;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, TenantId};
use plaza_rpc::{RpcError, carried, carry_as_service};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::plan::{self, Planned, Reason, Rules, decide};
use super::{Audience, Channel, Class};
use crate::recipients::Recipient;
use crate::slots::NoSlot;
use crate::templates::Frozen;
use crate::{Broadcast, RecipientId, recipients};

/// How long recipients are looked at: an answer has to be on its way before the front door gives it up.
const PATIENCE: Duration = Duration::from_secs(6);
/// How many recipients are looked at together.
const BATCH: i64 = 500;
/// How many messages are shown.
const SAMPLES: usize = 3;

/// What would become of it if it were sent now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Forecast {
    /// How many recipients were considered.
    pub recipients: u64,
    /// Recipients by what would be decided: `send`, or the reason why not.
    pub by_reason: BTreeMap<String, u64>,
    /// How many parts the messages have as SMS, which is what they cost; absent on other channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<u64>,
    /// The first messages.
    pub samples: Vec<Sample>,
    /// Whether every recipient was looked at. There may be too many for one request: then these are the first ones.
    pub complete: bool,
}

/// One message that would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Sample {
    /// To whom; most of the number is hidden.
    pub to: String,
    /// The text.
    pub text: String,
}

/// Of what the future is asked.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) channel: Channel,
    pub(crate) class: Class,
    pub(crate) audience: &'a Audience,
    pub(crate) template: &'a Frozen,
}

/// Why nobody knows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForecastError {
    #[error(transparent)]
    Busy(#[from] NoSlot),
    #[error("notification failed")]
    Notification(#[from] RpcError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for ForecastError {
    fn kind(&self) -> Kind {
        match self {
            Self::Busy(error) => error.kind(),
            Self::Notification(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Busy(error) => error.code(),
            Self::Notification(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Busy(error) => error.retry_after(),
            Self::Notification(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
        }
    }
}

impl Broadcast {
    /// What would become of it. Asks notification as this service: numbers of people by reason are no one's number.
    pub(crate) async fn forecast(
        &self,
        tenant: TenantId,
        question: &Question<'_>,
    ) -> Result<Forecast, ForecastError> {
        let _slot = self.forecasts.take(tenant)?;
        let until = Instant::now() + PATIENCE;
        let mut forecast = Forecast {
            segments: (question.channel == Channel::Sms).then_some(0),
            ..Forecast::default()
        };
        let (mut after, mut taken) = (None, HashSet::new());
        while Instant::now() < until {
            let found = self.batch_after(tenant, after, question.audience).await?;
            let phones = found.iter().filter_map(|one| one.phone.clone()).collect();
            let excluded = self
                .notification
                .excluded(tenant, question.channel, question.class, phones);
            let excluded = carry_as_service(carried(), excluded).await?;
            forecast.add(
                &found,
                &self.decided(&found, question, &excluded, &mut taken),
                question.template,
            );
            after = found.last().map(|one| one.id);
            if found.len() < usize::try_from(BATCH).unwrap_or_default() {
                forecast.complete = true;
                break;
            }
        }
        Ok(forecast)
    }

    async fn batch_after(
        &self,
        tenant: TenantId,
        after: Option<RecipientId>,
        audience: &Audience,
    ) -> Result<Vec<Recipient>, DatabaseError> {
        let tx = self.database.begin(tenant);
        let found = match recipients::store::last(&tx).await? {
            Some(last) => plan::next(&tx, (after, last), audience, BATCH).await?,
            None => Vec::new(),
        };
        tx.commit().await?;
        Ok(found)
    }

    fn decided(
        &self,
        recipients: &[Recipient],
        question: &Question<'_>,
        excluded: &HashMap<String, Reason>,
        taken: &mut HashSet<String>,
    ) -> Vec<Planned> {
        let rules = Rules {
            channel: question.channel,
            class: question.class,
            audience: question.audience,
            template: question.template,
            expires_at: None,
            excluded,
        };
        decide(recipients, &rules, taken, &self.clock)
    }
}

impl Forecast {
    fn add(&mut self, recipients: &[Recipient], rows: &[Planned], template: &Frozen) {
        for (recipient, row) in recipients.iter().zip(rows) {
            self.recipients += 1;
            *self.by_reason.entry(row.reason.to_string()).or_default() += 1;
            let Some(message) = &row.message else { continue };
            if let (Some(segments), MessageContent::Text { body, .. }) =
                (&mut self.segments, &message.content)
            {
                let parts = u64::try_from(sms::segments(body).count).unwrap_or_default();
                *segments = segments.saturating_add(parts);
            }
            if self.samples.len() < SAMPLES {
                self.samples.extend(sample(recipient, template));
            }
        }
    }
}

/// The message without the number, wherever it stands.
fn sample(recipient: &Recipient, template: &Frozen) -> Option<Sample> {
    let to = masked(recipient.phone.as_deref()?);
    let shown = Recipient {
        phone: Some(to.clone()),
        ..recipient.clone()
    };
    let values = template.variables.iter().map(|variable| variable.value(&shown));
    let values: Vec<String> = values.collect::<Option<_>>()?;
    let text = template.text(&values);
    Some(Sample { to, text })
}

/// `+49********20`: the country and the end, by which somebody who knows the number recognises it.
fn masked(phone: &str) -> String {
    let length = phone.chars().count();
    let shown = |at: usize| at < 3 || at + 2 >= length;
    let hidden = |(at, c)| if shown(at) { c } else { '*' };
    phone.chars().enumerate().map(hidden).collect()
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_masked_number_shows_five_characters() {
        assert_eq!(masked("+4915117404120"), "+49*********20");
        assert_eq!(masked("+1"), "+1");
    }
}

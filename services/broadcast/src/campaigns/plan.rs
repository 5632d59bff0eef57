//! The plan of a campaign: one row per recipient with what was decided, never changed.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use plaza_contracts::events::{MessageContent, OutgoingMessage};
use plaza_contracts::ids::{CampaignId, MessageId};
use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::{Clock, TenantId};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Audience, Class};
use crate::listing::Window;
use crate::notification::CHANNEL;
use crate::recipients::Recipient;
use crate::recipients::consent::Consent;
use crate::templates::Frozen;
use crate::text_enum::text_enum;
use crate::{ImportId, RecipientId};

text_enum! {
    /// What was decided about a recipient.
    pub enum Reason {
        /// Gets a message.
        Send = "send",
        /// Did not say yes.
        NoConsent = "no_consent",
        /// Must not be written to.
        Suppressed = "suppressed",
        /// The number is another recipient's too.
        Duplicate = "duplicate",
        /// Has no number.
        NoPhone = "no_phone",
        /// Lacks a value that the template needs.
        MissingValue = "missing_value",
    }
}

/// One row of the plan.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) recipient: RecipientId,
    pub(crate) reason: Reason,
    pub(crate) message: Option<OutgoingMessage>,
}

/// By what rules is decided.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) class: Class,
    pub(crate) audience: &'a Audience,
    pub(crate) template: &'a Frozen,
    pub(crate) suppressed: &'a HashSet<String>,
}

/// Decides about a batch of recipients.
pub(crate) fn decide(recipients: &[Recipient], rules: &Rules<'_>, clock: &Clock) -> Vec<Planned> {
    let mut seen = HashSet::new();
    let mut rows = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let decided = message(recipient, rules, &mut seen, clock);
        let reason = decided.as_ref().err().copied().unwrap_or(Reason::Send);
        rows.push(Planned {
            recipient: recipient.id,
            reason,
            message: decided.ok(),
        });
    }
    rows
}

fn message<'a>(
    recipient: &'a Recipient,
    rules: &Rules<'_>,
    seen: &mut HashSet<&'a str>,
    clock: &Clock,
) -> Result<OutgoingMessage, Reason> {
    let phone = recipient.phone.as_deref().ok_or(Reason::NoPhone)?;
    let asks = rules.class == Class::Marketing || rules.audience.opted_in;
    if asks && recipient.consent != Consent::Granted {
        return Err(Reason::NoConsent);
    }
    if rules.suppressed.contains(phone) {
        return Err(Reason::Suppressed);
    }
    if !seen.insert(phone) {
        return Err(Reason::Duplicate);
    }
    let values = rules
        .template
        .variables
        .iter()
        .map(|variable| variable.value(recipient));
    let body: Vec<String> = values.collect::<Option<_>>().ok_or(Reason::MissingValue)?;
    Ok(OutgoingMessage {
        message_id: MessageId::generate(clock),
        channel: CHANNEL.to_owned(),
        to: phone.to_owned(),
        content: MessageContent::Template {
            name: rules.template.name.clone(),
            language: rules.template.language.clone(),
            body,
        },
    })
}

plaza_database::row! {
    /// One row of a campaign's plan.
    #[derive(Debug, Clone, Serialize, ToSchema)]
    pub struct PlanRow {
        /// The recipient, who may have been removed since.
        pub recipient_id: RecipientId,
        /// What was decided.
        pub reason: Reason,
        /// The message, if one is sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub message_id: Option<MessageId>,
        /// When it was decided.
        pub planned_at: DateTime<Utc>,
    }
}

type Rows = (
    TenantId,
    CampaignId,
    DateTime<Utc>,
    Vec<RecipientId>,
    Vec<Reason>,
    Vec<Option<MessageId>>,
);
type Next = (Uuid, Uuid, i64);

statements! {
    static NEXT: Next => Recipient =
        "SELECT id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source, import_id,
                created_at, updated_at
           FROM broadcast.recipients
          WHERE id > $1 AND id <= $2
          ORDER BY id
          LIMIT $3";

    static NEXT_OF_COUNTRY: (Uuid, Uuid, i64, String) => Recipient =
        "SELECT id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source, import_id,
                created_at, updated_at
           FROM broadcast.recipients
          WHERE country = $4 AND id > $1 AND id <= $2
          ORDER BY id
          LIMIT $3";

    static NEXT_OF_IMPORT: (Uuid, Uuid, i64, ImportId, Option<String>) => Recipient =
        "SELECT id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source, import_id,
                created_at, updated_at
           FROM broadcast.recipients
          WHERE import_id = $4 AND ($5::text IS NULL OR country = $5) AND id > $1 AND id <= $2
          ORDER BY id
          LIMIT $3";

    static INSERT: Rows => () =
        "INSERT INTO broadcast.plan (tenant_id, campaign_id, recipient_id, reason, message_id, planned_at)
         SELECT $1, $2, p.recipient_id, p.reason, p.message_id, $3
           FROM unnest($4::uuid[], $5::text[], $6::uuid[]) AS p (recipient_id, reason, message_id)";

    static LIST: (CampaignId, Uuid, i64, i64) => PlanRow =
        "SELECT recipient_id, reason, message_id, planned_at
           FROM broadcast.plan
          WHERE campaign_id = $1 AND recipient_id > $2
          ORDER BY recipient_id
          LIMIT $3 OFFSET $4";

    static LIST_BY_REASON: (CampaignId, Uuid, i64, i64, Reason) => PlanRow =
        "SELECT recipient_id, reason, message_id, planned_at
           FROM broadcast.plan
          WHERE campaign_id = $1 AND recipient_id > $2 AND reason = $5
          ORDER BY recipient_id
          LIMIT $3 OFFSET $4";

    static LIST_EXCLUDED: (CampaignId, Uuid, i64, i64) => PlanRow =
        "SELECT recipient_id, reason, message_id, planned_at
           FROM broadcast.plan
          WHERE campaign_id = $1 AND recipient_id > $2 AND reason <> 'send'
          ORDER BY recipient_id
          LIMIT $3 OFFSET $4";

    static NAMES: (Vec<MessageId>,) => (MessageId, RecipientId, Option<String>) =
        "SELECT p.message_id, p.recipient_id, r.name
           FROM broadcast.plan AS p
           LEFT JOIN broadcast.recipients AS r ON r.tenant_id = p.tenant_id AND r.id = p.recipient_id
          WHERE p.message_id = ANY ($1)";
}

/// The next recipients of an audience, up to the last one there was when sending began.
pub(crate) async fn next(
    tx: &TenantTx,
    (after, last): (Option<RecipientId>, RecipientId),
    audience: &Audience,
    limit: i64,
) -> Result<Vec<Recipient>, DatabaseError> {
    let (after, last) = (after.map_or(Uuid::nil(), |id| id.as_uuid()), last.as_uuid());
    match (audience.import_id, audience.country.clone()) {
        (None, None) => tx.all(&NEXT, (after, last, limit)).await,
        (None, Some(country)) => tx.all(&NEXT_OF_COUNTRY, (after, last, limit, country)).await,
        (Some(import), country) => {
            tx.all(&NEXT_OF_IMPORT, (after, last, limit, import, country))
                .await
        }
    }
}

/// Adds rows.
pub(crate) async fn insert(
    tx: &TenantTx,
    campaign: CampaignId,
    rows: &[Planned],
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let recipients = rows.iter().map(|row| row.recipient).collect();
    let reasons = rows.iter().map(|row| row.reason).collect();
    let messages = rows
        .iter()
        .map(|row| row.message.as_ref().map(|message| message.message_id))
        .collect();
    tx.execute(
        &INSERT,
        (tx.tenant(), campaign, now, recipients, reasons, messages),
    )
    .await
    .map(|_| ())
}

/// Which rows of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    Excluded,
    Because(Reason),
}

/// Rows of a plan, in the order of recipients.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    campaign: CampaignId,
    window: Window,
    which: Which,
) -> Result<Vec<PlanRow>, DatabaseError> {
    let (above, limit, skip) = (window.above(), window.limit.and_one(), window.skip);
    match which {
        Which::All => database.read(tenant, &LIST, (campaign, above, limit, skip)).await,
        Which::Excluded => {
            database
                .read(tenant, &LIST_EXCLUDED, (campaign, above, limit, skip))
                .await
        }
        Which::Because(reason) => {
            database
                .read(tenant, &LIST_BY_REASON, (campaign, above, limit, skip, reason))
                .await
        }
    }
}

/// Whose these messages are.
pub(crate) async fn names(
    database: &Database,
    tenant: TenantId,
    messages: Vec<MessageId>,
) -> Result<Vec<(MessageId, RecipientId, Option<String>)>, DatabaseError> {
    database.read(tenant, &NAMES, (messages,)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templates::variables::Variable;

    fn recipient(clock: &Clock, phone: Option<&str>, name: Option<&str>, consent: Consent) -> Recipient {
        Recipient {
            id: RecipientId::generate(clock),
            phone: phone.map(str::to_owned),
            external_id: Some("C1".to_owned()),
            name: name.map(str::to_owned),
            country: None,
            timezone: None,
            locale: None,
            attrs: serde_json::json!({}),
            consent,
            consent_source: None,
            import_id: None,
            created_at: clock.now(),
            updated_at: clock.now(),
        }
    }

    #[test]
    fn every_recipient_gets_one_row_with_its_reason() {
        let clock = Clock::system();
        let of = |phone, name, consent| recipient(&clock, phone, name, consent);
        let recipients = [
            of(Some("+491"), Some("Ada"), Consent::Granted),
            of(Some("+492"), Some("Bob"), Consent::Refused),
            of(Some("+493"), Some("Eve"), Consent::Unknown),
            of(Some("+494"), Some("Sue"), Consent::Granted),
            of(Some("+491"), Some("Twin"), Consent::Granted),
            of(None, Some("Ned"), Consent::Granted),
            of(Some("+495"), None, Consent::Granted),
        ];
        let template = Frozen {
            name: "hello".to_owned(),
            language: "en".to_owned(),
            variables: vec![Variable::Field("name".to_owned())],
        };
        let suppressed = HashSet::from(["+494".to_owned()]);
        let audience = Audience::default();
        let rules = Rules {
            class: Class::Marketing,
            audience: &audience,
            template: &template,
            suppressed: &suppressed,
        };
        let plan = decide(&recipients, &rules, &clock);
        let reasons: Vec<&str> = plan.iter().map(|row| row.reason.as_str()).collect();
        let expected = [
            "send",
            "no_consent",
            "no_consent",
            "suppressed",
            "duplicate",
            "no_phone",
            "missing_value",
        ];
        assert_eq!(reasons, expected);
        let MessageContent::Template { body, .. } = &plan[0].message.as_ref().unwrap().content;
        assert_eq!(body, &["Ada"]);

        let open = Audience {
            opted_in: false,
            ..Audience::default()
        };
        let rules = Rules {
            class: Class::Utility,
            audience: &open,
            ..rules
        };
        assert_eq!(
            decide(&recipients, &rules, &clock)[1].reason,
            Reason::Send,
            "a receipt needs no consent"
        );
        let rules = Rules {
            class: Class::Marketing,
            audience: &open,
            ..rules
        };
        assert_eq!(
            decide(&recipients, &rules, &clock)[1].reason,
            Reason::NoConsent,
            "advertising always does"
        );
    }
}

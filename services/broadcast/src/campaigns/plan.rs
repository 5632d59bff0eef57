//! The plan of a campaign: one row per recipient with what was decided, never changed.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use plaza_contracts::events::{MessageContent, OutgoingMessage};
use plaza_contracts::ids::{CampaignId, MessageId};
use plaza_contracts::zones::is_zone;
use plaza_contracts::{addresses, sms};
use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::{Clock, TenantId};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Audience, Channel, Class};
use crate::listing::Window;
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
        /// The number is another recipient's too, in this spelling or in another one.
        Duplicate = "duplicate",
        /// Has no number.
        NoPhone = "no_phone",
        /// Lacks a value that the template needs.
        MissingValue = "missing_value",
        /// The text is longer than an SMS can be.
        TooLong = "too_long",
        /// Was written to as often lately as the tenant allows.
        FrequencyCap = "frequency_cap",
        /// Could not be reached again and again.
        Unreachable = "wa_unreachable",
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
    pub(crate) channel: Channel,
    pub(crate) class: Class,
    pub(crate) audience: &'a Audience,
    pub(crate) template: &'a Frozen,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// Numbers that notification would not write to, and why.
    pub(crate) excluded: &'a HashMap<String, Reason>,
}

/// Decides about a batch of recipients. `taken` are the keys of the numbers that get a message already, however they are
/// spelled; those of this batch are added.
pub(crate) fn decide(
    recipients: &[Recipient],
    rules: &Rules<'_>,
    taken: &mut HashSet<String>,
    clock: &Clock,
) -> Vec<Planned> {
    let mut rows = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let decided = message(recipient, rules, taken, clock);
        taken.extend(decided.iter().map(|message| addresses::key(&message.to)));
        let reason = decided.as_ref().err().copied().unwrap_or(Reason::Send);
        rows.push(Planned {
            recipient: recipient.id,
            reason,
            message: decided.ok(),
        });
    }
    rows
}

fn message(
    recipient: &Recipient,
    rules: &Rules<'_>,
    taken: &HashSet<String>,
    clock: &Clock,
) -> Result<OutgoingMessage, Reason> {
    let phone = recipient.phone.as_deref().ok_or(Reason::NoPhone)?;
    let asks = rules.class == Class::Marketing || rules.audience.opted_in;
    if asks && recipient.consent != Consent::Granted {
        return Err(Reason::NoConsent);
    }
    if let Some(reason) = rules.excluded.get(phone) {
        return Err(*reason);
    }
    if taken.contains(&addresses::key(phone)) {
        return Err(Reason::Duplicate);
    }
    let values = rules
        .template
        .variables
        .iter()
        .map(|variable| variable.value(recipient));
    let values: Vec<String> = values.collect::<Option<_>>().ok_or(Reason::MissingValue)?;
    Ok(OutgoingMessage {
        message_id: MessageId::generate(clock),
        channel: rules.channel.to_string(),
        to: phone.to_owned(),
        content: content(rules, values)?,
        class: Some(rules.class.to_string()),
        // Recipients of before may have what is no zone: theirs is looked up by the number.
        zone: recipient.timezone.clone().filter(|zone| is_zone(zone)),
        expires_at: rules.expires_at,
    })
}

/// WhatsApp has the template and takes its values; of an SMS we write the text.
fn content(rules: &Rules<'_>, values: Vec<String>) -> Result<MessageContent, Reason> {
    if rules.channel == Channel::Whatsapp {
        return Ok(MessageContent::Template {
            name: rules.template.name.clone(),
            language: rules.template.language.clone(),
            body: values,
            header: None,
            buttons: Vec::new(),
        });
    }
    let body = rules.template.text(&values);
    if body.chars().count() > sms::LONGEST {
        return Err(Reason::TooLong);
    }
    Ok(MessageContent::Text {
        body,
        preview_url: false,
        reply_to: None,
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

    // Numbers are unique: at most one recipient for each.
    static SENT_TO: (CampaignId, Vec<String>) => (String,) =
        "SELECT r.phone
           FROM broadcast.recipients AS r
           JOIN broadcast.plan AS p
             ON p.tenant_id = r.tenant_id AND p.campaign_id = $1 AND p.recipient_id = r.id AND p.reason = 'send'
          WHERE r.phone = ANY ($2)";

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

    // The key of a plan begins with its campaign: one look for each of the tenant's campaigns, those put away too.
    static MESSAGES_TO: (RecipientId, i64) => (MessageId,) =
        "SELECT p.message_id
           FROM broadcast.campaigns AS c
           JOIN broadcast.plan AS p
             ON p.tenant_id = c.tenant_id AND p.campaign_id = c.id AND p.recipient_id = $1
          WHERE p.message_id IS NOT NULL
          ORDER BY p.message_id DESC
          LIMIT $2";
}

/// The most messages of a recipient that a log is narrowed to.
const MESSAGES: i64 = 500;

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

/// The keys of these numbers that get a message of this campaign already, in another spelling.
pub(crate) async fn taken(
    tx: &TenantTx,
    campaign: CampaignId,
    recipients: &[Recipient],
) -> Result<HashSet<String>, DatabaseError> {
    let phones = recipients
        .iter()
        .filter_map(|recipient| recipient.phone.as_deref());
    // The first one is the number itself. Most have no other.
    let others = phones.flat_map(|phone| addresses::variants(phone).into_iter().skip(1));
    let others: Vec<String> = others.collect();
    if others.is_empty() {
        return Ok(HashSet::new());
    }
    let found = tx.all(&SENT_TO, (campaign, others)).await?;
    Ok(found.iter().map(|(phone,)| addresses::key(phone)).collect())
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

/// The latest messages to a recipient, who may have been removed since.
pub(crate) async fn messages_to(
    database: &Database,
    tenant: TenantId,
    recipient: RecipientId,
) -> Result<Vec<String>, DatabaseError> {
    let found = database.read(tenant, &MESSAGES_TO, (recipient, MESSAGES)).await?;
    Ok(found.into_iter().map(|(id,)| id.to_string()).collect())
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
            of(Some("+496"), Some("Max"), Consent::Granted),
        ];
        let template = Frozen {
            name: "hello".to_owned(),
            language: "en".to_owned(),
            body: Some("Hello {{1}}!".to_owned()),
            variables: vec![Variable::Field("name".to_owned())],
        };
        let excluded = HashMap::from([
            ("+494".to_owned(), Reason::Suppressed),
            ("+496".to_owned(), Reason::FrequencyCap),
        ]);
        let audience = Audience::default();
        let rules = Rules {
            channel: Channel::Whatsapp,
            class: Class::Marketing,
            audience: &audience,
            template: &template,
            expires_at: Some(clock.now()),
            excluded: &excluded,
        };
        let decide = |recipients: &[Recipient], rules: &Rules<'_>| {
            super::decide(recipients, rules, &mut HashSet::new(), &clock)
        };
        let plan = decide(&recipients, &rules);
        let reasons: Vec<&str> = plan.iter().map(|row| row.reason.as_str()).collect();
        let expected = [
            "send",
            "no_consent",
            "no_consent",
            "suppressed",
            "duplicate",
            "no_phone",
            "missing_value",
            "frequency_cap",
        ];
        assert_eq!(reasons, expected);
        let message = plan[0].message.as_ref().unwrap();
        assert!(matches!(&message.content, MessageContent::Template { body, .. } if body == &["Ada"]));
        assert_eq!(
            (message.class.as_deref(), message.expires_at),
            (Some("marketing"), rules.expires_at)
        );
        let rules = Rules {
            channel: Channel::Sms,
            ..rules
        };
        let text = decide(&recipients[..1], &rules).remove(0).message.unwrap();
        assert_eq!(text.channel, "sms");
        assert!(matches!(text.content, MessageContent::Text { body, .. } if body == "Hello Ada!"));

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
            decide(&recipients, &rules)[1].reason,
            Reason::Send,
            "a receipt needs no consent"
        );
        let rules = Rules {
            class: Class::Marketing,
            audience: &open,
            ..rules
        };
        assert_eq!(
            decide(&recipients, &rules)[1].reason,
            Reason::NoConsent,
            "advertising always does"
        );
    }

    #[test]
    fn what_notification_would_refuse_is_not_asked_of_it() {
        let clock = Clock::system();
        let with = |zone: &str, name: &str| Recipient {
            timezone: Some(zone.to_owned()),
            ..recipient(&clock, Some("+491"), Some(name), Consent::Granted)
        };
        let template = Frozen {
            name: "hello".to_owned(),
            language: "en".to_owned(),
            body: Some(format!("{}{{{{1}}}}", "x".repeat(1_599))),
            variables: vec![Variable::Field("name".to_owned())],
        };
        let (audience, excluded) = (Audience::default(), HashMap::new());
        let rules = |channel| Rules {
            channel,
            class: Class::Marketing,
            audience: &audience,
            template: &template,
            expires_at: None,
            excluded: &excluded,
        };
        let decided = |channel, recipient: Recipient| {
            decide(&[recipient], &rules(channel), &mut HashSet::new(), &clock).remove(0)
        };
        for (zone, sent) in [("Z", None), ("-", None), ("Europe/Berlin", Some("Europe/Berlin"))] {
            let message = decided(Channel::Sms, with(zone, "A")).message.unwrap();
            assert_eq!(message.zone.as_deref(), sent, "{zone}");
        }
        assert_eq!(decided(Channel::Sms, with("DE", "Al")).reason, Reason::TooLong);
        assert_eq!(decided(Channel::Whatsapp, with("DE", "Al")).reason, Reason::Send);
    }

    #[test]
    fn two_spellings_of_a_number_are_one_person() {
        let clock = Clock::system();
        let of = |phone, name| recipient(&clock, Some(phone), name, Consent::Granted);
        let template = Frozen {
            name: "hello".to_owned(),
            language: "en".to_owned(),
            body: None,
            variables: vec![Variable::Field("name".to_owned())],
        };
        let rules = Rules {
            channel: Channel::Whatsapp,
            class: Class::Marketing,
            audience: &Audience::default(),
            template: &template,
            expires_at: None,
            excluded: &HashMap::new(),
        };
        let mut taken = HashSet::new();
        let mut reasons = |recipients: &[Recipient]| -> Vec<Reason> {
            let rows = decide(recipients, &rules, &mut taken, &clock);
            rows.iter().map(|row| row.reason).collect()
        };
        let first = [of("+5511987654321", None), of("+551187654321", Some("Ana"))];
        let first = reasons(&first);
        assert_eq!(first, [Reason::MissingValue, Reason::Send], "one of them gets it");
        let next = reasons(&[of("+5511987654321", Some("Ana"))]);
        assert_eq!(next, [Reason::Duplicate], "in a later batch too");
    }
}

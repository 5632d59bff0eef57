//! Events as AMQP messages: CloudEvents 1.0 in binary content mode.
//!
//! The body is the payload as it stands, `content-type` says what it is, and the attributes are headers with the prefix
//! `cloudEvents_` (CloudEvents AMQP protocol binding 1.0.2, §3.1.3.1; read with a colon too, as it asks for). That binding is
//! for AMQP 1.0, whose application properties RabbitMQ keeps as headers of AMQP 0-9-1, and the other way round. `message-id`
//! and `type` repeat the id and the name for those who know AMQP only; `x-version` is the version of the payload.

use chrono::{DateTime, SecondsFormat, Utc};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use plaza_kernel::{EventId, TenantId};

use crate::Envelope;

/// How often it was tried in vain before it was put where it is now.
pub(crate) const ATTEMPTS: &str = "x-plaza-attempts";
/// Why it is a dead letter.
pub(crate) const REASON: &str = "x-plaza-reason";
/// Since when.
pub(crate) const DIED_AT: &str = "x-plaza-died-at";

const VERSION: &str = "x-version";
/// What RabbitMQ says of a message in a quorum queue that it delivers again: how often it did.
const REDELIVERIES: &str = "x-delivery-count";
/// What RabbitMQ says of a message that came here by dead lettering.
const DEATHS: &str = "x-death";
const PERSISTENT: u8 = 2;
/// What an outbox takes.
const LONGEST_KEY: usize = 512;
/// What AMQP takes: a name is a routing key, and the `type` of the message that goes on to another queue.
const LONGEST_NAME: usize = 255;

/// What came.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) envelope: Envelope,
    /// How often it had been tried in vain when it came into the queue.
    pub(crate) before: i32,
    /// Whether the broker delivers it again.
    pub(crate) again: bool,
}

/// The properties of an event that was tried so often in vain.
///
/// # Errors
/// When its name is longer than AMQP can carry.
pub(crate) fn write(envelope: &Envelope, before: i32) -> Result<BasicProperties, String> {
    let name = ShortString::try_new(envelope.name.as_str())
        .map_err(|error| format!("its name cannot be a routing key: {error}"))?;
    let mut headers = FieldTable::default();
    let mut say = |attribute: &str, value: &str| {
        let name = format!("cloudEvents_{attribute}");
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    say("specversion", "1.0");
    say("id", &envelope.id.to_string());
    say("source", &envelope.source);
    say("type", &envelope.name);
    say("time", &time(envelope.at));
    say("partitionkey", &envelope.key);
    if let Some(tenant) = envelope.tenant {
        say("tenantid", &tenant.to_string());
    }
    if let Some(traceparent) = &envelope.traceparent {
        say("traceparent", traceparent);
        // Where tracing libraries look.
        headers.insert(
            "traceparent".into(),
            AMQPValue::LongString(traceparent.as_str().into()),
        );
    }
    headers.insert(VERSION.into(), AMQPValue::LongInt(i32::from(envelope.version)));
    if before > 0 {
        headers.insert(ATTEMPTS.into(), AMQPValue::LongInt(before));
    }
    Ok(persistent(headers)
        .with_message_id(envelope.id.to_string().into())
        .with_type(name)
        .with_timestamp(u64::try_from(envelope.at.timestamp()).unwrap_or_default()))
}

/// Properties of a message that survives the broker's end.
fn persistent(headers: FieldTable) -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers)
}

/// Reads what came.
///
/// # Errors
/// When it is no event of ours; the text says why.
pub(crate) fn read(message: &Delivery) -> Result<Read, String> {
    let headers = message.properties.headers().as_ref();
    let required = |name: &str| attribute(headers, name).ok_or_else(|| format!("it has no attribute {name}"));
    let id: EventId = required("id")?
        .parse()
        .map_err(|_| "its id is no UUID".to_owned())?;
    let tenant = attribute(headers, "tenantid")
        .map(|text| text.parse::<TenantId>())
        .transpose()
        .map_err(|_| "its tenantid is no tenant".to_owned())?;
    let at = DateTime::parse_from_rfc3339(&required("time")?)
        .map_err(|_| "its time is none".to_owned())?
        .with_timezone(&Utc);
    let version = number(headers, VERSION).unwrap_or(1);
    let key = attribute(headers, "partitionkey").unwrap_or_else(|| id.to_string());
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(format!("its partitionkey has not 1 to {LONGEST_KEY} bytes"));
    }
    let name = required("type")?;
    if name.len() > LONGEST_NAME {
        return Err(format!("its type has more than {LONGEST_NAME} bytes"));
    }
    let envelope = Envelope {
        id,
        name,
        // A foreign value matches no consumer's version.
        version: u16::try_from(version).unwrap_or(u16::MAX),
        source: required("source")?,
        tenant,
        key,
        at,
        traceparent: attribute(headers, "traceparent"),
        payload: String::from_utf8(message.data.clone()).map_err(|_| "its body is no UTF-8".to_owned())?,
    };
    Ok(Read {
        envelope,
        before: tries_before(message),
        again: message.redelivered || number(headers, REDELIVERIES).is_some_and(|times| times > 0),
    })
}

/// How often a message had been tried in vain when it came into the queue: as we wrote down then. How often the broker
/// delivered it since says nothing about that: it may have been held only.
pub(crate) fn tries_before(message: &Delivery) -> i32 {
    let tries = number(message.properties.headers().as_ref(), ATTEMPTS).unwrap_or_default();
    i32::try_from(tries.clamp(0, 1_000_000)).unwrap_or_default()
}

/// The properties of a dead letter: the message's own, and why it is dead.
pub(crate) fn dead(
    message: &BasicProperties,
    attempts: i32,
    reason: &str,
    at: DateTime<Utc>,
) -> BasicProperties {
    let mut headers = without_ours(message);
    headers.insert(ATTEMPTS.into(), AMQPValue::LongInt(attempts));
    headers.insert(REASON.into(), AMQPValue::LongString(reason.into()));
    headers.insert(DIED_AT.into(), AMQPValue::LongString(time(at).into()));
    message
        .clone()
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers)
}

/// The properties of a dead letter that gets all its deliveries once more.
pub(crate) fn revived(message: &BasicProperties) -> BasicProperties {
    message
        .clone()
        .with_delivery_mode(PERSISTENT)
        .with_headers(without_ours(message))
}

/// The headers that the publisher gave the message.
fn without_ours(message: &BasicProperties) -> FieldTable {
    let mut headers = FieldTable::default();
    for (name, value) in message.headers().iter().flatten() {
        let name_text = name.as_str();
        let by_broker = name_text == REDELIVERIES
            || name_text == DEATHS
            || name_text.starts_with("x-first-death-")
            || name_text.starts_with("x-last-death-");
        if !by_broker && ![ATTEMPTS, REASON, DIED_AT].contains(&name_text) {
            headers.insert(name.clone(), value.clone());
        }
    }
    headers
}

/// Why the broker itself made a dead letter of it, if it did: its own word for it, and since when.
pub(crate) fn death(message: &Delivery) -> Option<(String, Option<DateTime<Utc>>)> {
    let headers = message.properties.headers().as_ref()?;
    let AMQPValue::FieldArray(deaths) = headers.inner().get(DEATHS)? else {
        return None;
    };
    let AMQPValue::FieldTable(last) = deaths.as_slice().first()? else {
        return None;
    };
    let since = match last.inner().get("time") {
        Some(AMQPValue::Timestamp(seconds)) => i64::try_from(*seconds)
            .ok()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        _ => None,
    };
    Some((text(last.inner().get("reason")?)?, since))
}

/// A header as text.
pub(crate) fn header(message: &Delivery, name: &str) -> Option<String> {
    text(message.properties.headers().as_ref()?.inner().get(name)?)
}

/// An attribute of CloudEvents.
pub(crate) fn attribute(headers: Option<&FieldTable>, name: &str) -> Option<String> {
    let headers = headers?.inner();
    ["_", ":"]
        .iter()
        .find_map(|separator| headers.get(format!("cloudEvents{separator}{name}").as_str()))
        .and_then(text)
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
    // No column of a database takes it.
    .filter(|text| !text.contains('\0'))
}

/// A header as a number, in whatever width it was written.
pub(crate) fn number(headers: Option<&FieldTable>, name: &str) -> Option<i64> {
    Some(match headers?.inner().get(name)? {
        AMQPValue::ShortShortInt(number) => i64::from(*number),
        AMQPValue::ShortShortUInt(number) => i64::from(*number),
        AMQPValue::ShortInt(number) => i64::from(*number),
        AMQPValue::ShortUInt(number) => i64::from(*number),
        AMQPValue::LongInt(number) => i64::from(*number),
        AMQPValue::LongUInt(number) => i64::from(*number),
        AMQPValue::LongLongInt(number) => *number,
        value => text(value)?.parse().ok()?,
    })
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

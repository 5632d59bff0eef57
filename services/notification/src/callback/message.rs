//! What a person wrote, or what became of their number.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{Renamed, text_of, time_of};
use crate::addresses;
use crate::conversations::{Inbound, Person};
use crate::providers::is_provider_id;

/// The longest text that is kept: WhatsApp allows no longer one.
const LONGEST: usize = 4_096;

/// Who wrote, as the callback introduces them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Contact {
    profile: Profile,
    wa_id: Value,
    user_id: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Profile {
    name: Value,
    username: Value,
}

/// A person has another number now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) from: Person,
    /// In E.164.
    pub(crate) to: String,
    /// The provider's id of the person, which may be another one too.
    pub(crate) user: Option<String>,
}

/// What an item of `messages` is.
pub(super) enum Read {
    Inbound(Inbound),
    Moved(Moved),
    Renamed(Renamed),
}

/// Reads an item of `messages`; none for what names no person or no message.
pub(super) fn read(message: Value, contacts: &[Contact], now: DateTime<Utc>) -> Option<Read> {
    let kind = message["type"]
        .as_str()
        .filter(|kind| is_kind(kind))
        .unwrap_or("other");
    let from = person(&message, contacts)?;
    if kind == "system" {
        return system(&message["system"], from);
    }
    let id = message["id"].as_str().filter(|id| is_provider_id(id))?;
    Some(Read::Inbound(Inbound {
        from,
        provider_id: id.to_owned(),
        kind: kind.to_owned(),
        body: body(&message, kind).map(kept),
        at: time_of(&message["timestamp"], now),
        payload: message.to_string(),
        asks: None,
        is_answered: false,
    }))
}

fn is_kind(kind: &str) -> bool {
    (1..=40).contains(&kind.len()) && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The person by number, by the provider's id, or by both. Somebody who has neither is nobody.
fn person(message: &Value, contacts: &[Contact]) -> Option<Person> {
    let address = message["from"].as_str().and_then(addresses::of_digits);
    let user = text_of(&message["from_user_id"]);
    let contact = contacts
        .iter()
        .find(|contact| contact.is(address.as_deref(), user.as_deref()));
    let of_contact = |id: fn(&Contact) -> &Value| contact.and_then(|contact| text_of(id(contact)));
    let user = user.or_else(|| of_contact(|contact| &contact.user_id));
    if address.is_none() && user.is_none() {
        return None;
    }
    let name = contact.and_then(|contact| {
        let Profile { name, username } = &contact.profile;
        name.as_str().or(username.as_str())
    });
    let name = name.map(|name| crate::providers::presentable(name).chars().take(200).collect());
    Some(Person { address, user, name })
}

impl Contact {
    fn is(&self, address: Option<&str>, user: Option<&str>) -> bool {
        let by_user = user.is_some() && self.user_id.as_str() == user;
        let number = self.wa_id.as_str().and_then(addresses::of_digits);
        by_user || (address.is_some() && number.as_deref() == address)
    }
}

/// What a message says, where it says something.
fn body<'a>(message: &'a Value, kind: &str) -> Option<&'a str> {
    let part = &message[kind];
    let said = match kind {
        "text" => &part["body"],
        "button" => &part["text"],
        "interactive" => match part["type"].as_str() {
            Some(answer @ ("button_reply" | "list_reply")) => &part[answer]["title"],
            _ => return None,
        },
        "reaction" => &part["emoji"],
        _ => &part["caption"],
    };
    said.as_str().filter(|text| !text.is_empty())
}

/// Text as the database can keep it, in lines.
fn kept(text: &str) -> String {
    let is_kept = |c: &char| !c.is_control() || *c == '\n';
    text.chars()
        .map(|c| if is_kept(&c) { c } else { ' ' })
        .take(LONGEST)
        .collect()
}

fn system(system: &Value, from: Person) -> Option<Read> {
    let user = text_of(&system["user_id"]);
    match system["type"].as_str()? {
        "user_changed_number" => Some(Read::Moved(Moved {
            from,
            to: system["wa_id"].as_str().and_then(addresses::of_digits)?,
            user,
        })),
        "user_changed_user_id" => {
            let renamed = Renamed {
                previous: from.user?,
                current: user?,
            };
            renamed.is_one().then_some(Read::Renamed(renamed))
        }
        _ => None,
    }
}

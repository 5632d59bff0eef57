//! The form that a callback of Twilio's is. No I/O here.

use std::collections::BTreeMap;

/// The fields of a form by name, in the order in which they are signed. A name may come several times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form(BTreeMap<String, Vec<String>>);

impl Form {
    /// The fields of a body of the type `application/x-www-form-urlencoded`. None when a name or a value is no UTF-8: what
    /// was signed then is not what would be read.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            // What cannot be decoded is read as this character.
            if name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER) {
                return None;
            }
            fields
                .entry(name.into_owned())
                .or_default()
                .push(value.into_owned());
        }
        Some(Self(fields))
    }

    /// The value of a field that comes once; of others it is not clear which one is meant.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        match self.0.get(name)?.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// What is signed beside the address: each name with each of its values, names and values sorted, a value that comes
    /// again left out.
    pub(super) fn signed(&self) -> String {
        let mut text = String::new();
        for (name, values) in &self.0 {
            let mut values: Vec<&String> = values.iter().collect();
            values.sort();
            values.dedup();
            for value in values {
                text.push_str(name);
                text.push_str(value);
            }
        }
        text
    }

    /// Everything in it, as JSON, for the record: a list where a name came several times.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let field = |(name, values): (&String, &Vec<String>)| {
            let value = match values.as_slice() {
                [one] => one.as_str().into(),
                several => several.to_vec().into(),
            };
            (name.clone(), value)
        };
        serde_json::Value::Object(self.0.iter().map(field).collect())
    }
}

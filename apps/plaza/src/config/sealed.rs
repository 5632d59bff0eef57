//! Values that stand sealed in `plaza.toml` or the environment: `enc:v1.…`, opened with the encryption key, which alone
//! cannot be one of them.

use plaza_crypto::{KeyRing, SealContext, SealedWith};
use secrecy::{ExposeSecret, SecretString};
use toml::{Table, Value};

/// What a sealed value begins with.
const PREFIX: &str = "enc:";

/// All of them have one place: which setting it is, its reader decides.
const PLACE: SealContext<'static> = SealContext {
    tenant: "platform",
    table: "configuration",
    column: "value",
    row: "",
};

/// A value as the configuration may hold it.
pub(crate) fn seal(ring: &KeyRing, value: &str) -> String {
    format!("{PREFIX}{}", ring.seal(&PLACE, value.as_bytes()))
}

/// A setting that stands sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedSetting {
    /// Its name: `database.url`.
    pub(crate) name: String,
    /// The id of the key that it was sealed with.
    pub(crate) key: String,
}

/// What was seen while values were opened.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What does not open, by its name.
    pub(super) problems: Vec<String>,
    /// What stands sealed.
    pub(super) sealed: Vec<SealedSetting>,
}

/// Opens sealed values with the key of this configuration.
pub(super) struct Opener {
    ring: Option<KeyRing>,
}

impl Opener {
    pub(super) fn of(table: &Table) -> Self {
        let key = table.get("encryption_key").and_then(Value::as_str);
        let ring = key.and_then(|key| KeyRing::parse(&SecretString::from(key)).ok());
        Self { ring }
    }

    /// All values of a table and of those in it.
    pub(super) fn open_all(&self, name: &str, table: &mut Table, seen: &mut Seen) {
        for (key, value) in table.iter_mut() {
            let name = [name, key].join(".");
            self.open_value(name.trim_start_matches('.'), value, seen);
        }
    }

    fn open_value(&self, name: &str, value: &mut Value, seen: &mut Seen) {
        match value {
            Value::String(text) => {
                if let Some(opened) = self.open(name, text, seen) {
                    *text = opened;
                }
            }
            Value::Array(all) => {
                for value in all {
                    self.open_value(name, value, seen);
                }
            }
            Value::Table(inner) => self.open_all(name, inner, seen),
            _ => {}
        }
    }

    /// One value; none if it is not sealed, or does not open.
    pub(super) fn open(&self, name: &str, text: &str, seen: &mut Seen) -> Option<String> {
        let sealed = text.strip_prefix(PREFIX)?;
        if let Some(SealedWith::Ring(key)) = SealedWith::of(sealed) {
            let (name, key) = (name.to_owned(), key.to_owned());
            seen.sealed.push(SealedSetting { name, key });
        }
        let Some(ring) = &self.ring else {
            seen.problems.push(format!(
                "`{name}` is sealed: encryption_key (ENCRYPTION_KEY) has to be set, and not sealed itself"
            ));
            return None;
        };
        let opened = ring.open(&PLACE, sealed).ok();
        let opened = opened.and_then(|plain| String::from_utf8(plain.expose_secret().clone()).ok());
        if opened.is_none() {
            seen.problems.push(format!(
                "`{name}` is sealed and does not open with the encryption key"
            ));
        }
        opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_values_are_opened_wherever_they_stand() {
        let key = KeyRing::generate();
        let ring = KeyRing::parse(&key).unwrap();
        let (one, two) = (seal(&ring, "one"), seal(&ring, "two"));
        let text = format!(
            "encryption_key = \"{}\"\n[a]\nb = \"{one}\"\nc = [\"x\", \"{two}\"]\nd = 1",
            key.expose_secret()
        );
        let (mut table, mut seen): (Table, _) = (text.parse().unwrap(), Seen::default());
        Opener::of(&table).open_all("", &mut table, &mut seen);
        assert_eq!(seen.problems, Vec::<String>::new());
        assert_eq!(table["a"]["b"].as_str(), Some("one"));
        assert_eq!(table["a"]["c"][1].as_str(), Some("two"));
        let sealed = ["a.b", "a.c"].map(|name| SealedSetting {
            name: name.to_owned(),
            key: ring.first_id().to_owned(),
        });
        assert_eq!(seen.sealed, sealed, "by their names and their key");
    }

    #[test]
    fn what_does_not_open_is_told_by_its_name_and_not_shown() {
        let ring = KeyRing::parse(&KeyRing::generate()).unwrap();
        let sealed = seal(&ring, "CANARY");
        for key in [
            "",
            &format!("encryption_key = \"{}\"\n", KeyRing::generate().expose_secret()),
        ] {
            let text = format!("{key}[a]\nb = \"{sealed}\"");
            let (mut table, mut seen): (Table, _) = (text.parse().unwrap(), Seen::default());
            Opener::of(&table).open_all("", &mut table, &mut seen);
            let problems = seen.problems;
            assert_eq!(problems.len(), 1);
            assert!(problems[0].contains("`a.b` is sealed"), "{problems:?}");
            assert!(!problems[0].contains(&sealed) && !problems[0].contains("CANARY"));
        }
    }
}

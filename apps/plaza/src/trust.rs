//! What the services of this process prove their names with to those of other processes.

use plaza_contracts::services::{ALL, GATEWAY};
use plaza_rpc::InternalKeys;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{ConfigError, InternalSection};
use crate::hosting::Hosting;

/// The least that signing keys are derived from, where somebody else than Plaza made it up.
const KEY_BYTES: usize = 32;

/// The keys that the configuration gives, or else those that are derived from this machine's own key.
///
/// # Errors
/// Lists what is wrong with them: both forms at once, a key that is too short or none, a private key that is missing.
pub(crate) fn internal_keys(
    section: &InternalSection,
    own: Option<&SecretString>,
    hosting: &Hosting,
) -> Result<Option<InternalKeys>, ConfigError> {
    let separate = section.signing_keys.given().next().is_some();
    let invalid = |problem: String| Err(ConfigError::Invalid(vec![problem]));
    match (&section.key, separate) {
        (Some(_), true) => invalid(
            "`internal.key` and `internal.signing_keys` are both given: signing keys are either derived or given"
                .to_owned(),
        ),
        (Some(key), false) if key.expose_secret().len() < KEY_BYTES => invalid(format!(
            "internal.key (PLAZA_INTERNAL_KEY) is shorter than {KEY_BYTES} bytes: who guesses it can speak for every \
             service; `openssl rand -hex 32` makes a good one"
        )),
        (Some(key), false) => Ok(Some(InternalKeys::derived(key))),
        (None, true) => given(section, hosting).map(Some),
        (None, false) => Ok(own.map(InternalKeys::derived)),
    }
}

fn given(section: &InternalSection, hosting: &Hosting) -> Result<InternalKeys, ConfigError> {
    let own = section.signing_keys.given();
    let own = own.map(|(service, key)| (service, key.clone())).collect();
    let public = section.public_keys.given();
    let public: std::collections::BTreeMap<_, _> =
        public.map(|(service, key)| (service, key.clone())).collect();
    let mut problems = Vec::new();
    for service in ALL.into_iter().chain([GATEWAY]) {
        let here = hosting.has(service) || (service == GATEWAY && hosting.gateway);
        let signs = section.signing_keys.given().any(|(named, _)| named == service);
        if here && !signs {
            problems.push(format!(
                "`internal.signing_keys.{service}` is missing: {service} runs here"
            ));
        }
        if !public.contains_key(&service) {
            problems.push(format!(
                "`internal.public_keys.{service}` is missing: nobody could tell whether a call is {service}'s"
            ));
        }
    }
    if !problems.is_empty() {
        return Err(ConfigError::Invalid(problems));
    }
    InternalKeys::separate(own, public).map_err(|error| ConfigError::Invalid(vec![error.to_string()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment, Flags};

    fn section(values: &[(&'static str, &str)]) -> InternalSection {
        let mut flags = Flags::default();
        for (key, value) in values {
            flags.push(key, Some(value));
        }
        Config::load(&flags, &Environment::of(std::iter::empty()))
            .unwrap()
            .internal
    }

    const GOOD: (&str, &str) = ("internal.key", "0123456789abcdef0123456789abcdef");
    const SEED: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn refused(values: &[(&'static str, &str)]) -> String {
        internal_keys(&section(values), None, &Hosting::whole())
            .err()
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_key_of_this_machine_does_where_nothing_is_configured() {
        let own = SecretString::from("made at the first start of this folder");
        let found = |own| internal_keys(&section(&[]), own, &Hosting::whole()).unwrap();
        assert!(found(Some(&own)).is_some());
        assert!(found(None).is_none());
    }

    #[test]
    fn what_could_be_guessed_or_meant_in_two_ways_is_refused() {
        internal_keys(&section(&[GOOD]), None, &Hosting::whole()).unwrap();
        assert!(refused(&[("internal.key", "secret")]).contains("shorter than 32"));
        let both = refused(&[GOOD, ("internal.signing_keys.identity", SEED)]);
        assert!(both.contains("both given"), "{both}");
    }

    #[test]
    fn with_keys_of_their_own_all_that_is_missing_is_told() {
        let told = refused(&[("internal.signing_keys.identity", SEED)]);
        assert!(
            told.contains("signing_keys.gateway") && told.contains("public_keys.access"),
            "{told}"
        );
        assert!(!told.contains("signing_keys.identity"), "{told}");
    }
}

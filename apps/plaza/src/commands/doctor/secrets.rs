//! Keeps secrets out of what is printed: addresses without their passwords, and errors without anything they may quote.

use std::error::Error;

use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;

/// The secrets of a configuration, to be taken out of texts that others wrote.
pub(super) struct Secrets(Vec<String>);

/// What is not worth hiding, because hiding it would only make errors unreadable.
const SHORTEST: usize = 4;

impl Secrets {
    pub(super) fn of(config: &Config) -> Self {
        let mut whole: Vec<&SecretString> = Vec::new();
        whole.extend(&config.database.url);
        whole.extend(&config.database.role_key);
        whole.extend(&config.encryption_key);
        whole.extend(&config.events.rabbitmq_url);
        whole.extend(&config.internal.key);
        whole.extend(config.internal.signing_keys.given().map(|(_, key)| key));
        for login in config.logins.values() {
            whole.extend(&login.service);
            whole.extend(&login.system);
        }
        let mut secrets = Self(Vec::new());
        for secret in whole {
            secrets.add(secret);
        }
        secrets
    }

    /// One more: as a whole, and the password in it if it is an address.
    pub(super) fn add(&mut self, secret: &SecretString) {
        let text = secret.expose_secret();
        self.0.extend(password(text).into_iter().chain([text.to_owned()]));
        self.0.retain(|secret| secret.len() >= SHORTEST);
        // The longest first: what is taken out of a longer one would leave the rest of it.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// A text without them.
    pub(super) fn out_of(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"))
    }

    /// An error with its causes, on one line, without them.
    pub(super) fn told(&self, error: &(dyn Error + 'static)) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        self.out_of(&text.replace('\n', " "))
    }
}

/// Where an address leads and as whom: never the password, nor anything else that is not known to be harmless.
pub(super) fn address(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => url(scheme, rest),
        None => words(text),
    }
}

fn url(scheme: &str, rest: &str) -> String {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // The last `@`: a password that nobody encoded may hold one.
    let (user, host) = match authority.rsplit_once('@') {
        Some((login, host)) => (login.split(':').next().unwrap_or_default(), host),
        None => ("", authority),
    };
    // A password that holds a `/` or `?` would end the authority too early.
    if path.contains('@') {
        return format!("{scheme}://…");
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    match user {
        "" => format!("{scheme}://{host}{path}"),
        user => format!("{scheme}://{user}@{host}{path}"),
    }
}

/// `key=value` words of PostgreSQL; quoted ones are not taken apart.
fn words(text: &str) -> String {
    const HARMLESS: [&str; 5] = ["host", "port", "dbname", "user", "sslmode"];
    if text.contains('\'') {
        return "(given)".to_owned();
    }
    let known: Vec<&str> = text
        .split_whitespace()
        .filter(|word| {
            word.split_once('=')
                .is_some_and(|(key, _)| HARMLESS.contains(&key))
        })
        .collect();
    match known.is_empty() {
        true => "(given)".to_owned(),
        false => known.join(" "),
    }
}

fn password(address: &str) -> Option<String> {
    if let Some((_, rest)) = address.split_once("://") {
        let (login, _) = rest.rsplit_once('@')?;
        return Some(login.split_once(':')?.1.to_owned());
    }
    let word = address
        .split_whitespace()
        .find_map(|word| word.strip_prefix("password="))?;
    Some(word.trim_matches('\'').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_what_opens_it() {
        for (given, told) in [
            (
                "postgresql://me:CANARY@db.example:5432/plaza?sslmode=require",
                "postgresql://me@db.example:5432/plaza",
            ),
            (
                "postgresql://db.example/plaza?password=CANARY",
                "postgresql://db.example/plaza",
            ),
            ("postgresql://me:CAN@NARY@db/plaza", "postgresql://me@db/plaza"),
            ("postgresql://me:CAN/ARY@db/plaza", "postgresql://…"),
            ("postgresql://me:CAN?ARY@db/plaza", "postgresql://…"),
            ("postgresql://:CANARY@db/plaza", "postgresql://db/plaza"),
            (
                "amqps://plaza:CANARY@broker.example/plaza",
                "amqps://plaza@broker.example/plaza",
            ),
            (
                "host=/run/plaza port=5433 user=me password=CANARY",
                "host=/run/plaza port=5433 user=me",
            ),
            ("host=db password='CANARY CANARY'", "(given)"),
            ("CANARY", "(given)"),
            ("http://collector:4318", "http://collector:4318"),
        ] {
            assert_eq!(address(given), told);
            assert!(!address(given).contains("NARY"));
        }
    }

    #[test]
    fn an_error_that_quotes_a_secret_is_told_without_it() {
        let mut secrets = Secrets(Vec::new());
        secrets.add(&"postgresql://me:CANARY-1@db/plaza".into());
        secrets.add(&"host=db password=CANARY-2".into());
        secrets.add(&"CANARY-3 and more".into());
        let text = "CANARY-1, postgresql://me:CANARY-1@db/plaza, CANARY-2, CANARY-3 and more";
        assert_eq!(secrets.out_of(text), "…, …, …, …");
    }
}

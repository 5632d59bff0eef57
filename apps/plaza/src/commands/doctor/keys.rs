//! What secrets at rest are sealed with, and what processes know each other by.

use plaza_contracts::services::{ALL, GATEWAY};
use plaza_crypto::KeyRing;

use super::report::Report;
use super::secrets::Secrets;
use crate::config::Config;
use crate::hosting::Hosting;
use crate::trust;

pub(super) fn look(config: &Config, report: &mut Report) {
    report.area("keys");
    let secrets = Secrets::of(config);
    match &config.encryption_key {
        None => report.note(
            "encryption_key",
            "none: right for `plaza up`, which makes its own, and where neither identity nor notification is",
        ),
        Some(key) => match KeyRing::parse(key) {
            Ok(_) => report.ok("encryption_key", "can be read"),
            Err(error) => report.fail(
                "encryption_key",
                secrets.told(&error),
                "write `id:base64` of 32 random bytes: echo \"k1:$(openssl rand -base64 32)\"",
            ),
        },
    }
    internal(config, &secrets, report);
}

fn internal(config: &Config, secrets: &Secrets, report: &mut Report) {
    // Which parts a process hosts shows in the keys it has; without keys of their own, any will do.
    let signs: Vec<_> = config
        .internal
        .signing_keys
        .given()
        .map(|(service, _)| service)
        .collect();
    let services: Vec<_> = ALL
        .into_iter()
        .filter(|service| signs.contains(service))
        .collect();
    let hosting = match signs.is_empty() {
        true => Hosting::whole(),
        false => Hosting {
            gateway: signs.contains(&GATEWAY),
            serves: services.clone(),
            works: services.clone(),
            assembles: services,
        },
    };
    match trust::internal_keys(&config.internal, None, &hosting) {
        Ok(Some(_)) if signs.is_empty() => {
            report.ok("internal keys", "derived from internal.key for every service")
        }
        Ok(Some(_)) => {
            let names: Vec<&str> = signs.iter().map(|service| service.as_str()).collect();
            report.ok(
                "internal keys",
                format!("this process signs as {}", names.join(", ")),
            );
        }
        Ok(None) if config.internal.public_keys.given().next().is_some() => report.note(
            "internal keys",
            "public ones alone: nobody signs here, as is right for who only looks",
        ),
        Ok(None) if is_split(config) => report.fail(
            "internal keys",
            "none, but services of other processes are configured",
            "give internal.key (PLAZA_INTERNAL_KEY) to all processes: openssl rand -hex 32",
        ),
        Ok(None) => report.note("internal keys", "none: right where everything is in one process"),
        Err(error) => report.fail(
            "internal keys",
            secrets.told(&error),
            "see [internal] in docs/plaza.toml",
        ),
    }
}

/// Whether some service is said to be elsewhere.
pub(super) fn is_split(config: &Config) -> bool {
    ALL.into_iter()
        .any(|service| !config.services.of(service).is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;
    use crate::config::{Environment, Flags};

    fn told(values: &[(&'static str, &str)]) -> (Vec<Level>, String) {
        let mut flags = Flags::default();
        for (key, value) in values {
            flags.push(key, Some(value));
        }
        let config = Config::load(&flags, &Environment::of(std::iter::empty())).unwrap();
        let mut report = Report::default();
        look(&config, &mut report);
        let levels = report.lines().map(|line| line.level).collect();
        (levels, report.to_string())
    }

    #[test]
    fn a_laptop_needs_none() {
        assert_eq!(told(&[]).0, [Level::Note, Level::Note]);
    }

    #[test]
    fn what_cannot_be_read_is_told_without_being_shown() {
        let (levels, text) = told(&[("encryption_key", "CANARY"), ("internal.key", "CANARY")]);
        assert_eq!(levels, [Level::Fail, Level::Fail]);
        assert!(!text.contains("CANARY"), "{text}");
    }

    #[test]
    fn whoever_calls_others_needs_a_key() {
        let split = ("services.access", "http://10.0.0.1:9080");
        assert_eq!(told(&[split]).0[1], Level::Fail);
        let known = (
            "internal.public_keys.access",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        );
        assert_eq!(told(&[split, known]).0[1], Level::Note);
        let key = ("internal.key", "0123456789abcdef0123456789abcdef");
        assert_eq!(told(&[split, key]).0[1], Level::Ok);
    }
}

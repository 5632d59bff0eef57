//! The configuration as it was understood: what the processes of an installation have to agree on, and where each value is
//! from. All settings are in `docs/plaza.toml`.

use std::path::PathBuf;

use plaza_contracts::services::ALL;
use secrecy::{ExposeSecret, SecretString};
use toml::{Table, Value};

use super::report::Report;
use super::secrets::address;
use crate::config::{Config, Environment, Flags};

/// One setting: its key, the short name of its variable, its value as it may be shown.
type Row = (String, &'static str, String);

pub(super) fn look(config: &Config, flags: &Flags, environment: &Environment, report: &mut Report) {
    report.area("configuration");
    let file = File::find(flags, environment);
    match &file {
        Some(file) => report.note("file", file.path.display().to_string()),
        None => report.note("file", "none"),
    }
    for (key, short, value) in rows(config) {
        let origin = origin(&key, short, flags, environment, file.as_ref());
        report.note(key, format!("{value}  ({origin})"));
    }
    for (service, login) in &config.logins {
        let upper = service.as_str().to_ascii_uppercase();
        for (name, url) in [
            ("DATABASE_URL", &login.service),
            ("SYSTEM_DATABASE_URL", &login.system),
        ] {
            if let Some(url) = url {
                report.note(format!("PLAZA_{upper}_{name}"), address(url.expose_secret()));
            }
        }
    }
}

fn rows(config: &Config) -> Vec<Row> {
    let row = |key: &str, short, value: String| (key.to_owned(), short, value);
    let server = &config.server;
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let mut rows = vec![
        row("data", "PLAZA_DATA", config.data.display().to_string()),
        row("server.listen", "PLAZA_LISTEN", server.listen.to_string()),
        row(
            "server.internal_listen",
            "PLAZA_INTERNAL_LISTEN",
            server.internal_listen.to_string(),
        ),
        row("server.public_url", "", text(&server.public_url)),
        row(
            "gateway.base_domain",
            "BASE_DOMAIN",
            config.gateway.base_domain.clone(),
        ),
        row("gateway.https", "", config.gateway.https.to_string()),
        row("database.url", "DATABASE_URL", shown(&config.database.url)),
        row(
            "database.role_key",
            "PLAZA_DATABASE_ROLE_KEY",
            given(&config.database.role_key),
        ),
        row("encryption_key", "ENCRYPTION_KEY", given(&config.encryption_key)),
        row(
            "events.rabbitmq_url",
            "RABBITMQ_URL",
            shown(&config.events.rabbitmq_url),
        ),
        row("internal.key", "PLAZA_INTERNAL_KEY", given(&config.internal.key)),
        row("notification.mail.url", "", text(&config.notification.mail.url)),
        row("telemetry.filter", "PLAZA_LOG", config.telemetry.filter.clone()),
        row(
            "telemetry.otlp_endpoint",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            config
                .telemetry
                .otlp_endpoint
                .as_ref()
                .map_or_else(|| "none".to_owned(), |url| address(url)),
        ),
    ];
    for service in ALL {
        let addresses: Vec<String> = config
            .services
            .of(service)
            .iter()
            .map(|url| address(url))
            .collect();
        if !addresses.is_empty() {
            rows.push((format!("services.{service}"), "", addresses.join(", ")));
        }
    }
    rows
}

fn shown(url: &Option<SecretString>) -> String {
    url.as_ref()
        .map_or_else(|| "none".to_owned(), |url| address(url.expose_secret()))
}

fn given(secret: &Option<SecretString>) -> String {
    match secret {
        Some(_) => "given".to_owned(),
        None => "none".to_owned(),
    }
}

/// The configuration file that was read.
struct File {
    path: PathBuf,
    table: Table,
}

impl File {
    fn find(flags: &Flags, environment: &Environment) -> Option<Self> {
        let named = flags.file.clone();
        let named = named.or_else(|| environment.get("PLAZA_CONFIG").map(PathBuf::from));
        let path = named.unwrap_or_else(|| PathBuf::from("plaza.toml"));
        let table = std::fs::read_to_string(&path).ok()?.parse().ok()?;
        Some(Self { path, table })
    }

    fn has(&self, key: &str) -> bool {
        let mut names = key.split('.');
        let first = names.next().and_then(|name| self.table.get(name));
        let found = names.fold(first, |value, name| {
            value.and_then(Value::as_table).and_then(|table| table.get(name))
        });
        found.is_some()
    }
}

/// Where a value is from: the strongest source that names the key.
fn origin(
    key: &str,
    short: &'static str,
    flags: &Flags,
    environment: &Environment,
    file: Option<&File>,
) -> String {
    if flags.values.iter().any(|(name, _)| *name == key) {
        return "flag".to_owned();
    }
    let long = format!("PLAZA_{}", key.to_ascii_uppercase().replace('.', "__"));
    for name in [long.as_str(), short] {
        // A name without a section is no long name: `PLAZA_ENCRYPTION_KEY` means nothing.
        let counts = name == short || key.contains('.');
        if !name.is_empty() && counts && environment.get(name).is_some() {
            return name.to_owned();
        }
    }
    if key == "server.listen" && environment.get("PORT").is_some() {
        return "PORT".to_owned();
    }
    match file {
        Some(file) if file.has(key) => "file".to_owned(),
        _ => "default".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that may hold a secret holds a canary.
    const CANARIES: [(&str, &str); 11] = [
        (
            "DATABASE_URL",
            "postgresql://me:CANARY@db.example/plaza?password=CANARY",
        ),
        ("PLAZA_DATABASE_ROLE_KEY", "CANARY-CANARY-CANARY-CANARY-CANARY"),
        ("ENCRYPTION_KEY", "k1:CANARY"),
        ("RABBITMQ_URL", "amqp://plaza:CANARY@broker.example/plaza"),
        ("PLAZA_INTERNAL__SIGNING_KEYS__ACCESS", "CANARY"),
        ("PLAZA_INTERNAL_KEY", "CANARY"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://me:CANARY@collector.example:4318",
        ),
        (
            "PLAZA_IDENTITY_DATABASE_URL",
            "postgresql://plaza_identity:CANARY@db.example/plaza",
        ),
        (
            "PLAZA_IDENTITY_SYSTEM_DATABASE_URL",
            "host=db.example password=CANARY",
        ),
        ("PLAZA_SERVICES__ACCESS", "http://me:CANARY@access.example:9080"),
        ("PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET", "CANARY"),
    ];

    fn told(variables: &[(&str, &str)], flags: &Flags) -> String {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment = Environment::of(variables);
        let config = Config::load(flags, &environment).unwrap();
        let mut report = Report::default();
        look(&config, flags, &environment, &mut report);
        report.to_string()
    }

    #[test]
    fn no_secret_is_shown() {
        let told = told(&CANARIES, &Flags::default());
        assert!(!told.contains("CANARY"), "{told}");
        for shown in [
            "me@db.example/plaza",
            "plaza@broker.example",
            "me@collector.example",
            "me@access.example",
        ] {
            assert!(told.contains(shown), "{shown} in\n{told}");
        }
    }

    #[test]
    fn each_value_says_where_it_is_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plaza.toml");
        let text = "[server]\npublic_url = \"https://a.example\"\ninternal_listen = \"127.0.0.1:7\"\n";
        std::fs::write(&path, text).unwrap();
        let mut flags = Flags {
            file: Some(path.clone()),
            ..Flags::default()
        };
        flags.push("data", Some("/elsewhere"));
        let told = told(
            &[
                ("PLAZA_INTERNAL_LISTEN", "127.0.0.1:8"),
                ("PLAZA_GATEWAY__HTTPS", "true"),
                ("PORT", "9"),
            ],
            &flags,
        );
        for (key, value) in [
            ("file", path.display().to_string()),
            ("data", "/elsewhere  (flag)".to_owned()),
            ("server.public_url", "https://a.example  (file)".to_owned()),
            (
                "server.internal_listen",
                "127.0.0.1:8  (PLAZA_INTERNAL_LISTEN)".to_owned(),
            ),
            ("gateway.https", "true  (PLAZA_GATEWAY__HTTPS)".to_owned()),
            ("server.listen", "127.0.0.1:9  (PORT)".to_owned()),
            ("gateway.base_domain", "localhost  (default)".to_owned()),
        ] {
            let found = told
                .lines()
                .any(|line| line.trim_start().starts_with(key) && line.ends_with(&value));
            assert!(found, "{key} {value} in\n{told}");
        }
    }
}

//! Configuration: read once, validated as a whole, unknown keys refused.
//!
//! Order of precedence: defaults < `plaza.toml` < `.env` < environment < flags. Every key of the file can be given as
//! `PLAZA_SECTION__KEY`; some have an older name too (see `environment.rs`).

mod agreement;
mod environment;
mod errors;
pub(crate) mod sealed;
mod sections;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plaza_kernel::ServiceName;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub(crate) use environment::Environment;
pub(crate) use errors::ConfigError;
pub(crate) use sections::{
    DatabaseSection, DevelopmentSection, EventsSection, InternalSection, ServerSection, ServicesSection,
};

/// Everything a process is told.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where Plaza keeps what belongs to this machine.
    pub(crate) data: PathBuf,
    /// Listeners and shutdown.
    pub(crate) server: ServerSection,
    /// The database; no URL means the embedded cluster.
    pub(crate) database: DatabaseSection,
    /// Logins that override the derived ones, by service.
    pub(crate) logins: BTreeMap<ServiceName, plaza_database::Login>,
    /// `id:base64[,…]`: the keys that secrets at rest are sealed with.
    pub(crate) encryption_key: Option<SecretString>,
    /// The settings that stand sealed themselves.
    pub(crate) sealed: Vec<sealed::SealedSetting>,
    /// How events travel.
    pub(crate) events: EventsSection,
    /// Where services of other processes are.
    pub(crate) services: ServicesSection,
    /// How processes know each other.
    pub(crate) internal: InternalSection,
    /// The front door.
    pub(crate) gateway: plaza_gateway::GatewaySettings,
    /// The provider simulator.
    pub(crate) simulator: plaza_simulator::SimulatorSettings,
    /// Logs.
    pub(crate) telemetry: plaza_telemetry::TelemetrySettings,
    /// What only a laptop needs.
    pub(crate) development: DevelopmentSection,
    /// Users and sessions.
    pub(crate) identity: plaza_identity::IdentityConfig,
    /// Sending.
    pub(crate) notification: plaza_notification::NotificationConfig,
    /// Campaigns and imports.
    pub(crate) broadcast: plaza_broadcast::BroadcastConfig,
}

/// What flags say; they win over everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--config`.
    pub(crate) file: Option<PathBuf>,
    /// What this command usually wants; the file already wins over it.
    pub(crate) usual: &'static [(&'static str, &'static str)],
    /// Dotted keys and their values: `("server.listen", "127.0.0.1:0")`.
    pub(crate) values: Vec<(&'static str, String)>,
}

impl Flags {
    /// Adds a value, if there is one.
    pub(crate) fn push(&mut self, key: &'static str, value: Option<impl ToString>) {
        self.values.extend(value.map(|value| (key, value.to_string())));
    }
}

impl Config {
    /// Whether both logins of a service are given, so that none has to be derived.
    pub(crate) fn has_logins_of(&self, service: ServiceName) -> bool {
        let login = self.logins.get(&service);
        login.is_some_and(|login| login.service.is_some() && login.system.is_some())
    }

    /// Reads file, `.env`, environment and flags.
    ///
    /// # Errors
    /// One error that lists everything that is wrong.
    pub(crate) fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let mut table = Table::new();
        for (key, value) in flags.usual {
            set(&mut table, key, value);
        }
        merge(&mut table, read_file(flags.file.as_deref(), environment)?);
        for (key, value) in environment.overlay() {
            set(&mut table, &key, &value);
        }
        for (key, value) in &flags.values {
            set(&mut table, key, value);
        }
        let opener = sealed::Opener::of(&table);
        let mut seen = sealed::Seen::default();
        opener.open_all("", &mut table, &mut seen);
        let environment = environment.opened(&opener, &mut seen);
        let sealed::Seen { mut problems, sealed } = seen;
        match Self::from_table(table, &environment, &mut problems) {
            Some(config) if problems.is_empty() => Ok(Self { sealed, ..config }),
            _ => Err(ConfigError::Invalid(problems)),
        }
    }

    fn from_table(mut table: Table, environment: &Environment, problems: &mut Vec<String>) -> Option<Self> {
        let data = text(&mut table, "data", problems);
        let encryption_key = text(&mut table, "encryption_key", problems).map(SecretString::from);
        let data = data.map_or_else(|| PathBuf::from(".plaza"), PathBuf::from);
        let given = agreement::Given::of(&table);
        let server = section(&mut table, "server", problems);
        let database = section(&mut table, "database", problems);
        let events = section(&mut table, "events", problems);
        let services = section(&mut table, "services", problems);
        let internal = section(&mut table, "internal", problems);
        let gateway = section(&mut table, "gateway", problems);
        let simulator = section(&mut table, "simulator", problems);
        let telemetry = section(&mut table, "telemetry", problems);
        let development = section(&mut table, "development", problems);
        let identity = section(&mut table, "identity", problems);
        let notification = section(&mut table, "notification", problems);
        let broadcast = section(&mut table, "broadcast", problems);
        for unknown in table.keys() {
            problems.push(errors::unknown_section(unknown));
        }
        let mut config = Self {
            data,
            server: server?,
            database: database?,
            logins: environment.logins(),
            encryption_key,
            sealed: Vec::new(),
            events: events?,
            services: services?,
            internal: internal?,
            gateway: gateway?,
            simulator: simulator?,
            telemetry: telemetry?,
            development: development?,
            identity: identity?,
            notification: notification?,
            broadcast: broadcast?,
        };
        agreement::agree(&mut config, &given, problems);
        Some(config)
    }
}

/// The file that was named, or `plaza.toml` here if there is one.
fn read_file(named: Option<&Path>, environment: &Environment) -> Result<Table, ConfigError> {
    let named = named.map(Path::to_path_buf).or_else(|| environment.config_file());
    let path = match &named {
        Some(path) => path.clone(),
        None if Path::new("plaza.toml").is_file() => PathBuf::from("plaza.toml"),
        None => return Ok(Table::new()),
    };
    let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable {
        path: path.clone(),
        source,
    })?;
    text.parse()
        .map_err(|source: toml::de::Error| ConfigError::Malformed {
            path,
            detail: source.to_string(),
        })
}

/// Lays one table over another.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

/// Takes a setting above all sections out of the table.
fn text(table: &mut Table, name: &str, problems: &mut Vec<String>) -> Option<String> {
    match table.remove(name)? {
        Value::String(text) => Some(text),
        _ => {
            problems.push(format!("`{name}` is a text: write it in quotes"));
            None
        }
    }
}

/// Takes a section out of the table and reads it; what is wrong goes to the list.
fn section<T: DeserializeOwned>(table: &mut Table, name: &str, problems: &mut Vec<String>) -> Option<T> {
    let value = table.remove(name).unwrap_or_else(|| Value::Table(Table::new()));
    match value.try_into() {
        Ok(section) => Some(section),
        Err(error) => {
            problems.push(errors::in_section(name, &error.to_string()));
            None
        }
    }
}

/// Sets a dotted key. A value that reads as a number, a truth value or a list becomes one; all else is text.
fn set(table: &mut Table, key: &str, text: &str) {
    let mut names: Vec<&str> = key.split('.').collect();
    let last = names.pop().unwrap_or(key);
    let mut place = table;
    for name in names {
        let entry = place.entry(name).or_insert_with(|| Value::Table(Table::new()));
        if !entry.is_table() {
            *entry = Value::Table(Table::new());
        }
        let Value::Table(inner) = entry else { return };
        place = inner;
    }
    place.insert(last.to_owned(), typed(key, text));
}

/// Secrets and lists of digits stay text: only keys that hold a number are given one by serde's own rules.
fn typed(key: &str, text: &str) -> Value {
    let secret = ["url", "key", "secret", "token", "headers", "password"]
        .iter()
        .any(|end| key.ends_with(end))
        || key.starts_with("internal.");
    match text {
        // Folders may be called anything.
        _ if key == "data" => Value::String(text.to_owned()),
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ if secret => Value::String(text.to_owned()),
        _ if text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '[')) => {
            // Numbers and lists are written as in the file; an address, which begins with a digit too, is none of them.
            format!("it = {text}")
                .parse()
                .ok()
                .and_then(|mut table: Table| table.remove("it"))
                .filter(is_plain)
                .unwrap_or_else(|| Value::String(text.to_owned()))
        }
        _ => Value::String(text.to_owned()),
    }
}

fn is_plain(value: &Value) -> bool {
    matches!(value, Value::Integer(_) | Value::Float(_) | Value::Array(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plaza.toml");
        std::fs::write(&path, file).unwrap();
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(
            &Flags {
                file: Some(path),
                ..Flags::default()
            },
            &Environment::of(variables),
        )
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_older_names_work() {
        let file = "[server]\nlisten = \"127.0.0.1:1\"\n[gateway]\nbase_domain = \"file.example\"\n";
        let config = load(
            file,
            &[
                ("PLAZA_SERVER__LISTEN", "127.0.0.1:2"),
                ("BASE_DOMAIN", "app.example"),
            ],
        )
        .unwrap();
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:2");
        assert_eq!(config.gateway.base_domain, "app.example");
        assert_eq!(load("", &[("PORT", "9")]).unwrap().server.listen.port(), 9);
    }

    #[test]
    fn variables_hold_what_the_file_may_hold() {
        let variables = [
            ("PLAZA_SIMULATOR__READ_RATE", "0.25"),
            ("PLAZA_SIMULATOR__SEED", "7"),
            ("PLAZA_SIMULATOR__DELAY_MILLISECONDS", "[1, 2]"),
            ("PLAZA_LISTEN", "127.0.0.1:1"),
        ];
        let config = load("", &variables).unwrap();
        assert_eq!((config.simulator.read_rate, config.simulator.seed), (0.25, 7));
        assert_eq!(config.simulator.delay_milliseconds, [1, 2]);
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:1");
    }

    #[test]
    fn every_wrong_section_is_told_at_once_with_the_nearest_known_key() {
        let error = load(
            "[server]\nlisten_adress = \"x\"\n[telemetry]\nformt = 1\n[gatway]\n",
            &[],
        )
        .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("server.listen_adress"), "{text}");
        assert!(text.contains("did you mean `format`"), "{text}");
        assert!(text.contains("did you mean `gateway`"), "{text}");
    }

    #[test]
    fn a_data_folder_may_be_a_number_and_what_is_no_text_is_not_passed_over() {
        for name in ["1", "2.5", "true", "[1]"] {
            assert_eq!(load("", &[("PLAZA_DATA", name)]).unwrap().data, Path::new(name));
        }
        for file in ["data = 1", "encryption_key = 1"] {
            let told = load(file, &[]).unwrap_err().to_string();
            assert!(told.contains("is a text: write it in quotes"), "{told}");
        }
    }

    #[test]
    fn a_secret_never_shows() {
        let config = load(
            "encryption_key = \"k1:abc\"",
            &[("DATABASE_URL", "postgresql://u:pw@h/d")],
        )
        .unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("pw@h") && !shown.contains("k1:abc"), "{shown}");
    }

    /// The reference of all settings.
    const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plaza.toml");

    /// The reference with the settings that have no default: `#name = value`, unlike the prose, which is `# …`.
    fn everything_set() -> String {
        let reference = std::fs::read_to_string(REFERENCE).unwrap();
        let lines = reference.lines().map(|line| {
            let rest = line
                .strip_prefix('#')
                .filter(|rest| rest.starts_with(char::is_alphabetic));
            rest.unwrap_or(line)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The settings that the program knows in a section: what it names to somebody who sets another.
    fn known(section: &str) -> Vec<String> {
        let head = match section {
            "" => String::new(),
            section => format!("[{section}]\n"),
        };
        let unlike_any = "x".repeat(80);
        let error = load(&format!("{head}{unlike_any} = 1"), &[])
            .unwrap_err()
            .to_string();
        let (_, names) = error.split_once("; there are ").unwrap();
        names.split(", ").map(str::to_owned).collect()
    }

    /// Compares a section, and those within it, with what the program knows.
    fn compare(section: &str, table: &Table) {
        let mut known = known(section);
        known.sort();
        let mut written: Vec<&String> = table.keys().collect();
        written.sort();
        assert_eq!(
            written,
            known.iter().collect::<Vec<_>>(),
            "in section `{section}`"
        );
        for (name, value) in table {
            if let Value::Table(inner) = value {
                let section = [section, name].join(".");
                compare(section.trim_start_matches('.'), inner);
            }
        }
    }

    #[test]
    fn the_reference_names_every_setting() {
        compare("", &everything_set().parse().unwrap());
        load(&everything_set(), &[]).unwrap();
    }

    #[test]
    fn the_reference_gives_the_defaults() {
        let reference = std::fs::read_to_string(REFERENCE).unwrap();
        let (written, default) = (load(&reference, &[]).unwrap(), load("", &[]).unwrap());
        assert_eq!(format!("{written:#?}"), format!("{default:#?}"));
    }
}

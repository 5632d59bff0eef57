//! What is wrong with a configuration, in words that help.

use std::path::PathBuf;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The named file is not there or not readable.
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not TOML:\n{detail}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        detail: String,
    },
    /// Keys or values are wrong.
    #[error("the configuration is not valid:\n  - {}", .0.join("\n  - "))]
    Invalid(Vec<String>),
    /// Values are missing that this command needs.
    #[error("this command needs values that are not set:\n  - {}", .0.join("\n  - "))]
    Missing(Vec<String>),
}

const SECTIONS: [&str; 14] = [
    "data",
    "server",
    "database",
    "encryption_key",
    "events",
    "services",
    "internal",
    "gateway",
    "simulator",
    "telemetry",
    "development",
    "identity",
    "notification",
    "broadcast",
];

/// A section nobody knows.
pub(super) fn unknown_section(name: &str) -> String {
    format!(
        "`{name}` is not a section{}",
        suggestion(name, SECTIONS.into_iter())
    )
}

/// What serde says of a section, with the key's full name and the nearest known one.
pub(super) fn in_section(section: &str, message: &str) -> String {
    let message = message.lines().next().unwrap_or(message).trim();
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field")
        && let Some(key) = quoted.next()
    {
        let known: Vec<&str> = quoted.collect();
        return format!(
            "`{section}.{key}` is not a setting{}",
            suggestion(key, known.into_iter())
        );
    }
    format!("in section `{section}`: {message}")
}

/// The nearest known name; all of them when none is near.
fn suggestion<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let distances = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(given, known), known));
    match distances
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(3) / 2)
    {
        Some((_, nearest)) => format!("; did you mean `{nearest}`?"),
        None => format!("; there are {}", known.join(", ")),
    }
}

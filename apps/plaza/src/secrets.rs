//! Secrets that a laptop's Plaza makes for itself at its first start: `.plaza/secrets.toml`, mode 0600.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use plaza_crypto::{KeyRing, random_token};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The secrets of one data folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocalSecrets {
    /// What the passwords of the database roles are derived from.
    pub(crate) role_key: SecretString,
    /// What secrets at rest are sealed with.
    pub(crate) encryption_key: SecretString,
    /// What the simulator signs its callbacks with.
    pub(crate) simulator_app_secret: SecretString,
}

impl LocalSecrets {
    /// Reads them, or makes them if the folder has none yet.
    ///
    /// # Errors
    /// When the folder cannot be written or the file is damaged. A damaged file is never replaced: sealed values in
    /// the database would be lost with it.
    pub(crate) fn load_or_make(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("secrets.toml");
        if !path.exists() {
            write_private(&path, &fresh())?;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }
}

fn fresh() -> String {
    let encryption_key = KeyRing::generate();
    format!(
        "# Made by Plaza at its first start. Keep it with the data: without it nothing sealed can be opened.\n\
         role_key = \"{}\"\nencryption_key = \"{}\"\nsimulator_app_secret = \"{}\"\n",
        random_token().expose_secret(),
        encryption_key.expose_secret(),
        random_token().expose_secret(),
    )
}

/// Writes a file that only its owner may read, whole or not at all.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write_private(path: &Path, content: &str) -> anyhow::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .with_context(|| format!("cannot write {}", temporary.display()))?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_are_nobody_elses_business() {
        let folder = tempfile::tempdir().unwrap();
        let first = LocalSecrets::load_or_make(folder.path()).unwrap();
        let again = LocalSecrets::load_or_make(folder.path()).unwrap();
        assert_eq!(first.role_key.expose_secret(), again.role_key.expose_secret());
        let mode = fs::metadata(folder.path().join("secrets.toml"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secrets.toml"), "role_key = ").unwrap();
        assert!(LocalSecrets::load_or_make(folder.path()).is_err());
        assert_eq!(
            fs::read_to_string(folder.path().join("secrets.toml")).unwrap(),
            "role_key = "
        );
    }
}

//! Secrets that a laptop's Plaza makes for itself at its first start: `.plaza/secrets.toml`, mode 0600.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use plaza_crypto::{KeyRing, random_token};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

const FILE: &str = "secrets.toml";

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
    /// What the services' signing keys are derived from. Folders of earlier versions have none; see
    /// [`LocalSecrets::internal_key`].
    #[serde(default)]
    internal_key: Option<SecretString>,
}

impl LocalSecrets {
    /// Reads them, or makes them if the folder has none yet.
    ///
    /// # Errors
    /// When the folder cannot be written or the file is damaged. A damaged file is never replaced: sealed values in
    /// the database would be lost with it.
    pub(crate) fn load_or_make(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        if !path.exists() {
            publish_once(&path, &fresh())?;
        }
        Self::read(&path)
    }

    /// Reads them; none if the folder has none.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub(crate) fn load(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        path.exists().then(|| Self::read(&path)).transpose()
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// What the services' signing keys are derived from. It never leaves the machine, so a new one at each start does
    /// as well where the folder has none.
    pub(crate) fn internal_key(&self) -> SecretString {
        self.kept_internal_key().unwrap_or_else(random_token)
    }

    /// The same, where the folder has it: who runs on the folder has this one too.
    pub(crate) fn kept_internal_key(&self) -> Option<SecretString> {
        self.internal_key.clone()
    }
}

fn fresh() -> String {
    let encryption_key = KeyRing::generate();
    format!(
        "# Made by Plaza at its first start. Keep it with the data: without it nothing sealed can be opened.\n\
         role_key = \"{}\"\nencryption_key = \"{}\"\nsimulator_app_secret = \"{}\"\n\
         internal_key = \"{}\"\n",
        random_token().expose_secret(),
        encryption_key.expose_secret(),
        random_token().expose_secret(),
        random_token().expose_secret(),
    )
}

/// Writes a file that only its owner may read, whole or not at all.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write_private(path: &Path, content: &str) -> anyhow::Result<()> {
    let temporary = write_beside(path, content)?;
    fs::rename(&temporary, path).with_context(|| format!("cannot write {}", path.display()))?;
    sync_folder_of(path)
}

/// The same for a file that is made once: if another process was quicker, its file stays.
fn publish_once(path: &Path, content: &str) -> anyhow::Result<()> {
    let temporary = write_beside(path, content)?;
    // Unlike a rename, a link never replaces what is there.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("cannot write {}", path.display()))
        }
        // Whoever made it may have died before this: it must be there after a power cut too, before anything is sealed.
        _ => sync_folder_of(path),
    }
}

/// Writes a new file next to where it is to be, under a name of its own: two processes may do so at once.
fn write_beside(path: &Path, content: &str) -> anyhow::Result<PathBuf> {
    let temporary = path.with_extension(format!("{}.new", random_token().expose_secret()));
    let cannot = || format!("cannot write {}", temporary.display());
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .with_context(cannot)?;
    file.write_all(content.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(cannot)?;
    Ok(temporary)
}

/// A name is on the disk when its folder is.
fn sync_folder_of(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot write the folder {}", folder.display()))
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
    fn first_starts_at_once_agree_on_the_secrets_of_one_of_them() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let starts = std::sync::Barrier::new(8);
            let start = || {
                starts.wait();
                let secrets = LocalSecrets::load_or_make(folder.path()).unwrap();
                secrets.encryption_key.expose_secret().to_owned()
            };
            let keys: Vec<String> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let kept = LocalSecrets::load_or_make(folder.path()).unwrap();
            assert!(
                keys.iter().all(|key| key == kept.encryption_key.expose_secret()),
                "what one of them seals cannot be opened again"
            );
            let files = fs::read_dir(folder.path()).unwrap().count();
            assert_eq!(files, 1, "nothing else is left behind");
        }
    }

    #[test]
    fn secrets_that_appear_meanwhile_are_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        publish_once(&path, "theirs").unwrap();
        publish_once(&path, "ours").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        write_private(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
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

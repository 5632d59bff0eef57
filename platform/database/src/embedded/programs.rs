//! Finding the installed PostgreSQL programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::EmbeddedError;

/// The oldest major version that Plaza runs on.
const OLDEST: u32 = 15;

/// A folder with `postgres` and `initdb` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    pub(super) folder: PathBuf,
    pub(super) version: (u32, u32),
}

impl Programs {
    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    /// The programs in a folder, if they are there and new enough.
    fn in_folder(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").is_file() || !folder.join("postgres").is_file() {
            return None;
        }
        let output = Command::new(folder.join("postgres"))
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let version = parse_version(&String::from_utf8_lossy(&output.stdout))?;
        (version.0 >= OLDEST).then(|| Self {
            folder: folder.to_owned(),
            version,
        })
    }
}

/// Chooses among the configured folder, `PATH` and `/usr/lib/postgresql/*/bin`.
///
/// An existing cluster needs its own version. Otherwise the configured folder comes first, then the newest.
pub(super) fn find(
    configured: Option<&Path>,
    existing: Option<(&Path, u32)>,
) -> Result<Programs, EmbeddedError> {
    choose(configured, existing, &usual_folders())
}

fn choose(
    configured: Option<&Path>,
    existing: Option<(&Path, u32)>,
    usual: &[PathBuf],
) -> Result<Programs, EmbeddedError> {
    let preferred = match configured {
        Some(folder) => {
            Some(Programs::in_folder(folder).ok_or_else(|| EmbeddedError::NotPrograms(folder.to_owned()))?)
        }
        None => None,
    };
    let found: Vec<Programs> = preferred
        .iter()
        .cloned()
        .chain(usual.iter().filter_map(|folder| Programs::in_folder(folder)))
        .collect();
    if let Some((data, version)) = existing {
        let same = found.into_iter().filter(|programs| programs.version.0 == version);
        return newest(preferred.filter(|programs| programs.version.0 == version), same).ok_or_else(|| {
            EmbeddedError::VersionMissing {
                data: data.to_owned(),
                version,
            }
        });
    }
    newest(preferred, found.into_iter()).ok_or_else(|| EmbeddedError::ProgramsMissing {
        searched: usual.to_vec(),
    })
}

fn newest(preferred: Option<Programs>, found: impl Iterator<Item = Programs>) -> Option<Programs> {
    preferred.or_else(|| found.max_by_key(|programs| programs.version))
}

fn usual_folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders.sort();
    folders.dedup();
    folders
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` → `(15, 14)`; `17beta1` → `(17, 0)`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let number = text.split_once("(PostgreSQL)")?.1.split_whitespace().next()?;
    let digits = |text: &str| {
        text.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .ok()
    };
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((digits(major)?, digits(minor).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn fake(root: &Path, name: &str, version: &str) -> PathBuf {
        let folder = root.join(name);
        std::fs::create_dir(&folder).unwrap();
        for program in ["postgres", "initdb"] {
            let script = format!("#!/bin/sh\necho \"{program} (PostgreSQL) {version}\"\n");
            std::fs::write(folder.join(program), script).unwrap();
            std::fs::set_permissions(folder.join(program), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    #[test]
    fn versions_are_read_as_distributions_print_them() {
        assert_eq!(
            parse_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            Some((15, 14))
        );
        assert_eq!(parse_version("postgres (PostgreSQL) 17beta1\n"), Some((17, 0)));
        assert_eq!(parse_version("command not found"), None);
    }

    #[test]
    fn the_newest_is_taken_but_an_existing_cluster_gets_its_own_version() {
        let root = tempfile::tempdir().unwrap();
        let usual = [
            fake(root.path(), "a", "15.3"),
            fake(root.path(), "b", "17.1"),
            fake(root.path(), "c", "16.9"),
        ];
        let chosen = |existing| choose(None, existing, &usual).map(|programs| programs.version);
        assert_eq!(chosen(None).unwrap(), (17, 1));
        assert_eq!(chosen(Some((Path::new("/data"), 15))).unwrap(), (15, 3));
        let missing = chosen(Some((Path::new("/data"), 18))).unwrap_err();
        assert!(matches!(
            missing,
            EmbeddedError::VersionMissing { version: 18, .. }
        ));
    }

    #[test]
    fn the_configured_folder_comes_before_newer_ones_and_has_to_be_right() {
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (fake(root.path(), "old", "15.3"), fake(root.path(), "new", "17.1"));
        assert_eq!(
            choose(Some(&old), None, std::slice::from_ref(&new))
                .unwrap()
                .version,
            (15, 3)
        );
        let nothing = choose(Some(&root.path().join("none")), None, &[new]).unwrap_err();
        assert!(matches!(nothing, EmbeddedError::NotPrograms(_)));
    }

    #[test]
    fn missing_or_too_old_programs_are_answered_with_the_command_that_installs_them() {
        let root = tempfile::tempdir().unwrap();
        let old = fake(root.path(), "old", "14.22");
        let missing = choose(None, None, &[old, root.path().join("empty")]).unwrap_err();
        let command = missing.install_command().unwrap();
        assert!(command.contains("apt-get install -y --no-install-recommends postgresql"));
        assert!(command.contains("create_main_cluster = false"));
        assert!(missing.to_string().contains(command));
    }
}

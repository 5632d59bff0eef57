//! The programs of the servers that tests need.

use std::path::{Path, PathBuf};

/// A program that is not installed here. The text names the Debian package that has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{program}` is not installed: it is in the package `{package}` (apt-get install -y --no-install-recommends {package})"
)]
pub struct ProgramMissing {
    /// What was looked for.
    pub program: &'static str,
    /// The package of Debian and Ubuntu that has it.
    pub package: &'static str,
}

/// Looks for a program in these folders, then in those of `PATH` and where servers are on Debian.
pub(crate) fn find(
    program: &'static str,
    package: &'static str,
    first: &[&str],
) -> Result<PathBuf, ProgramMissing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    first
        .iter()
        .map(PathBuf::from)
        .chain(std::env::split_paths(&path))
        .chain(["/usr/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| is_program(file))
        .ok_or(ProgramMissing { program, package })
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let missing = find("no-such-server", "no-such-package", &["/usr/lib"]).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "`no-such-server` is not installed: it is in the package `no-such-package` \
             (apt-get install -y --no-install-recommends no-such-package)"
        );
        assert_eq!(
            find("sh", "dash", &["/no/such/folder", "/bin"]).unwrap(),
            Path::new("/bin/sh")
        );
    }
}

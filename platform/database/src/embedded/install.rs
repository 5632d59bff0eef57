//! Installing PostgreSQL where that is one command.

use std::process::Stdio;

use tokio::process::Command;

use super::EmbeddedError;

/// Installs the server programs on Debian or Ubuntu without the cluster that the packages would make and start.
pub const INSTALL_COMMAND: &str = "mkdir -p /etc/postgresql-common \
&& echo 'create_main_cluster = false' >> /etc/postgresql-common/createcluster.conf \
&& apt-get update && apt-get install -y --no-install-recommends postgresql";

/// Runs [`INSTALL_COMMAND`]; its output goes to ours. As root on Debian or Ubuntu only. Whoever calls it has asked.
///
/// # Errors
/// [`EmbeddedError::CannotInstall`] elsewhere, and when the command fails.
pub async fn install() -> Result<(), EmbeddedError> {
    if !rustix::process::geteuid().is_root() || !is_debian_like() {
        return Err(EmbeddedError::CannotInstall);
    }
    let status = Command::new("/bin/sh")
        .args(["-ec", INSTALL_COMMAND])
        // Nobody answers a question of dpkg; the line written above has to survive it.
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("UCF_FORCE_CONFFOLD", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|source| EmbeddedError::Io {
            what: "cannot run /bin/sh".to_owned(),
            source,
        })?;
    if status.success() {
        return Ok(());
    }
    Err(EmbeddedError::ProgramFailed {
        program: "apt-get".to_owned(),
        output: status.to_string(),
    })
}

/// Whether [`install`] can do anything for this process: it is root, on Debian or Ubuntu.
pub fn can_install() -> bool {
    rustix::process::geteuid().is_root() && is_debian_like()
}

fn is_debian_like() -> bool {
    std::fs::read_to_string("/etc/os-release").is_ok_and(|release| names_debian(&release))
}

/// os-release(5): `ID=ubuntu`, `ID_LIKE="ubuntu debian"`.
fn names_debian(release: &str) -> bool {
    release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches('"').split_whitespace())
        .any(|id| id == "debian" || id == "ubuntu")
}

#[cfg(test)]
mod tests {
    use super::names_debian;

    #[test]
    fn debian_and_what_is_made_of_it_are_recognised() {
        assert!(names_debian("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(names_debian("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!names_debian("ID=fedora\nID_LIKE=\"rhel\"\nDEBIAN_ID=debian\n"));
    }
}

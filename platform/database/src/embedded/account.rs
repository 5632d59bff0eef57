//! Whom PostgreSQL runs as: it refuses root.

use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::EmbeddedError;

/// The user a cluster's processes run as and its files belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// The user of this process.
    Own,
    /// Another one: this process is root.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// The owner of an existing cluster; for a new one, this process's own user, or one of `/etc/passwd` for root.
    pub(super) fn for_cluster(data: &Path) -> Result<Self, EmbeddedError> {
        let own = rustix::process::geteuid();
        let owner = std::fs::metadata(data).ok();
        match owner {
            Some(owner) if owner.uid() == own.as_raw() && !own.is_root() => Ok(Self::Own),
            Some(owner) if !own.is_root() => Err(EmbeddedError::NotOurs {
                data: data.to_owned(),
                owner: owner.uid(),
            }),
            Some(owner) if owner.uid() != 0 => Ok(Self::Other {
                uid: owner.uid(),
                gid: owner.gid(),
            }),
            _ if own.is_root() => {
                let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
                unprivileged(&passwd).ok_or(EmbeddedError::NobodyToRunAs)
            }
            _ => Ok(Self::Own),
        }
    }

    /// The user id.
    pub(super) fn uid(self) -> u32 {
        match self {
            Self::Own => rustix::process::geteuid().as_raw(),
            Self::Other { uid, .. } => uid,
        }
    }

    /// Makes the command run as this user, in a process group of its own, from `/` and without our environment.
    ///
    /// Ctrl-C in the terminal must not reach PostgreSQL before Plaza has drained, and the environment holds secrets.
    pub(super) fn prepare(self, command: &mut Command) {
        command.process_group(0).current_dir("/").env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Self::Other { uid, gid } = self {
            // With a uid set, the standard library drops root's supplementary groups too.
            command.uid(uid).gid(gid);
        }
    }

    /// Gives a file or folder to this user.
    pub(super) fn give(self, path: &Path) -> std::io::Result<()> {
        match self {
            Self::Own => Ok(()),
            // Never through a symbolic link: its target may be anything.
            Self::Other { uid, gid } => lchown(path, Some(uid), Some(gid)),
        }
    }
}

/// `postgres` if it exists, else `nobody`. Lines of passwd(5): `name:x:uid:gid:…`.
fn unprivileged(passwd: &str) -> Option<Account> {
    ["postgres", "nobody"].into_iter().find_map(|wanted| {
        passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, ..] = fields[..] else {
                return None;
            };
            let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
            (name == wanted && uid != 0).then_some(Account::Other { uid, gid })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_is_preferred_and_nobody_will_do() {
        let nobody = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\n";
        let both =
            format!("{nobody}postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n");
        assert_eq!(
            unprivileged(nobody),
            Some(Account::Other {
                uid: 65534,
                gid: 65534
            })
        );
        assert_eq!(unprivileged(&both), Some(Account::Other { uid: 101, gid: 104 }));
        assert_eq!(unprivileged("postgres:x:0:0::/:/bin/sh\n"), None);
    }
}

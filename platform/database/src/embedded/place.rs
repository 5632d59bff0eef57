//! Where the cluster lives, and the lock that keeps a second Plaza out.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::EmbeddedError;
use super::account::Account;

/// The home of clusters whose user cannot reach Plaza's data folder.
const ELSEWHERE: &str = "/var/lib/plaza";

/// Plaza's data folder, and the other place if its cluster had to move. Both are locked.
pub(super) struct Places {
    named: Place,
    moved: Option<Place>,
}

impl Places {
    /// Takes the data folder, and the place where an earlier start had to go.
    pub(super) fn take(folder: &Path) -> Result<Self, EmbeddedError> {
        let named = Place::take(folder)?;
        let moved = match named.moved_to() {
            Some(target) if !named.data().exists() => Some(Place::take(&target)?),
            _ => None,
        };
        Ok(Self { named, moved })
    }

    /// Where the cluster is.
    pub(super) fn of_cluster(&self) -> &Place {
        self.moved.as_ref().unwrap_or(&self.named)
    }

    /// Goes where PostgreSQL's user can work. Once: what is unreachable there is unreachable.
    pub(super) fn move_elsewhere(&mut self) -> Result<(), EmbeddedError> {
        if let Some(place) = &self.moved {
            let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
            return Err(EmbeddedError::io("let PostgreSQL's user reach", &place.folder)(
                source,
            ));
        }
        self.moved = Some(Place::take(&self.named.move_elsewhere()?)?);
        Ok(())
    }

    /// What the operator should know about it.
    pub(super) fn note(&self) -> Option<String> {
        let target = self.moved.as_ref()?.folder.display();
        Some(format!(
            "PostgreSQL cannot run as root and its user cannot reach the data folder: the database is in {target}"
        ))
    }
}

/// A folder that holds a cluster and what belongs to it, locked for this process.
pub(super) struct Place {
    folder: PathBuf,
    _lock: File,
}

impl Place {
    /// Makes the folder if needed and locks it.
    fn take(folder: &Path) -> Result<Self, EmbeddedError> {
        // Another user has to pass through root's folder to the cluster in it, without reading it.
        let mode = if rustix::process::geteuid().is_root() {
            0o711
        } else {
            0o700
        };
        make_folder(folder, mode).map_err(EmbeddedError::io("make the folder", folder))?;
        let folder = folder
            .canonicalize()
            .map_err(EmbeddedError::io("find the folder", folder))?;
        let lock = lock(&folder)?;
        Ok(Self { folder, _lock: lock })
    }

    /// The place where an earlier start had to go, if it had to.
    fn moved_to(&self) -> Option<PathBuf> {
        let text = std::fs::read_to_string(self.moved_note()).ok()?;
        let target = PathBuf::from(text.trim());
        target.is_absolute().then_some(target)
    }

    /// Where the cluster goes if its user cannot reach this place. Noted here, so that it is found again even if
    /// this folder gets another name.
    fn move_elsewhere(&self) -> Result<PathBuf, EmbeddedError> {
        let parent = Path::new(ELSEWHERE);
        make_folder(parent, 0o755).map_err(EmbeddedError::io("make the folder", parent))?;
        let target = parent.join(self.hash());
        write_private(&self.moved_note(), target.as_os_str().as_encoded_bytes())?;
        Ok(target)
    }

    /// A short name for this place: 16 hexadecimal digits.
    fn hash(&self) -> String {
        let digest = plaza_crypto::sha256(self.folder.as_os_str().as_encoded_bytes());
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    pub(super) fn password(&self) -> PathBuf {
        self.folder.join("postgres.password")
    }

    fn moved_note(&self) -> PathBuf {
        self.folder.join("postgres.moved")
    }

    /// A private folder for the socket, with a path short enough for a socket address (107 bytes on Linux).
    pub(super) fn socket_folder(&self, account: Account) -> Result<PathBuf, EmbeddedError> {
        let mut tried = Vec::new();
        for parent in ["/run", "/tmp"] {
            let folder = Path::new(parent).join(format!("plaza-{}", self.hash()));
            match private_folder(&folder, account) {
                Ok(()) => return Ok(folder),
                Err(error) => tried.push(format!("{} ({error})", folder.display())),
            }
        }
        Err(EmbeddedError::NoSocketFolder {
            tried: tried.join(", "),
        })
    }
}

/// Makes a folder with exactly this mode, whatever the umask is; one that is there stays as it is.
fn make_folder(folder: &Path, mode: u32) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).create(folder)?;
    std::fs::set_permissions(folder, Permissions::from_mode(mode))
}

/// Locks the folder for as long as the file lives: the kernel gives the lock back however this process ends.
fn lock(folder: &Path) -> Result<File, EmbeddedError> {
    let path = folder.join("postgres.lock");
    let failed = || EmbeddedError::io("lock", &path);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed())?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)
                .and_then(|()| writeln!(file, "{}", std::process::id()))
                .map_err(failed())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.rewind()
                .and_then(|()| file.read_to_string(&mut holder))
                .map_err(failed())?;
            Err(EmbeddedError::InUse {
                folder: folder.to_owned(),
                holder: holder.trim().to_owned(),
            })
        }
        Err(TryLockError::Error(error)) => Err(failed()(error)),
    }
}

/// Makes the folder, or takes the one that is there if it is the account's own and nobody else's.
fn private_folder(folder: &Path, account: Account) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {
            // The umask may have taken bits away.
            std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
            return account.give(folder);
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let found = std::fs::symlink_metadata(folder)?;
    let ours = found.uid() == account.uid() || found.uid() == rustix::process::geteuid().as_raw();
    if !found.is_dir() || !ours || found.mode() & 0o077 != 0 {
        return Err(std::io::Error::other(
            "it exists and is not private to the cluster's user",
        ));
    }
    account.give(folder)
}

/// Writes a file that only its owner reads, whole or not at all, and durably.
pub(super) fn write_private(path: &Path, content: &[u8]) -> Result<(), EmbeddedError> {
    let failed = || EmbeddedError::io("write", path);
    let unfinished = path.with_added_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .map_err(failed())?;
    file.set_permissions(Permissions::from_mode(0o600))
        .map_err(failed())?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(failed())?;
    std::fs::rename(&unfinished, path).map_err(failed())?;
    sync_folder(path)
}

/// Makes the entry of a file in its folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), EmbeddedError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(EmbeddedError::io("sync", folder))
}

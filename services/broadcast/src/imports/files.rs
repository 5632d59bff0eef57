//! Where uploads lie: `<objects>/imports/<tenant>/<import>`, every name of our own making.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use plaza_crypto::Sha256;
use plaza_kernel::TenantId;

use crate::ImportId;

/// The files of one import.
#[derive(Debug, Clone)]
pub(crate) struct ImportFiles {
    upload: PathBuf,
}

impl ImportFiles {
    /// The files of this import.
    pub(crate) fn new(objects: &Path, tenant: TenantId, id: ImportId) -> Self {
        Self {
            upload: folder(objects).join(tenant.to_string()).join(id.to_string()),
        }
    }

    /// What the client sent, whole.
    pub(crate) fn upload(&self) -> &Path {
        &self.upload
    }

    /// What the client is still sending.
    pub(crate) fn partial(&self) -> PathBuf {
        self.upload.with_extension("part")
    }

    /// The upload as UTF-8, if it was anything else.
    pub(crate) fn utf8(&self) -> PathBuf {
        self.upload.with_extension("utf8")
    }

    /// Where [`ImportFiles::utf8`] is written until it is whole.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.upload.with_extension("scratch")
    }

    /// The file that rows are read from.
    pub(crate) fn readable(&self, rewritten: bool) -> PathBuf {
        if rewritten {
            self.utf8()
        } else {
            self.upload.clone()
        }
    }

    /// Removes all of them: an upload holds names and numbers of people and is not kept once it was read.
    pub(crate) fn remove(&self) {
        for path in [self.upload.clone(), self.partial(), self.utf8(), self.scratch()] {
            if let Err(error) = std::fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an import's file stays behind"
                );
            }
        }
    }
}

/// The folder of all tenants' uploads.
pub(crate) fn folder(objects: &Path) -> PathBuf {
    objects.join("imports")
}

/// How files with people's numbers are opened for writing: nobody else may read them.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Makes the names in a file's folder durable.
pub(crate) fn sync_folder(file: &Path) -> std::io::Result<()> {
    file.parent()
        .map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

/// An upload on its way to the disk. Dropped before [`Landing::finish`], it leaves nothing behind.
pub(crate) struct Landing {
    files: ImportFiles,
    file: std::fs::File,
    bytes: u64,
    digest: Sha256,
    finished: bool,
}

impl Landing {
    /// Opens it.
    pub(crate) fn begin(files: ImportFiles) -> std::io::Result<Self> {
        if let Some(folder) = files.upload().parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let file = private().create_new(true).open(files.partial())?;
        Ok(Self {
            files,
            file,
            bytes: 0,
            digest: Sha256::new(),
            finished: false,
        })
    }

    /// How many bytes have landed.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes a piece.
    pub(crate) fn write(&mut self, piece: &[u8]) -> std::io::Result<()> {
        self.file.write_all(piece)?;
        self.digest.update(piece);
        self.bytes += u64::try_from(piece.len()).unwrap_or_default();
        Ok(())
    }

    /// Makes it durable under its final name, and that name too.
    pub(crate) fn finish(mut self) -> std::io::Result<Landed> {
        self.file.sync_all()?;
        std::fs::rename(self.files.partial(), self.files.upload())?;
        self.finished = true;
        // The tenant's folder and those above it may be new.
        let mut at = self.files.upload().to_owned();
        for _ in 0..3 {
            sync_folder(&at)?;
            at.pop();
        }
        Ok(Landed {
            files: self.files.clone(),
            bytes: self.bytes,
            digest: self.digest.clone().finish(),
            kept: false,
        })
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.finished {
            self.files.remove();
        }
    }
}

/// An upload that is on the disk, but that no row of the database speaks of yet.
pub(crate) struct Landed {
    files: ImportFiles,
    bytes: u64,
    digest: [u8; 32],
    kept: bool,
}

impl Landed {
    /// How long it is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of it.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// A row speaks of it now.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Landed {
    fn drop(&mut self) {
        if !self.kept {
            self.files.remove();
        }
    }
}

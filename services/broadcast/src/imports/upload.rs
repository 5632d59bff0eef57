//! Accepting a file: it is durable on the disk before the import exists, and the import exists before the client hears
//! that it was accepted.

use std::path::Path;

use plaza_database::{DatabaseError, kind};
use plaza_kernel::{Answer, Failure, FieldError, Kind, OnceKey, TenantId, UserId};
use plaza_once::{Entry, OnceError};
use plaza_web::{ApiError, Multipart, OnceUpload, Part};
use serde::Deserialize;

use super::files::{ImportFiles, Landed, Landing};
use super::mapping::ImportMapping;
use super::{Import, store};
use crate::invalid::Invalid;
use crate::repeatable::Repeatable;
use crate::{Broadcast, ImportId, audit, work};

/// The longest part that says something about the file.
const MOST_PART_BYTES: usize = 64 << 10;

/// Why a file was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// There is no part `file`, there are two, or there are others.
    #[error("the body has one part `file` and at most one each of `mapping` and `dry_run`")]
    Parts,
    /// The file is longer than accepted.
    #[error("the file is longer than {0} bytes")]
    TooLarge(u64),
    /// The mapping is not acceptable.
    #[error(transparent)]
    Mapping(#[from] Invalid),
    /// Whether to write recipients is not said clearly.
    #[error("`dry_run` is `true` or `false`")]
    DryRun,
    /// The request cannot be repeated like this.
    #[error(transparent)]
    Once(#[from] OnceError),
    /// The disk failed.
    #[error("the file cannot be kept")]
    Storage(#[from] std::io::Error),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for UploadError {
    fn kind(&self) -> Kind {
        match self {
            Self::Parts | Self::DryRun => Kind::Invalid,
            Self::TooLarge(_) => Kind::TooLarge,
            Self::Mapping(invalid) => invalid.kind(),
            Self::Once(error) => error.kind(),
            Self::Storage(_) => Kind::Unavailable,
            Self::Database(error) => kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Parts => "IMPORT_PARTS",
            Self::TooLarge(_) => "IMPORT_TOO_LARGE",
            Self::Mapping(_) => "INVALID_MAPPING",
            Self::DryRun => "INVALID_DRY_RUN",
            Self::Once(error) => error.code(),
            Self::Storage(_) => "STORAGE_UNAVAILABLE",
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Mapping(invalid) => invalid.fields(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Once(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// What is said about a file.
#[derive(Debug, Default)]
struct Wishes {
    mapping: Option<ImportMapping>,
    /// The mapping as it was written.
    mapping_text: Vec<u8>,
    dry_run: Option<bool>,
}

impl Wishes {
    /// The key of an upload of this file with these wishes.
    fn key(&self, once: OnceUpload, file: &Landed) -> OnceKey {
        let dry_run = [u8::from(self.dry_run.unwrap_or_default())];
        once.of(&[file.digest(), &self.mapping_text, &dry_run])
    }
}

/// What is needed of an answer that is repeated.
#[derive(Deserialize)]
struct Started {
    id: ImportId,
}

impl Broadcast {
    /// Accepts an upload and starts its import: which one, and what is answered. Whether it is one that came before is seen
    /// when all of it is there: its key with another file is a mistake of the client's.
    pub async fn receive_import(
        &self,
        tenant: TenantId,
        by: UserId,
        once: OnceUpload,
        mut parts: Multipart,
    ) -> Result<(ImportId, Answer<Import>), ApiError> {
        let id = ImportId::generate(&self.clock);
        let (mut landing, mut wishes) = (None, Wishes::default());
        while let Some(part) = parts.next_part().await? {
            match part.name() {
                Some("file") if landing.is_none() => landing = Some(self.land(tenant, id, part).await?),
                Some("mapping") if wishes.mapping.is_none() => {
                    let text = read_text(part).await?;
                    wishes.mapping = Some(parse_mapping(&text).map_err(UploadError::Mapping)?);
                    wishes.mapping_text = text;
                }
                Some("dry_run") if wishes.dry_run.is_none() => {
                    wishes.dry_run = Some(parse_dry_run(&read_text(part).await?)?);
                }
                _ => return Err(UploadError::Parts.into()),
            }
        }
        let landed = blocking(landing.ok_or(UploadError::Parts)?, Landing::finish).await?;
        let repeatable = Repeatable::of(by, wishes.key(once, &landed));
        Ok(self.start_import(tenant, id, landed, wishes, &repeatable).await?)
    }

    /// Starts the import of a file of this machine: what `receive_import` is for a file that comes over the network.
    pub async fn import_file(
        &self,
        tenant: TenantId,
        path: &Path,
        mapping: ImportMapping,
    ) -> Result<Import, UploadError> {
        mapping.check()?;
        let id = ImportId::generate(&self.clock);
        let (files, most) = (
            ImportFiles::new(&self.config.objects, tenant, id),
            self.config.import_most_bytes,
        );
        let landed = blocking(path.to_owned(), move |path| copy(&path, files, most)).await?;
        let wishes = Wishes {
            mapping: Some(mapping),
            ..Wishes::default()
        };
        let started = self
            .start_import(tenant, id, landed, wishes, &Repeatable::never())
            .await?;
        match started.1 {
            Answer::New(import) => Ok(import),
            Answer::Replayed { .. } => Err(DatabaseError::MissingRow.into()),
        }
    }

    /// One import, to follow its progress.
    pub async fn import(&self, tenant: TenantId, id: ImportId) -> Result<Option<Import>, DatabaseError> {
        Ok(store::get(&self.database, tenant, id).await?.map(Import::from))
    }

    async fn land(&self, tenant: TenantId, id: ImportId, mut part: Part<'_>) -> Result<Landing, ApiError> {
        let files = ImportFiles::new(&self.config.objects, tenant, id);
        let mut landing = blocking(files, Landing::begin).await?;
        let most = self.config.import_most_bytes;
        while let Some(piece) = part.chunk().await? {
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            if landing.bytes().saturating_add(length) > most {
                return Err(UploadError::TooLarge(most).into());
            }
            landing = blocking(landing, move |mut landing| {
                landing.write(&piece).map(|()| landing)
            })
            .await?;
        }
        Ok(landing)
    }

    async fn start_import(
        &self,
        tenant: TenantId,
        id: ImportId,
        landed: Landed,
        wishes: Wishes,
        repeatable: &Repeatable,
    ) -> Result<(ImportId, Answer<Import>), UploadError> {
        let bytes = i64::try_from(landed.bytes()).unwrap_or(i64::MAX);
        let tx = self.database.begin(tenant);
        let entry = match repeatable.enter(&tx, "import_recipients").await? {
            // The file that came again is dropped.
            Entry::Replay { status, body } => {
                let started: Started = serde_json::from_str(&body).map_err(OnceError::Answer)?;
                return Ok((started.id, Answer::Replayed { status, body }));
            }
            entry => entry,
        };
        let (mapping, dry_run) = (
            wishes.mapping.unwrap_or_default(),
            wishes.dry_run.unwrap_or_default(),
        );
        store::insert(&tx, id, mapping, bytes, dry_run, self.now()).await?;
        audit::import_started(&tx, &self.clock, id, bytes, dry_run).await?;
        let import = store::hold(&tx, id).await?.ok_or(DatabaseError::MissingRow)?;
        let import = Import::from(import);
        entry.leave(&tx, 202, &import).await?;
        tx.signal_on_commit(work::IMPORTS);
        // Whether an interrupted commit came through is not known: then the file has to stay, and the sweep of
        // uploads without an import removes it one day if it did not.
        landed.keep();
        tx.commit().await?;
        Ok((id, Answer::New(import)))
    }
}

/// A part that is no file.
async fn read_text(mut part: Part<'_>) -> Result<Vec<u8>, ApiError> {
    let mut text = Vec::new();
    while let Some(piece) = part.chunk().await? {
        if text.len() + piece.len() > MOST_PART_BYTES {
            return Err(UploadError::Mapping(Invalid::one("", "TOO_LARGE", "at most 64 KiB")).into());
        }
        text.extend_from_slice(&piece);
    }
    Ok(text)
}

fn parse_dry_run(text: &[u8]) -> Result<bool, UploadError> {
    match text.trim_ascii() {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(UploadError::DryRun),
    }
}

fn parse_mapping(text: &[u8]) -> Result<ImportMapping, Invalid> {
    let malformed = |error: serde_json::Error| Invalid::one("", "MALFORMED_JSON", error.to_string());
    // An object first: a list would be taken for the fields in their order.
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(text).map_err(malformed)?;
    let mapping: ImportMapping = serde_json::from_value(object.into()).map_err(malformed)?;
    mapping.check().map(|()| mapping)
}

fn copy(path: &Path, files: ImportFiles, most: u64) -> Result<Landed, UploadError> {
    let mut input = std::fs::File::open(path)?;
    let mut landing = Landing::begin(files)?;
    let mut block = vec![0; 256 << 10];
    loop {
        let read = std::io::Read::read(&mut input, &mut block)?;
        if read == 0 {
            return Ok(landing.finish()?);
        }
        landing.write(&block[..read])?;
        if landing.bytes() > most {
            return Err(UploadError::TooLarge(most));
        }
    }
}

/// Files block; the runtime's threads must not.
async fn blocking<A, T, E>(
    argument: A,
    work: impl FnOnce(A) -> Result<T, E> + Send + 'static,
) -> Result<T, UploadError>
where
    A: Send + 'static,
    T: Send + 'static,
    E: Into<UploadError> + Send + 'static,
{
    match tokio::task::spawn_blocking(move || work(argument)).await {
        Ok(result) => result.map_err(Into::into),
        Err(panicked) => Err(std::io::Error::other(panicked).into()),
    }
}

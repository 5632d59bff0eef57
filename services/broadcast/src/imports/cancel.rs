//! Ending an import before its end.

use plaza_database::{DatabaseError, kind};
use plaza_kernel::{Failure, Kind, TenantId};

use super::files::ImportFiles;
use super::{Import, ImportState, NoImport, StoredImport, store};
use crate::{Broadcast, ImportId, audit};

/// Why an import was not ended.
#[derive(Debug, thiserror::Error)]
pub enum CancelImportError {
    /// There is no such import.
    #[error("there is no such import")]
    NoImport,
    /// It came to its end before.
    #[error("the import is over")]
    Over,
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for CancelImportError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoImport => Kind::NotFound,
            Self::Over => Kind::Conflict,
            Self::Database(error) => kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoImport => NoImport.code(),
            Self::Over => "IMPORT_STATE",
            Self::Database(error) => error.code(),
        }
    }
}

impl Broadcast {
    /// Ends an import. What was read until now stays; whoever reads it writes nothing more. One that was ended so is
    /// answered as it is.
    pub async fn cancel_import(&self, tenant: TenantId, id: ImportId) -> Result<Import, CancelImportError> {
        let tx = self.database.begin(tenant);
        let import = store::hold(&tx, id).await?.ok_or(CancelImportError::NoImport)?;
        match import.state {
            ImportState::Cancelled => return Ok(import.into()),
            state if state.is_final() => return Err(CancelImportError::Over),
            _ => {}
        }
        store::cancel(&tx, id, self.now()).await?;
        plaza_audit::done(&tx, &self.clock, &audit::IMPORT_CANCELLED, id).await?;
        self.tell_end(&tx, &import, import.counts()).await?;
        let ended: StoredImport = store::hold(&tx, id).await?.ok_or(DatabaseError::MissingRow)?;
        tx.commit().await?;
        // Whoever reads it may write it again as UTF-8 in this moment; the sweep removes that.
        ImportFiles::new(&self.config.objects, tenant, id).remove();
        Ok(ended.into())
    }
}

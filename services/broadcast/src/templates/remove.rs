//! Removing a template.

use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, TenantId};

use super::{NoTemplate, store};
use crate::{Broadcast, TemplateId, audit, campaigns};

/// Why a template was not removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoveTemplateError {
    #[error(transparent)]
    NotFound(#[from] NoTemplate),
    #[error("a campaign that was not sent yet has it")]
    InUse,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for RemoveTemplateError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound(error) => error.kind(),
            Self::InUse => Kind::Conflict,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound(error) => error.code(),
            Self::InUse => "TEMPLATE_IN_USE",
            Self::Database(error) => error.code(),
        }
    }
}

impl Broadcast {
    /// Removes a template that no campaign waits with. Its name is free again; campaigns that were sent keep it.
    pub(crate) async fn delete_template(
        &self,
        tenant: TenantId,
        id: TemplateId,
    ) -> Result<(), RemoveTemplateError> {
        let tx = self.database.begin(tenant);
        store::lock(&tx, id).await?.ok_or(NoTemplate)?;
        if campaigns::store::any_waits_for(&tx, id).await? {
            return Err(RemoveTemplateError::InUse);
        }
        store::archive(&tx, id, self.now()).await?;
        plaza_audit::done(&tx, &self.clock, &audit::TEMPLATE_DELETED, id).await?;
        Ok(tx.commit().await?)
    }
}

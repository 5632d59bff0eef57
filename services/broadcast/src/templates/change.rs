//! Changing a template. What is planned already keeps the text that it was planned with.

use plaza_database::{DatabaseError, violated};
use plaza_kernel::{Failure, FieldError, Kind, TenantId};
use plaza_web::Version;
use postgres_types::Json;

use super::create::{NewTemplate, check};
use super::{Template, store};
use crate::invalid::Invalid;
use crate::{Broadcast, TemplateId, audit};

/// Why a template was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeTemplateError {
    /// There is none of this id.
    #[error("there is no such template")]
    NotFound,
    /// It is not in the version that is to be changed.
    #[error("it was changed meanwhile; read it again")]
    Version,
    /// Values are not acceptable.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is another one of this name and language.
    #[error("a template of this name and language exists")]
    Exists,
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for ChangeTemplateError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Version => Kind::PreconditionFailed,
            Self::Invalid(invalid) => invalid.kind(),
            Self::Exists => Kind::Conflict,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "TEMPLATE_NOT_FOUND",
            Self::Version => "VERSION_MISMATCH",
            Self::Invalid(invalid) => invalid.code(),
            Self::Exists => "TEMPLATE_EXISTS",
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(invalid) => invalid.fields(),
            Self::NotFound | Self::Version | Self::Exists | Self::Database(_) => Vec::new(),
        }
    }
}

impl Broadcast {
    /// Makes a template say something else.
    pub async fn change_template(
        &self,
        tenant: TenantId,
        id: TemplateId,
        version: Version,
        new: NewTemplate,
    ) -> Result<Template, ChangeTemplateError> {
        let tx = self.database.begin(tenant);
        let mut template = store::lock(&tx, id).await?.ok_or(ChangeTemplateError::NotFound)?;
        if version != Version(template.version) {
            return Err(ChangeTemplateError::Version);
        }
        check(&new)?;
        template.name = new.name;
        template.language = new.language;
        template.category = new.category;
        template.body = new.body;
        template.variables = Json(new.variables);
        template.version = template.version.saturating_add(1);
        template.updated_at = self.now();
        let changed = store::change(&tx, &template).await;
        changed.map_err(|error| match violated(&error) {
            Some("templates_name_key") => ChangeTemplateError::Exists,
            _ => error.into(),
        })?;
        // Under another name the provider may say something else of it.
        let template = store::lock(&tx, id).await?.ok_or(DatabaseError::MissingRow)?;
        plaza_audit::done(&tx, &self.clock, &audit::TEMPLATE_UPDATED, id).await?;
        tx.commit().await?;
        Ok(template.into())
    }
}

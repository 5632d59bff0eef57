//! Changing a tenant's configuration: one namespace, or several, all or nothing.

use plaza_contracts::events::ConfigChanged;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, TenantId};
use plaza_messaging::outbox;
use plaza_web::Version;

use super::{Document, Namespace, Stored, store, version};
use crate::tenants::charge::InCharge;
use crate::tenants::store as tenants;
use crate::{Tenancy, audit};

/// What a change is about, and so whose version it is made to.
#[derive(Debug)]
pub(crate) enum Change {
    /// One namespace.
    One(Box<Document>),
    /// Several, by the version of the whole.
    Several(Vec<Document>),
}

/// Why a configuration was not changed, or is not shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("the configuration is not acceptable")]
    Invalid(Vec<FieldError>),
    #[error("this tenant does not exist")]
    NotFound,
    #[error("there is no configuration of this name")]
    NoNamespace,
    #[error("the configuration was changed meanwhile; read it again")]
    Changed,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for ConfigError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::NotFound | Self::NoNamespace => Kind::NotFound,
            Self::Changed => Kind::PreconditionFailed,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_CONFIG",
            Self::NotFound => "TENANT_NOT_FOUND",
            Self::NoNamespace => "NAMESPACE_NOT_FOUND",
            Self::Changed => "VERSION_MISMATCH",
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(fields) => fields.clone(),
            _ => Vec::new(),
        }
    }
}

impl Tenancy {
    /// The configuration of a tenant: every namespace there is, also those about which nothing was said.
    pub(crate) async fn configuration(&self, charge: InCharge) -> Result<Vec<Stored>, ConfigError> {
        let all = store::all(&self.inner.database, charge.tenant()).await?;
        all.ok_or(ConfigError::NotFound)
    }

    /// Changes it if it still is in the version that was seen, with an event for each namespace that is another now. Says
    /// what all of it is then.
    pub(crate) async fn configure(
        &self,
        charge: InCharge,
        change: Change,
        seen: Version,
    ) -> Result<Vec<Stored>, ConfigError> {
        change.check()?;
        let tx = self.inner.database.begin(charge.tenant());
        // Changes of one tenant's configuration come one after the other, also the first one.
        tenants::lock(&tx).await?.ok_or(ConfigError::NotFound)?;
        let mut all = store::current(&tx).await?.ok_or(ConfigError::NotFound)?;
        if change.version(&all) != seen {
            return Err(ConfigError::Changed);
        }
        let (now, next) = (self.inner.clock.now(), Version(version(&all).get() + 1));
        for document in change.into_documents() {
            let json = document.to_json();
            let other =
                |stored: &&mut Stored| stored.namespace == document.namespace() && stored.document != json;
            let Some(stored) = all.iter_mut().find(other) else {
                continue;
            };
            (stored.document, stored.version, stored.updated_at) = (json, next, Some(now));
            store::save(&tx, stored, now, charge.person()).await?;
            outbox::append(&tx, &self.inner.clock, &changed(charge.tenant(), stored)).await?;
            audit::configured(
                &tx,
                &self.inner.clock,
                stored.namespace.as_str(),
                stored.version.get(),
            )
            .await?;
        }
        tx.commit().await?;
        Ok(all)
    }
}

impl Change {
    /// The version that it has to be made to.
    fn version(&self, all: &[Stored]) -> Version {
        match self {
            Self::One(document) => one(all, document.namespace()).version,
            Self::Several(_) => version(all),
        }
    }

    /// Where documents are told apart by a name in the body, so are the places of what is wrong in them.
    fn check(&self) -> Result<(), ConfigError> {
        let problems: Vec<FieldError> = match self {
            Self::One(document) => document.problems(),
            Self::Several(documents) => documents.iter().flat_map(named_problems).collect(),
        };
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }

    fn into_documents(self) -> Vec<Document> {
        match self {
            Self::One(document) => vec![*document],
            Self::Several(documents) => documents,
        }
    }
}

fn named_problems(document: &Document) -> Vec<FieldError> {
    let mut problems = document.problems();
    for problem in &mut problems {
        problem.pointer = format!("/{}{}", document.namespace().as_str(), problem.pointer);
    }
    problems
}

/// One namespace of all of them.
pub(super) fn one(all: &[Stored], namespace: Namespace) -> Stored {
    let found = all.iter().find(|stored| stored.namespace == namespace);
    found.cloned().unwrap_or_else(|| Stored::empty(namespace))
}

fn changed(tenant_id: TenantId, stored: &Stored) -> ConfigChanged {
    ConfigChanged {
        tenant_id,
        namespace: stored.namespace.as_str().to_owned(),
        // Counted from 1.
        version: stored.version.get().unsigned_abs(),
        document: stored.document.clone(),
    }
}

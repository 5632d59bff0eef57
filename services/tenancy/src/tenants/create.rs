//! Making a tenant: one transaction with the event from which everything else follows.

use plaza_contracts::events::TenantCreated;
use plaza_contracts::incoming::PlatformRight;
use plaza_database::{DatabaseError, TenantTx, violated};
use plaza_kernel::{Answer, Failure, FieldError, Kind, OnceKey, TenantId, UserId};
use plaza_messaging::outbox;
use plaza_once::{Entry, OnceError};
use plaza_web::Version;

use super::http::TenantView;
use super::{Life, Tenant, parse, store};
use crate::{Tenancy, audit};

/// What a tenant is made of, as it was given.
pub(crate) struct NewTenant {
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) admin_email: String,
}

/// Why a tenant was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateError {
    #[error("the tenant is not acceptable")]
    Invalid(Vec<FieldError>),
    #[error("the slug `{0}` is taken")]
    SlugTaken(String),
    #[error(transparent)]
    Once(#[from] OnceError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for CreateError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::SlugTaken(_) => Kind::Conflict,
            Self::Once(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_TENANT",
            Self::SlugTaken(_) => "SLUG_TAKEN",
            Self::Once(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Once(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            _ => None,
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
    /// Makes a tenant. Its owner's account, its roles and its first sender follow from the event.
    pub(crate) async fn create(&self, _right: &PlatformRight, new: NewTenant) -> Result<Tenant, CreateError> {
        let tenant = self.parse(new)?;
        // The transaction is the new tenant's own: its first rows obey the same policy as all that come later.
        let tx = self.inner.database.begin(tenant.id);
        self.insert(&tx, &tenant).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// The same for a request that may be repeated.
    pub(crate) async fn create_once(
        &self,
        _right: &PlatformRight,
        new: NewTenant,
        (actor, key): (UserId, &OnceKey),
    ) -> Result<Answer<Tenant>, CreateError> {
        let tenant = self.parse(new)?;
        let tx = self.inner.database.begin(tenant.id);
        let entry = plaza_once::enter_platform(&tx, key, actor, "create_tenant").await?;
        if let Entry::Replay { status, body } = entry {
            return Ok(Answer::Replayed { status, body });
        }
        self.insert(&tx, &tenant).await?;
        entry.leave(&tx, 201, &TenantView::from(tenant.clone())).await?;
        tx.commit().await?;
        Ok(Answer::New(tenant))
    }

    async fn insert(&self, tx: &TenantTx, tenant: &Tenant) -> Result<(), CreateError> {
        store::insert(tx, tenant)
            .await
            .map_err(|error| match violated(&error) {
                Some("slugs_pkey") => CreateError::SlugTaken(tenant.slug.as_str().to_owned()),
                _ => error.into(),
            })?;
        outbox::append(tx, &self.inner.clock, &created(tenant)).await?;
        audit::created(tx, &self.inner.clock, tenant).await?;
        Ok(())
    }

    fn parse(&self, new: NewTenant) -> Result<Tenant, CreateError> {
        let mut wrong = Vec::new();
        let slug = parse::slug(&new.slug, &mut wrong);
        let name = parse::name(&new.name, &mut wrong);
        let email = parse::admin_email(&new.admin_email, &mut wrong);
        let (Some(slug), Some(name), Some(admin_email)) = (slug, name, email) else {
            return Err(CreateError::Invalid(wrong));
        };
        Ok(Tenant {
            id: TenantId::generate(&self.inner.clock),
            slug,
            name,
            admin_email,
            life: Life::default(),
            version: Version(1),
            created_at: self.inner.clock.now(),
        })
    }
}

fn created(tenant: &Tenant) -> TenantCreated {
    TenantCreated {
        tenant_id: tenant.id,
        slug: tenant.slug.as_str().to_owned(),
        name: tenant.name.clone(),
        admin_email: tenant.admin_email.clone(),
    }
}

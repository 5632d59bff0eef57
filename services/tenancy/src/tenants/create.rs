//! Making a tenant: one transaction with the event from which everything else follows.

use plaza_contracts::email::Email;
use plaza_contracts::events::TenantCreated;
use plaza_contracts::incoming::PlatformRight;
use plaza_database::{DatabaseError, violated};
use plaza_kernel::{Failure, FieldError, Kind, TenantId};
use plaza_messaging::outbox;

use super::{NotASlug, Slug, Status, Tenant, store};
use crate::Tenancy;

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
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for CreateError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::SlugTaken(_) => Kind::Conflict,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_TENANT",
            Self::SlugTaken(_) => "SLUG_TAKEN",
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
    /// Makes a tenant. Its owner's account, its roles and its first sender follow from the event.
    pub(crate) async fn create(&self, _right: &PlatformRight, new: NewTenant) -> Result<Tenant, CreateError> {
        let tenant = self.parse(new)?;
        // The transaction is the new tenant's own: its first rows obey the same policy as all that come later.
        let tx = self.inner.database.begin(tenant.id);
        store::insert(&tx, &tenant)
            .await
            .map_err(|error| match violated(&error) {
                Some("slugs_pkey") => CreateError::SlugTaken(tenant.slug.as_str().to_owned()),
                _ => error.into(),
            })?;
        outbox::append(&tx, &self.inner.clock, &created(&tenant)).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    fn parse(&self, new: NewTenant) -> Result<Tenant, CreateError> {
        let mut wrong = Vec::new();
        let slug = new.slug.parse::<Slug>();
        if let Err(error) = &slug {
            let code = if *error == NotASlug::Reserved {
                "RESERVED"
            } else {
                "INVALID_SLUG"
            };
            wrong.push(FieldError::new("/slug", code, error.to_string()));
        }
        let name = new.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 200 || name.contains(char::is_control) {
            wrong.push(FieldError::new(
                "/name",
                "INVALID_NAME",
                "a name has 1 to 200 printable characters",
            ));
        }
        // What identity could make no account of would leave the tenant without an owner for ever.
        let email = new.admin_email.parse::<Email>();
        if let Err(error) = &email {
            wrong.push(FieldError::new("/admin_email", error.code(), error.to_string()));
        }
        match (slug, email) {
            (Ok(slug), Ok(email)) if wrong.is_empty() => Ok(Tenant {
                id: TenantId::generate(&self.inner.clock),
                slug,
                name,
                admin_email: email.as_written().to_owned(),
                status: Status::Provisioning,
                created_at: self.inner.clock.now(),
            }),
            _ => Err(CreateError::Invalid(wrong)),
        }
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

//! Changing a tenant's names.

use plaza_database::{DatabaseError, violated};
use plaza_kernel::{Failure, FieldError, Kind};
use plaza_web::IfMatch;

use super::charge::InCharge;
use super::life::WrongStatus;
use super::{Status, Tenant, parse, store};
use crate::{Tenancy, audit};

/// What becomes of a tenant; a part that is not given stays as it is.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) name: Option<String>,
    /// The platform's to decide.
    pub(crate) admin_email: Option<String>,
    /// The platform's to decide.
    pub(crate) slug: Option<String>,
}

/// Why a tenant was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpdateError {
    #[error("the tenant is not acceptable")]
    Invalid(Vec<FieldError>),
    #[error("who runs the platform decides about slug and e-mail address")]
    OfPlatform,
    #[error("this tenant does not exist")]
    NotFound,
    #[error(transparent)]
    WrongStatus(#[from] WrongStatus),
    #[error("the tenant was changed meanwhile; read it again")]
    Changed,
    #[error("the slug `{0}` is taken")]
    SlugTaken(String),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for UpdateError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::OfPlatform => Kind::Forbidden,
            Self::NotFound => Kind::NotFound,
            Self::WrongStatus(_) | Self::SlugTaken(_) => Kind::Conflict,
            Self::Changed => Kind::PreconditionFailed,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_TENANT",
            Self::OfPlatform => "PLATFORM_ONLY",
            Self::NotFound => "TENANT_NOT_FOUND",
            Self::WrongStatus(_) => "TENANT_STATE",
            Self::Changed => "VERSION_MISMATCH",
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
    /// Changes a tenant. An old slug is free at once: whoever knows it as this tenant's asks again within the minute that
    /// hosts are remembered for.
    pub(crate) async fn update(
        &self,
        charge: InCharge,
        change: Change,
        wanted: IfMatch,
    ) -> Result<Tenant, UpdateError> {
        if !charge.of_platform() && (change.slug.is_some() || change.admin_email.is_some()) {
            return Err(UpdateError::OfPlatform);
        }
        let tx = self.inner.database.begin(charge.tenant());
        let tenant = store::lock(&tx).await?.ok_or(UpdateError::NotFound)?;
        let changed = changed(&tenant, change)?;
        if tenant.status() == Status::Deleting {
            return Err(WrongStatus(tenant.status()).into());
        }
        if !wanted.admits(tenant.version) {
            return Err(UpdateError::Changed);
        }
        if changed == tenant {
            return Ok(tenant);
        }
        if changed.slug != tenant.slug {
            let taken = store::change_slug(&tx, &tenant.slug, &changed.slug).await;
            taken.map_err(|error| match violated(&error) {
                Some("slugs_pkey") => UpdateError::SlugTaken(changed.slug.as_str().to_owned()),
                _ => error.into(),
            })?;
        }
        let version = store::update(&tx, &changed, self.inner.clock.now()).await?;
        audit::updated(&tx, &self.inner.clock, &tenant, &changed).await?;
        tx.commit().await?;
        Ok(Tenant { version, ..changed })
    }
}

fn changed(tenant: &Tenant, change: Change) -> Result<Tenant, UpdateError> {
    let mut wrong = Vec::new();
    let slug = change.slug.and_then(|text| parse::slug(&text, &mut wrong));
    let name = change.name.and_then(|text| parse::name(&text, &mut wrong));
    let email = change.admin_email;
    let email = email.and_then(|text| parse::admin_email(&text, &mut wrong));
    if !wrong.is_empty() {
        return Err(UpdateError::Invalid(wrong));
    }
    let mut changed = tenant.clone();
    changed.slug = slug.unwrap_or(changed.slug);
    changed.name = name.unwrap_or(changed.name);
    changed.admin_email = email.unwrap_or(changed.admin_email);
    Ok(changed)
}

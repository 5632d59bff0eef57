//! Making and removing a role.

use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::{CreateRoles, DeleteRoles};
use plaza_database::{DatabaseError, violated};
use plaza_kernel::{Failure, FieldError, Kind};
use plaza_web::{IfMatch, Version};

use super::{Role, RoleId, parse, store};
use crate::{Access, audit, grants};

/// Why a role was not made, changed or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoleError {
    #[error("the role is not acceptable")]
    Invalid(Vec<FieldError>),
    #[error("nobody grants or takes away more than they hold")]
    GrantsTooMuch,
    #[error("a role of this name exists")]
    NameTaken,
    #[error("this role does not exist")]
    NotFound,
    #[error("default roles stay as they are")]
    IsDefault,
    #[error("the role was changed meanwhile; read it again")]
    Changed,
    #[error("database failed")]
    Database(#[source] DatabaseError),
}

impl From<DatabaseError> for RoleError {
    fn from(error: DatabaseError) -> Self {
        match violated(&error) {
            Some("roles_name_key") => Self::NameTaken,
            _ => Self::Database(error),
        }
    }
}

impl Failure for RoleError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::GrantsTooMuch => Kind::Forbidden,
            Self::NameTaken | Self::IsDefault => Kind::Conflict,
            Self::NotFound => Kind::NotFound,
            Self::Changed => Kind::PreconditionFailed,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_ROLE",
            Self::GrantsTooMuch => "GRANTS_TOO_MUCH",
            Self::NameTaken => "ROLE_NAME_TAKEN",
            Self::IsDefault => "DEFAULT_ROLE",
            Self::NotFound => "ROLE_NOT_FOUND",
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

impl Access {
    /// Makes a role that grants no more than its maker holds.
    pub(crate) async fn create_role(
        &self,
        right: &TenantRight<CreateRoles>,
        name: &str,
        permissions: &[String],
    ) -> Result<Role, RoleError> {
        let (name, permissions) = parse::role(name, permissions)?;
        let clock = &self.inner.clock;
        let role = Role {
            id: RoleId::generate(clock),
            name,
            template: None,
            permissions,
            version: Version(1),
            created_at: clock.now(),
            updated_at: None,
        };
        let tx = self.inner.database.begin(right.tenant());
        // First: what the maker holds is asked for once nobody can change it any more before this role is there.
        grants::store::raise_version(&tx).await?;
        if !self.may_hand_out(right, &role.permissions).await? {
            return Err(RoleError::GrantsTooMuch);
        }
        store::insert(&tx, &role).await?;
        audit::role(&tx, clock, &audit::ROLE_CREATED, None, Some(&role)).await?;
        self.commit(tx).await?;
        Ok(role)
    }

    /// Removes a role of the tenant's own that grants no more than its remover holds. Who had it has it no more once this
    /// returns.
    pub(crate) async fn delete_role(
        &self,
        right: &TenantRight<DeleteRoles>,
        id: RoleId,
        wanted: IfMatch,
    ) -> Result<(), RoleError> {
        let tx = self.inner.database.begin(right.tenant());
        grants::store::raise_version(&tx).await?;
        let role = store::find(&tx, id).await?.ok_or(RoleError::NotFound)?;
        if role.template.is_some() {
            return Err(RoleError::IsDefault);
        }
        if !wanted.admits(role.version) {
            return Err(RoleError::Changed);
        }
        if !self.may_hand_out(right, &role.permissions).await? {
            return Err(RoleError::GrantsTooMuch);
        }
        store::delete(&tx, id).await?;
        audit::role(&tx, &self.inner.clock, &audit::ROLE_DELETED, Some(&role), None).await?;
        self.commit(tx).await?;
        Ok(())
    }
}

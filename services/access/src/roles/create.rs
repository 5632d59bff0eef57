//! Making and removing a role.

use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::{CreateRoles, DeleteRoles};
use plaza_database::{DatabaseError, violated};
use plaza_kernel::{Failure, FieldError, Kind, PermissionSet};

use super::{NotAName, Role, RoleId, RoleName, store};
use crate::Access;
use crate::grants::{self, bit};

/// Why a role was not made or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoleError {
    #[error("the role is not acceptable")]
    Invalid(Vec<FieldError>),
    #[error("nobody grants more than they hold")]
    GrantsTooMuch,
    #[error("a role of this name exists")]
    NameTaken,
    #[error("this role does not exist")]
    NotFound,
    #[error("default roles stay")]
    IsDefault,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for RoleError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::GrantsTooMuch => Kind::Forbidden,
            Self::NameTaken | Self::IsDefault => Kind::Conflict,
            Self::NotFound => Kind::NotFound,
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
        let (name, permissions) = parse(name, permissions)?;
        if !self.may_hand_out(right, &permissions).await? {
            return Err(RoleError::GrantsTooMuch);
        }
        let clock = &self.inner.clock;
        let role = Role {
            id: RoleId::generate(clock),
            name,
            template: None,
            permissions,
            created_at: clock.now(),
        };
        let tx = self.inner.database.begin(right.tenant());
        grants::store::raise_version(&tx).await?;
        store::insert(&tx, &role)
            .await
            .map_err(|error| match violated(&error) {
                Some("roles_name_key") => RoleError::NameTaken,
                _ => error.into(),
            })?;
        self.commit(tx).await?;
        Ok(role)
    }

    /// Removes a role of the tenant's own. Who had it has it no more once this returns.
    pub(crate) async fn delete_role(
        &self,
        right: &TenantRight<DeleteRoles>,
        id: RoleId,
    ) -> Result<(), RoleError> {
        let tx = self.inner.database.begin(right.tenant());
        grants::store::raise_version(&tx).await?;
        match store::is_default(&tx, id).await? {
            None => return Err(RoleError::NotFound),
            Some(true) => return Err(RoleError::IsDefault),
            Some(false) => store::delete(&tx, id).await?,
        };
        self.commit(tx).await?;
        Ok(())
    }
}

fn parse(name: &str, permissions: &[String]) -> Result<(RoleName, PermissionSet), RoleError> {
    let mut wrong = Vec::new();
    let name = RoleName::parse(name);
    if let Err(error) = &name {
        let code = if *error == NotAName::Reserved {
            "RESERVED"
        } else {
            "INVALID_NAME"
        };
        wrong.push(FieldError::new("/name", code, error.to_string()));
    }
    let mut set = PermissionSet::none();
    for (at, permission) in permissions.iter().enumerate() {
        match permission
            .split_once('.')
            .and_then(|(menu, action)| bit(menu, action))
        {
            Some(bit) => set = set.with(bit),
            None => wrong.push(FieldError::new(
                format!("/permissions/{at}"),
                "UNKNOWN_PERMISSION",
                "not a permission of the catalogue",
            )),
        }
    }
    match name {
        Ok(name) if wrong.is_empty() => Ok((name, set)),
        _ => Err(RoleError::Invalid(wrong)),
    }
}

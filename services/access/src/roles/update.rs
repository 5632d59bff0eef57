//! Changing a role: its name, what it grants, or both.

use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::UpdateRoles;
use plaza_kernel::PermissionSet;
use plaza_web::IfMatch;

use super::create::RoleError;
use super::{Role, RoleId, parse, store};
use crate::{Access, audit, grants};

/// What becomes of a role; a part that is not given stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Change<'a> {
    pub(crate) name: Option<&'a str>,
    /// `menu.action`: all that it grants afterwards.
    pub(crate) permissions: Option<&'a [String]>,
}

impl Access {
    /// Changes a role of the tenant's own. Whoever does it holds all that the role granted and all that it grants
    /// afterwards: a role that reaches further than its editor is neither widened nor narrowed nor renamed by them.
    pub(crate) async fn update_role(
        &self,
        right: &TenantRight<UpdateRoles>,
        id: RoleId,
        change: Change<'_>,
        wanted: IfMatch,
    ) -> Result<Role, RoleError> {
        let (name, permissions) = parse::parts(change.name, change.permissions)?;
        let tx = self.inner.database.begin(right.tenant());
        grants::store::raise_version(&tx).await?;
        let role = store::find(&tx, id).await?.ok_or(RoleError::NotFound)?;
        if role.template.is_some() {
            return Err(RoleError::IsDefault);
        }
        if !wanted.admits(role.version) {
            return Err(RoleError::Changed);
        }
        let mut changed = role.clone();
        changed.name = name.unwrap_or(changed.name);
        changed.permissions = permissions.unwrap_or(changed.permissions);
        for set in [&role.permissions, &changed.permissions] {
            self.check_reach(right, set).await?;
        }
        if changed == role {
            return Ok(role);
        }
        changed.updated_at = Some(self.inner.clock.now());
        changed.version = store::update(&tx, &changed).await?;
        let (before, after) = (Some(&role), Some(&changed));
        audit::role(&tx, &self.inner.clock, &audit::ROLE_UPDATED, before, after).await?;
        self.commit(tx).await?;
        Ok(changed)
    }

    async fn check_reach(
        &self,
        right: &TenantRight<UpdateRoles>,
        set: &PermissionSet,
    ) -> Result<(), RoleError> {
        if self.may_hand_out(right, set).await? {
            Ok(())
        } else {
            Err(RoleError::GrantsTooMuch)
        }
    }
}

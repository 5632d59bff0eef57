//! What every tenant starts with.

use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::Clock;
use plaza_web::Version;

use super::{Role, RoleId, RoleName, Template, store};
use crate::menus::Menu;
use crate::{grants, menus};

/// Gives the tenant its menus and default roles unless it has them. Two consumers may come first, in either order,
/// so each of them calls it; the version's row makes the second wait for the first.
///
/// What a tenant has is left as it is, product areas that were turned off since among it: that it was created can be
/// said again by whoever can write to the broker.
pub(crate) async fn provision(tx: &TenantTx, clock: &Clock) -> Result<(), DatabaseError> {
    grants::store::raise_version(tx).await?;
    if store::of_template(tx, Template::Administrator).await?.is_some() {
        return Ok(());
    }
    menus::store::enable(tx, &Menu::all()).await?;
    for template in Template::ALL {
        let role = Role {
            id: RoleId::generate(clock),
            name: RoleName::known(template.title()),
            template: Some(template),
            permissions: template.permissions(),
            version: Version(1),
            created_at: clock.now(),
            updated_at: None,
        };
        store::insert(tx, &role).await?;
    }
    Ok(())
}

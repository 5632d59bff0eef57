//! What access writes into the audit.

use plaza_audit::{Action, Entry, record};
use plaza_database::{Database, DatabaseError, Transaction};
use plaza_kernel::{Caller, Clock, Scope, UserId};
use serde_json::{Value, json};

use crate::grants::names;
use crate::roles::{Role, RoleId};

/// What is told of a role.
const ROLE: &[&str] = &["name", "permissions"];

pub(crate) static ROLE_CREATED: Action = Action::new("roles.create", "role", ROLE);
pub(crate) static ROLE_UPDATED: Action = Action::new("roles.update", "role", ROLE);
pub(crate) static ROLE_DELETED: Action = Action::new("roles.delete", "role", ROLE);
pub(crate) static ROLE_ASSIGNED: Action = Action::new("roles.assign", "role", &["user_id"]);
pub(crate) static ROLE_UNASSIGNED: Action = Action::new("roles.unassign", "role", &["user_id"]);
pub(crate) static MENU_ENABLED: Action = Action::new("menus.enable", "menu", &[]);
pub(crate) static MENU_DISABLED: Action = Action::new("menus.disable", "menu", &[]);

pub(crate) static AUDIT_READ: Action = Action::new("audit.read", "audit", &[]);
pub(crate) static AUDIT_EXPORTED: Action = Action::new("audit.export", "audit", &[]);

/// Writes down who reads the audit of a scope, in it.
pub(crate) async fn read(
    database: &Database,
    clock: &Clock,
    scope: Scope,
    caller: &Caller,
    action: &'static Action,
) -> Result<(), DatabaseError> {
    match scope {
        Scope::Tenant(tenant) => {
            let tx = database.begin(tenant);
            record(&tx, clock, Entry::of(action, tenant).by(caller)).await?;
            tx.commit().await
        }
        Scope::Platform => {
            let tx = database.begin_platform();
            record(&tx, clock, Entry::of(action, "platform").by(caller)).await?;
            tx.commit().await
        }
    }
}

/// Writes down what was done to a role: how it was before, and how it is now.
pub(crate) async fn role(
    tx: &Transaction,
    clock: &Clock,
    action: &'static Action,
    before: Option<&Role>,
    after: Option<&Role>,
) -> Result<(), DatabaseError> {
    let Some(role) = after.or(before) else {
        return Ok(());
    };
    let mut entry = Entry::of(action, role.id);
    if let Some(before) = before {
        entry = entry.before(told(before));
    }
    if let Some(after) = after {
        entry = entry.after(told(after));
    }
    record(tx, clock, entry).await.map(drop)
}

/// Writes down who was given a role, or lost it.
pub(crate) async fn assignment(
    tx: &Transaction,
    clock: &Clock,
    action: &'static Action,
    role: RoleId,
    user: UserId,
) -> Result<(), DatabaseError> {
    let entry = Entry::of(action, role).after(json!({"user_id": user}));
    record(tx, clock, entry).await.map(drop)
}

fn told(role: &Role) -> Value {
    json!({"name": role.name.as_str(), "permissions": names(&role.permissions)})
}

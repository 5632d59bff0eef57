//! The SQL that changes and ends memberships.
//!
//! Owners are held before the member who is changed, in the order of their accounts: so of two owners who act on each other at
//! once the second finds what the first has done.

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::UserId;

plaza_database::row! {
    /// A membership as it is held to be changed.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Held {
        pub(crate) user_id: UserId,
        pub(crate) role: String,
        pub(crate) status: String,
        pub(crate) version: i64,
    }
}

/// What others may say of a member. What is none stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) name: Option<String>,
    pub(crate) status: Option<&'static str>,
    pub(crate) role: Option<&'static str>,
}

plaza_database::statements! {
    static LOCK_OWNERS: () => (UserId,) =
        "SELECT user_id
           FROM identity.memberships
          WHERE role = 'owner' AND status = 'active'
          ORDER BY user_id
            FOR UPDATE";

    static LOCK_MEMBER: (UserId,) => Held =
        "SELECT user_id, role, status, version FROM identity.memberships WHERE user_id = $1 FOR UPDATE";

    static CHANGE_MEMBER: (UserId, Option<String>, Option<String>, Option<String>, DateTime<Utc>) => () =
        "UPDATE identity.memberships
            SET name = coalesce($2, name), status = coalesce($3, status), role = coalesce($4, role),
                version = version + 1, updated_at = $5
          WHERE user_id = $1";

    static REMOVE_MEMBERS: () => () = "DELETE FROM identity.memberships";

    static REMOVE_MEMBER: (UserId,) => () = "DELETE FROM identity.memberships WHERE user_id = $1";
}

/// The active owners, held until the transaction ends.
pub(crate) async fn lock_owners(tx: &TenantTx) -> Result<Vec<UserId>, DatabaseError> {
    let owners = tx.all(&LOCK_OWNERS, ()).await?;
    Ok(owners.into_iter().map(|(owner,)| owner).collect())
}

/// A membership, held until the transaction ends.
pub(crate) async fn lock_member(tx: &TenantTx, user: UserId) -> Result<Option<Held>, DatabaseError> {
    tx.optional(&LOCK_MEMBER, (user,)).await
}

/// Changes a membership that is held.
pub(crate) async fn change_member(
    tx: &TenantTx,
    user: UserId,
    change: Stored,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let (status, role) = (change.status.map(str::to_owned), change.role.map(str::to_owned));
    tx.execute(&CHANGE_MEMBER, (user, change.name, status, role, now))
        .await
        .map(drop)
}

/// Ends a membership that is held, and the links that were made for it.
pub(crate) async fn remove_member(tx: &TenantTx, user: UserId) -> Result<(), DatabaseError> {
    tx.execute(&REMOVE_MEMBER, (user,)).await.map(drop)
}

/// Ends every membership of the tenant, and the links that were made for them.
pub(crate) async fn remove_members(tx: &TenantTx) -> Result<(), DatabaseError> {
    tx.execute(&REMOVE_MEMBERS, ()).await.map(drop)
}

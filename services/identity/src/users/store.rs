//! All SQL about accounts and memberships.

use chrono::{DateTime, Utc};
use plaza_contracts::email::Email;
use plaza_database::{Database, DatabaseError, TenantTx, Transaction};
use plaza_kernel::{SystemRole, TenantId, UserId};

plaza_database::row! {
    /// An account, as a login needs to know it.
    pub(crate) struct Account {
        pub(crate) user_id: UserId,
        pub(crate) active: bool,
        pub(crate) epoch: i32,
        pub(crate) phc: Option<String>,
        pub(crate) platform_admin: bool,
    }
}

plaza_database::row! {
    /// A member of a tenant.
    #[derive(Debug, Clone)]
    pub struct Member {
        /// The account.
        pub user_id: UserId,
        /// Its address.
        pub email: String,
        /// The name in this tenant; may be empty.
        pub name: String,
        /// `owner` or `member`.
        pub role: String,
        /// `invited`, `active` or `disabled`.
        pub status: String,
        /// When the membership began.
        pub created_at: DateTime<Utc>,
    }
}

plaza_database::row! {
    /// What a write found at an address.
    pub(crate) struct Claimed {
        pub(crate) user_id: UserId,
        /// The account is new.
        pub(crate) created: bool,
        /// The platform vouches for the address.
        pub(crate) verified: bool,
    }
}

plaza_database::statements! {
    static BY_EMAIL: (String,) => Account =
        "SELECT u.id AS user_id, u.status = 'active' AS active, u.epoch, c.phc,
                EXISTS (SELECT FROM identity.platform_admins AS a
                         WHERE a.user_id = u.id AND a.status = 'active') AS platform_admin
           FROM identity.users AS u
           LEFT JOIN identity.credentials AS c ON c.user_id = u.id
          WHERE u.email_norm = $1";

    static ROLE_IN: (UserId,) => (String,) =
        "SELECT role FROM identity.memberships WHERE user_id = $1 AND status = 'active'";

    /// Two are enough to know that there is not only one.
    system static TENANTS_OF: (UserId,) => (TenantId,) =
        "SELECT tenant_id FROM identity.memberships WHERE user_id = $1 AND status = 'active' LIMIT 2";

    static MEMBER: (UserId,) => Member =
        "SELECT m.user_id, u.email, m.name, m.role, m.status, m.created_at
           FROM identity.memberships AS m
           JOIN identity.users AS u ON u.id = m.user_id
          WHERE m.user_id = $1";

    static MEMBER_OF_EMAIL: (String,) => Member =
        "SELECT m.user_id, u.email, m.name, m.role, m.status, m.created_at
           FROM identity.memberships AS m
           JOIN identity.users AS u ON u.id = m.user_id
          WHERE m.email_norm = $1";

    /// Begin after this user, at most so many, leaving out so many.
    static MEMBERS: (UserId, i64, i64) => Member =
        "SELECT m.user_id, u.email, m.name, m.role, m.status, m.created_at
           FROM identity.memberships AS m
           JOIN identity.users AS u ON u.id = m.user_id
          WHERE m.user_id > $1
          ORDER BY m.user_id
          LIMIT $2 OFFSET $3";

    /// Writes in both cases, so that the two take the same time; holds the account's row either way.
    static CLAIM: (UserId, String, String, DateTime<Utc>) => Claimed =
        "INSERT INTO identity.users AS u (id, email, email_norm, created_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (email_norm) DO UPDATE SET claims = u.claims + 1
         RETURNING u.id AS user_id, u.id = $1 AS created, u.verified_at IS NOT NULL AS verified";

    static VERIFY: (UserId, DateTime<Utc>) => () =
        "UPDATE identity.users SET verified_at = $2 WHERE id = $1 AND verified_at IS NULL";

    static END_SESSIONS: (UserId,) => () = "UPDATE identity.users SET epoch = epoch + 1 WHERE id = $1";

    static ADD_HASH: (UserId, String, DateTime<Utc>) => () =
        "INSERT INTO identity.credentials (user_id, phc, changed_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO NOTHING";

    static FORGET_HASH: (UserId,) => () = "DELETE FROM identity.credentials WHERE user_id = $1";

    /// Only the hash that was compared is replaced, not one that came in meanwhile.
    static RENEW_HASH: (UserId, String, String, DateTime<Utc>) => () =
        "UPDATE identity.credentials SET phc = $3, changed_at = $4 WHERE user_id = $1 AND phc = $2";

    static ADD_ADMIN: (UserId, DateTime<Utc>) => () =
        "INSERT INTO identity.platform_admins (user_id, created_at) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET status = 'active'";

    static ADD_MEMBER: (TenantId, UserId, String, String, String, String, DateTime<Utc>) => () =
        "INSERT INTO identity.memberships (tenant_id, user_id, email_norm, name, role, status, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, user_id) DO NOTHING";

    /// A disabled owner is one too.
    static OWNED_BY_ANOTHER: (String,) => (bool,) =
        "SELECT EXISTS (SELECT FROM identity.memberships WHERE role = 'owner' AND email_norm <> $1)";

    /// Holds the membership.
    static STATUS_OF: (UserId,) => (String,) =
        "SELECT status FROM identity.memberships WHERE user_id = $1 FOR UPDATE";

    static ACCEPT: (UserId,) => () =
        "UPDATE identity.memberships SET status = 'active' WHERE user_id = $1 AND status = 'invited'";
}

/// The account of an address.
pub(crate) async fn by_email(database: &Database, email: &Email) -> Result<Option<Account>, DatabaseError> {
    let found = database
        .read_platform(&BY_EMAIL, (email.normal().to_owned(),))
        .await?;
    Ok(found.into_iter().next())
}

/// What an account is in a tenant, if it is an active member.
pub(crate) async fn role_in(
    database: &Database,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<SystemRole>, DatabaseError> {
    let found = database.read(tenant, &ROLE_IN, (user,)).await?;
    Ok(found.into_iter().next().and_then(|(role,)| role.parse().ok()))
}

/// The tenants an account may enter, two at most.
pub(crate) async fn tenants_of(database: &Database, user: UserId) -> Result<Vec<TenantId>, DatabaseError> {
    let tx = database.begin_system();
    let found = tx.all(&TENANTS_OF, (user,)).await?;
    tx.commit().await?;
    Ok(found.into_iter().map(|(tenant,)| tenant).collect())
}

/// A member.
pub(crate) async fn member(
    database: &Database,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<Member>, DatabaseError> {
    Ok(database.read(tenant, &MEMBER, (user,)).await?.into_iter().next())
}

/// The member of an address.
pub(crate) async fn member_of_email(
    database: &Database,
    tenant: TenantId,
    email: &Email,
) -> Result<Option<Member>, DatabaseError> {
    let found = database
        .read(tenant, &MEMBER_OF_EMAIL, (email.normal().to_owned(),))
        .await?;
    Ok(found.into_iter().next())
}

/// Members in the order of their accounts.
pub(crate) async fn members(
    database: &Database,
    tenant: TenantId,
    after: UserId,
    limit: i64,
    skip: i64,
) -> Result<Vec<Member>, DatabaseError> {
    database.read(tenant, &MEMBERS, (after, limit, skip)).await
}

/// The account of an address, made if there is none.
pub(crate) async fn claim(
    tx: &Transaction,
    id: UserId,
    email: &Email,
    now: DateTime<Utc>,
) -> Result<Claimed, DatabaseError> {
    tx.one(
        &CLAIM,
        (id, email.as_written().to_owned(), email.normal().to_owned(), now),
    )
    .await
}

/// From now on the platform vouches for the address; false if it did before.
pub(crate) async fn verify(
    tx: &Transaction,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&VERIFY, (user, now)).await? == 1)
}

/// Sets the first password; false if there is one already.
pub(crate) async fn add_hash(
    tx: &Transaction,
    user: UserId,
    phc: String,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&ADD_HASH, (user, phc, now)).await? == 1)
}

/// Takes the password away and ends every session.
pub(crate) async fn disarm(tx: &Transaction, user: UserId) -> Result<(), DatabaseError> {
    tx.execute(&FORGET_HASH, (user,)).await?;
    tx.execute(&END_SESSIONS, (user,)).await.map(drop)
}

/// Replaces a hash of the same password.
pub(crate) async fn renew_hash(
    tx: &Transaction,
    user: UserId,
    outdated: String,
    renewed: String,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&RENEW_HASH, (user, outdated, renewed, now))
        .await
        .map(drop)
}

/// Makes an account an administrator of the platform.
pub(crate) async fn add_admin(
    tx: &Transaction,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&ADD_ADMIN, (user, now)).await.map(drop)
}

/// A membership to be made.
pub(crate) struct NewMember<'a> {
    pub(crate) user: UserId,
    pub(crate) email: &'a Email,
    pub(crate) name: String,
    pub(crate) role: SystemRole,
    pub(crate) status: &'static str,
}

/// Makes a membership; false if there is one already.
pub(crate) async fn add_member(
    tx: &TenantTx,
    member: NewMember<'_>,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    let NewMember {
        user,
        email,
        name,
        role,
        status,
    } = member;
    let role = role.as_str().to_owned();
    let row = (
        tx.tenant(),
        user,
        email.normal().to_owned(),
        name,
        role,
        status.to_owned(),
        now,
    );
    Ok(tx.execute(&ADD_MEMBER, row).await? == 1)
}

/// Whether the tenant has an owner with another address.
pub(crate) async fn is_owned_by_another(tx: &TenantTx, email: &Email) -> Result<bool, DatabaseError> {
    Ok(tx.one(&OWNED_BY_ANOTHER, (email.normal().to_owned(),)).await?.0)
}

/// The state of a membership, held until the transaction ends.
pub(crate) async fn status_of(tx: &TenantTx, user: UserId) -> Result<Option<String>, DatabaseError> {
    Ok(tx.optional(&STATUS_OF, (user,)).await?.map(|(status,)| status))
}

/// An invited member becomes an active one.
pub(crate) async fn accept(tx: &TenantTx, user: UserId) -> Result<(), DatabaseError> {
    tx.execute(&ACCEPT, (user,)).await.map(drop)
}

//! All SQL about memberships.

use chrono::{DateTime, Utc};
use plaza_contracts::email::Email;
use plaza_database::{Database, DatabaseError, TenantTx};
use plaza_kernel::{SystemRole, TenantId, UserId};

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
        /// Somebody has shown to read the address's mail, or the platform vouches for it.
        pub email_verified: bool,
        /// A language tag, if they said.
        pub locale: Option<String>,
        /// A name of the time zone database, if they said.
        pub timezone: Option<String>,
        /// Rises with every change of the membership.
        pub version: i64,
    }
}

plaza_database::row! {
    /// How somebody became a member of a tenant.
    pub(crate) struct Standing {
        /// Somebody else asked for the membership.
        pub(crate) vouched: bool,
    }
}

plaza_database::statements! {
    static STANDING_IN: (UserId,) => Standing =
        "SELECT vouched FROM identity.memberships WHERE user_id = $1 AND status = 'active'";

    /// Two are enough to know that there is not only one.
    system static TENANTS_OF: (UserId,) => (TenantId,) =
        "SELECT tenant_id FROM identity.memberships WHERE user_id = $1 AND status = 'active' LIMIT 2";

    static MEMBER: (UserId,) => Member =
        "SELECT m.user_id, u.email, m.name, m.role, m.status, m.created_at,
                (u.email_verified_at IS NOT NULL OR u.verified_at IS NOT NULL) AS email_verified,
                m.locale, m.timezone, m.version
           FROM identity.memberships AS m
           JOIN identity.users AS u ON u.id = m.user_id
          WHERE m.user_id = $1";

    static MEMBER_OF_EMAIL: (String,) => Member =
        "SELECT m.user_id, u.email, m.name, m.role, m.status, m.created_at,
                (u.email_verified_at IS NOT NULL OR u.verified_at IS NOT NULL) AS email_verified,
                m.locale, m.timezone, m.version
           FROM identity.memberships AS m
           JOIN identity.users AS u ON u.id = m.user_id
          WHERE m.email_norm = $1";

    /// Begin after this user, at most so many, leaving out so many.
    static MEMBERS: (UserId, i64, i64) => Member =
        "SELECT m.user_id, u.email, m.name, m.role, m.status, m.created_at,
                (u.email_verified_at IS NOT NULL OR u.verified_at IS NOT NULL) AS email_verified,
                m.locale, m.timezone, m.version
           FROM identity.memberships AS m
           JOIN identity.users AS u ON u.id = m.user_id
          WHERE m.user_id > $1
          ORDER BY m.user_id
          LIMIT $2 OFFSET $3";

    static ADD_MEMBER: (TenantId, UserId, String, String, String, String, DateTime<Utc>, bool) => () =
        "INSERT INTO identity.memberships (tenant_id, user_id, email_norm, name, role, status, created_at, vouched)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
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

/// How an account stands in a tenant, if it is an active member.
pub(crate) async fn standing_in(
    database: &Database,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<Standing>, DatabaseError> {
    Ok(database
        .read(tenant, &STANDING_IN, (user,))
        .await?
        .into_iter()
        .next())
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

/// A member, as the transaction has left them.
pub(crate) async fn member_in(tx: &TenantTx, user: UserId) -> Result<Option<Member>, DatabaseError> {
    tx.optional(&MEMBER, (user,)).await
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

/// A membership to be made.
pub(crate) struct NewMember<'a> {
    pub(crate) user: UserId,
    pub(crate) email: &'a Email,
    pub(crate) name: String,
    pub(crate) role: SystemRole,
    pub(crate) status: &'static str,
    /// Somebody else asks for it.
    pub(crate) vouched: bool,
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
        vouched,
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
        vouched,
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

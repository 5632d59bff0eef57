//! All SQL about accounts; that about memberships, changing them and the rest, lies beside it.

mod changes;
mod members;

use chrono::{DateTime, Utc};
use plaza_contracts::email::Email;
use plaza_database::{Database, DatabaseError, Transaction};
use plaza_kernel::UserId;

pub(crate) use changes::{
    Held, Stored, change_member, lock_member, lock_owners, remove_member, remove_members,
};
pub use members::Member;
pub(crate) use members::{
    NewMember, accept, add_member, is_owned_by_another, member, member_in, member_of_email, members,
    standing_in, status_of, tenants_of,
};

plaza_database::row! {
    /// An account, as a login needs to know it.
    pub(crate) struct Account {
        pub(crate) user_id: UserId,
        pub(crate) active: bool,
        pub(crate) epoch: i32,
        pub(crate) phc: Option<String>,
        pub(crate) platform_admin: bool,
        /// Somebody has shown to read the address's mail, or the platform vouches for it.
        pub(crate) verified: bool,
        /// The right password came from this client lately.
        pub(crate) familiar: bool,
    }
}

plaza_database::row! {
    /// An account's password, as somebody who is logged in changes it.
    pub(crate) struct Credential {
        pub(crate) email_norm: String,
        pub(crate) phc: Option<String>,
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
    static BY_EMAIL: (String, Option<Vec<u8>>) => Account =
        "SELECT u.id AS user_id, u.status = 'active' AS active, u.epoch, c.phc,
                EXISTS (SELECT FROM identity.platform_admins AS a
                         WHERE a.user_id = u.id AND a.status = 'active') AS platform_admin,
                (u.email_verified_at IS NOT NULL OR u.verified_at IS NOT NULL) AS verified,
                EXISTS (SELECT FROM identity.known_devices AS d
                         WHERE d.user_id = u.id AND d.client = $2) AS familiar
           FROM identity.users AS u
           LEFT JOIN identity.credentials AS c ON c.user_id = u.id
          WHERE u.email_norm = $1";

    /// Writes in both cases, so that the two take the same time; holds the account's row either way.
    static CLAIM: (UserId, String, String, DateTime<Utc>) => Claimed =
        "INSERT INTO identity.users AS u (id, email, email_norm, created_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (email_norm) DO UPDATE SET claims = u.claims + 1
         RETURNING u.id AS user_id, u.id = $1 AS created, u.verified_at IS NOT NULL AS verified";

    static IS_VOUCHED: (UserId,) => (bool,) = "SELECT verified_at IS NOT NULL FROM identity.users WHERE id = $1";

    static VERIFY: (UserId, DateTime<Utc>) => () =
        "UPDATE identity.users SET verified_at = $2 WHERE id = $1 AND verified_at IS NULL";

    /// Of every tenant: what began in an earlier epoch has ended.
    static END_SESSIONS: (UserId,) => (i32,) =
        "UPDATE identity.users SET epoch = epoch + 1 WHERE id = $1 RETURNING epoch";

    static ADD_HASH: (UserId, String, DateTime<Utc>) => () =
        "INSERT INTO identity.credentials (user_id, phc, changed_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO NOTHING";

    static SET_HASH: (UserId, String, DateTime<Utc>) => () =
        "INSERT INTO identity.credentials (user_id, phc, changed_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET phc = excluded.phc, changed_at = excluded.changed_at";

    static CREDENTIAL: (UserId,) => Credential =
        "SELECT u.email_norm, c.phc
           FROM identity.users AS u
           LEFT JOIN identity.credentials AS c ON c.user_id = u.id
          WHERE u.id = $1 AND u.status = 'active'";

    static FORGET_DEVICES: (UserId,) => () = "DELETE FROM identity.known_devices WHERE user_id = $1";

    static KNOW_DEVICE: (UserId, Vec<u8>, DateTime<Utc>) => () =
        "INSERT INTO identity.known_devices AS d (user_id, client, last_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, client) DO UPDATE SET last_at = excluded.last_at";

    static FORGET_HASH: (UserId,) => () = "DELETE FROM identity.credentials WHERE user_id = $1";

    /// Only the hash that was compared is replaced, not one that came in meanwhile.
    static RENEW_HASH: (UserId, String, String, DateTime<Utc>) => () =
        "UPDATE identity.credentials SET phc = $3, changed_at = $4 WHERE user_id = $1 AND phc = $2";

    static ADD_ADMIN: (UserId, DateTime<Utc>) => () =
        "INSERT INTO identity.platform_admins (user_id, created_at) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET status = 'active'";
}

/// The account of an address, as this client logs in to it.
pub(crate) async fn by_email(
    database: &Database,
    email: &Email,
    client: Option<Vec<u8>>,
) -> Result<Option<Account>, DatabaseError> {
    let found = database
        .read_platform(&BY_EMAIL, (email.normal().to_owned(), client))
        .await?;
    Ok(found.into_iter().next())
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

/// Whether the platform vouches for the address.
pub(crate) async fn is_vouched(tx: &Transaction, user: UserId) -> Result<bool, DatabaseError> {
    Ok(tx.one(&IS_VOUCHED, (user,)).await?.0)
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
    end_sessions(tx, user).await.map(drop)
}

/// Ends every session of an account, in every tenant: the epoch that sessions begin in from now on.
pub(crate) async fn end_sessions(tx: &Transaction, user: UserId) -> Result<i32, DatabaseError> {
    Ok(tx.one(&END_SESSIONS, (user,)).await?.0)
}

/// Sets the password, whatever it was.
pub(crate) async fn set_hash(
    tx: &Transaction,
    user: UserId,
    phc: String,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&SET_HASH, (user, phc, now)).await.map(drop)
}

/// The password of an active account.
pub(crate) async fn credential(
    database: &Database,
    user: UserId,
) -> Result<Option<Credential>, DatabaseError> {
    Ok(database
        .read_platform(&CREDENTIAL, (user,))
        .await?
        .into_iter()
        .next())
}

/// No client is familiar any more.
pub(crate) async fn forget_devices(tx: &Transaction, user: UserId) -> Result<(), DatabaseError> {
    tx.execute(&FORGET_DEVICES, (user,)).await.map(drop)
}

/// The right password came from this client.
pub(crate) async fn know_device(
    tx: &Transaction,
    user: UserId,
    client: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&KNOW_DEVICE, (user, client, now)).await.map(drop)
}

/// Replaces a hash; false if it was replaced meanwhile.
pub(crate) async fn renew_hash(
    tx: &Transaction,
    user: UserId,
    outdated: String,
    renewed: String,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    let row = (user, outdated, renewed, now);
    Ok(tx.execute(&RENEW_HASH, row).await? == 1)
}

/// Makes an account an administrator of the platform.
pub(crate) async fn add_admin(
    tx: &Transaction,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    tx.execute(&ADD_ADMIN, (user, now)).await.map(drop)
}

//! All SQL about proofs.
//!
//! Whoever changes an account's proofs holds the account's row first: so nobody waits for each other.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, Transaction};
use plaza_kernel::UserId;
use uuid::Uuid;

use super::Purpose;

plaza_database::row! {
    /// An account that can be recovered.
    #[derive(Debug)]
    pub(crate) struct Recoverable {
        pub(crate) user_id: UserId,
        /// As it was written: where the mail goes.
        pub(crate) email: String,
        /// Somebody has shown to read what is sent there.
        pub(crate) proven: bool,
    }
}

plaza_database::row! {
    /// Whose a live proof is.
    pub(crate) struct Holder {
        pub(crate) user_id: UserId,
        pub(crate) email_norm: String,
    }
}

plaza_database::row! {
    /// A proof whose code is being tried.
    pub(crate) struct Tried {
        pub(crate) id: Uuid,
        pub(crate) user_id: UserId,
        pub(crate) code_hash: Option<Vec<u8>>,
    }
}

/// A proof to be written.
pub(crate) struct NewProof {
    pub(crate) id: Uuid,
    pub(crate) user: UserId,
    pub(crate) purpose: Purpose,
    /// The hash of its token.
    pub(crate) token: Vec<u8>,
    /// The hash of its code.
    pub(crate) code: Option<Vec<u8>>,
    pub(crate) now: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

type Time = DateTime<Utc>;

plaza_database::statements! {
    static ACCOUNT_OF: (String,) => Recoverable =
        "SELECT id AS user_id, email, email_verified_at IS NOT NULL AS proven
           FROM identity.users
          WHERE email_norm = $1 AND status = 'active'
            FOR UPDATE";

    static ACCOUNT: (UserId,) => Recoverable =
        "SELECT id AS user_id, email, email_verified_at IS NOT NULL AS proven
           FROM identity.users
          WHERE id = $1 AND status = 'active'
            FOR UPDATE";

    static IS_LIVE: (Uuid,) => (bool,) = "SELECT consumed_at IS NULL FROM identity.proofs WHERE id = $1";

    static PROLONG: (Uuid, Time) => () = "UPDATE identity.proofs SET expires_at = $2 WHERE id = $1";

    static END_PROOFS: (UserId, String, Time) => () =
        "UPDATE identity.proofs SET consumed_at = $3 WHERE user_id = $1 AND purpose = $2 AND consumed_at IS NULL";

    static END_ALL_PROOFS: (UserId, Time) => () =
        "UPDATE identity.proofs SET consumed_at = $2 WHERE user_id = $1 AND consumed_at IS NULL";

    static ADD_PROOF: (Uuid, UserId, String, Vec<u8>, Option<Vec<u8>>, Time, Time) => () =
        "INSERT INTO identity.proofs (id, user_id, purpose, token_hash, code_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)";

    static HOLDER: (Vec<u8>, String, Time) => Holder =
        "SELECT p.user_id, u.email_norm
           FROM identity.proofs AS p
           JOIN identity.users AS u ON u.id = p.user_id
          WHERE p.token_hash = $1 AND p.purpose = $2 AND p.consumed_at IS NULL AND p.expires_at > $3
            AND u.status = 'active'";

    /// One winner: whoever comes second finds `consumed_at` set.
    static CONSUME: (Vec<u8>, String, Time) => () =
        "UPDATE identity.proofs
            SET consumed_at = $3
          WHERE token_hash = $1 AND purpose = $2 AND consumed_at IS NULL AND expires_at > $3";

    /// One winner, as above.
    static CONSUME_TRIED: (Uuid, Time) => () =
        "UPDATE identity.proofs SET consumed_at = $2 WHERE id = $1 AND consumed_at IS NULL AND expires_at > $2";

    /// Counts the try before anybody learns how it ends.
    static TRY_CODE: (String, Time, i16) => Tried =
        "UPDATE identity.proofs AS p
            SET tries = tries + 1
           FROM identity.users AS u
          WHERE u.email_norm = $1 AND u.status = 'active'
            AND p.user_id = u.id AND p.purpose = 'verify' AND p.consumed_at IS NULL AND p.expires_at > $2
            AND p.tries < $3
      RETURNING p.id, p.user_id, p.code_hash";

    static PROVE: (UserId, Time) => () =
        "UPDATE identity.users SET email_verified_at = $2 WHERE id = $1 AND email_verified_at IS NULL";
}

/// The account of an address (as it is compared), held until the transaction ends.
pub(crate) async fn lock_account_of(
    tx: &Transaction,
    email: &str,
) -> Result<Option<Recoverable>, DatabaseError> {
    tx.optional(&ACCOUNT_OF, (email.to_owned(),)).await
}

/// An account, held until the transaction ends.
pub(crate) async fn lock_account(
    tx: &Transaction,
    user: UserId,
) -> Result<Option<Recoverable>, DatabaseError> {
    tx.optional(&ACCOUNT, (user,)).await
}

/// Whether a proof can still be used; none if it was never made.
pub(crate) async fn is_live(tx: &Transaction, id: Uuid) -> Result<Option<bool>, DatabaseError> {
    Ok(tx.optional(&IS_LIVE, (id,)).await?.map(|(live,)| live))
}

/// Gives a proof more time.
pub(crate) async fn prolong(tx: &Transaction, id: Uuid, until: Time) -> Result<(), DatabaseError> {
    tx.execute(&PROLONG, (id, until)).await.map(drop)
}

/// Ends the live proofs of a purpose.
pub(crate) async fn end_proofs(
    tx: &Transaction,
    user: UserId,
    purpose: Purpose,
    now: Time,
) -> Result<(), DatabaseError> {
    tx.execute(&END_PROOFS, (user, purpose.as_str().to_owned(), now))
        .await
        .map(drop)
}

/// Ends every live proof of an account.
pub(crate) async fn end_all_proofs(tx: &Transaction, user: UserId, now: Time) -> Result<(), DatabaseError> {
    tx.execute(&END_ALL_PROOFS, (user, now)).await.map(drop)
}

/// Writes a proof.
pub(crate) async fn add_proof(tx: &Transaction, new: NewProof) -> Result<(), DatabaseError> {
    let purpose = new.purpose.as_str().to_owned();
    let row = (
        new.id,
        new.user,
        purpose,
        new.token,
        new.code,
        new.now,
        new.expires_at,
    );
    tx.execute(&ADD_PROOF, row).await.map(drop)
}

/// Whose a live proof is.
pub(crate) async fn holder(
    database: &Database,
    token: Vec<u8>,
    purpose: Purpose,
    now: Time,
) -> Result<Option<Holder>, DatabaseError> {
    let found = database
        .read_platform(&HOLDER, (token, purpose.as_str().to_owned(), now))
        .await?;
    Ok(found.into_iter().next())
}

/// Uses a proof up; false if it was used before, or has expired.
pub(crate) async fn consume(
    tx: &Transaction,
    token: Vec<u8>,
    purpose: Purpose,
    now: Time,
) -> Result<bool, DatabaseError> {
    let row = (token, purpose.as_str().to_owned(), now);
    Ok(tx.execute(&CONSUME, row).await? == 1)
}

/// Uses a proof up whose code was right; false if it was used before, or has expired.
pub(crate) async fn consume_tried(tx: &Transaction, id: Uuid, now: Time) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&CONSUME_TRIED, (id, now)).await? == 1)
}

/// Counts a try of the code that was sent to an address. None when there is no code to be tried, or it was tried too often.
pub(crate) async fn try_code(
    database: &Database,
    email: &str,
    now: Time,
    most: i16,
) -> Result<Option<Tried>, DatabaseError> {
    let tx = database.begin_platform();
    let tried = tx.optional(&TRY_CODE, (email.to_owned(), now, most)).await?;
    tx.commit().await?;
    Ok(tried)
}

/// From now on somebody has shown to read what is sent to the address.
pub(crate) async fn prove(tx: &Transaction, user: UserId, now: Time) -> Result<(), DatabaseError> {
    tx.execute(&PROVE, (user, now)).await.map(drop)
}

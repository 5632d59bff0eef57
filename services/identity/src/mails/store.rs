//! All SQL about due mails.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, Transaction};
use plaza_kernel::UserId;
use uuid::Uuid;

type Time = DateTime<Utc>;

plaza_database::row! {
    /// A mail that is due.
    #[derive(Debug)]
    pub(super) struct Due {
        pub(super) id: Uuid,
        pub(super) template: String,
        pub(super) email_norm: String,
        pub(super) created_at: Time,
        /// This one is counted.
        pub(super) attempts: i32,
    }
}

plaza_database::row! {
    /// To whom a mail goes.
    #[derive(Debug)]
    pub(super) struct Recipient {
        pub(super) user_id: UserId,
        /// As it was written.
        pub(super) email: String,
    }
}

plaza_database::statements! {
    static ADD: (Uuid, String, String, Time) => () =
        "INSERT INTO identity.due_mails (id, template, email_norm, created_at, due_at) VALUES ($1, $2, $3, $4, $4)";

    /// Now, and until when it is left to whoever takes it.
    static CLAIM: (Time, Time) => Due =
        "UPDATE identity.due_mails
            SET due_at = $2, attempts = attempts + 1
          WHERE id = (SELECT id FROM identity.due_mails WHERE due_at <= $1 ORDER BY due_at LIMIT 1
                         FOR UPDATE SKIP LOCKED)
      RETURNING id, template, email_norm, created_at, attempts";

    static POSTPONE: (Uuid, Time) => () = "UPDATE identity.due_mails SET due_at = $2 WHERE id = $1";

    static DONE: (Uuid,) => () = "DELETE FROM identity.due_mails WHERE id = $1";

    static RECIPIENT: (String,) => Recipient =
        "SELECT id AS user_id, email FROM identity.users WHERE email_norm = $1 AND status = 'active'";

    /// What they said last, in whichever tenant.
    system static LOCALE_OF: (UserId,) => (String,) =
        "SELECT locale
           FROM identity.memberships
          WHERE user_id = $1 AND locale IS NOT NULL
          ORDER BY updated_at DESC NULLS LAST
          LIMIT 1";
}

/// Writes that a mail is due now.
pub(super) async fn add(
    tx: &Transaction,
    id: Uuid,
    template: &str,
    email: &str,
    now: Time,
) -> Result<(), DatabaseError> {
    let row = (id, template.to_owned(), email.to_owned(), now);
    tx.execute(&ADD, row).await.map(drop)
}

/// Takes a mail that is due, until then.
pub(super) async fn claim(database: &Database, now: Time, until: Time) -> Result<Option<Due>, DatabaseError> {
    let tx = database.begin_platform();
    let due = tx.optional(&CLAIM, (now, until)).await?;
    tx.commit().await?;
    Ok(due)
}

/// Leaves it for later.
pub(super) async fn postpone(database: &Database, id: Uuid, until: Time) -> Result<(), DatabaseError> {
    let tx = database.begin_platform();
    tx.execute_and_commit(&POSTPONE, (id, until)).await.map(drop)
}

/// It is owed no more.
pub(super) async fn done(database: &Database, id: Uuid) -> Result<(), DatabaseError> {
    let tx = database.begin_platform();
    tx.execute_and_commit(&DONE, (id,)).await.map(drop)
}

/// The account of an address.
pub(super) async fn recipient(database: &Database, email: &str) -> Result<Option<Recipient>, DatabaseError> {
    let found = database.read_platform(&RECIPIENT, (email.to_owned(),)).await?;
    Ok(found.into_iter().next())
}

/// In which language the person is written to, as far as they said.
pub(super) async fn locale_of(database: &Database, user: UserId) -> Result<Option<String>, DatabaseError> {
    let tx = database.begin_system();
    let found = tx.optional(&LOCALE_OF, (user,)).await?;
    tx.commit().await?;
    Ok(found.map(|(locale,)| locale))
}

//! All SQL about mails. What is due and which claim holds is measured by the database's clock alone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, SystemTx, Transaction, row, statements};
use plaza_kernel::{Scope, TenantId};
use uuid::Uuid;

use super::outcome::Next;
use super::send::Queued;
use super::{Mail, MailId};

row! {
    /// A mail that was claimed.
    #[derive(Debug)]
    pub(super) struct Claimed {
        pub(super) tenant_id: Option<TenantId>,
        pub(super) id: MailId,
        pub(super) recipient: String,
        pub(super) from_name: String,
        pub(super) subject: String,
        pub(super) sealed: Option<String>,
        pub(super) epoch: i32,
        pub(super) attempts: i32,
        pub(super) doubts: i32,
        pub(super) created_at: DateTime<Utc>,
    }
}

row! {
    /// A mail's row.
    struct Stored {
        tenant_id: Option<TenantId>,
        id: MailId,
        recipient: String,
        from_name: String,
        template: String,
        subject: String,
        state: String,
        attempts: i32,
        error_text: Option<String>,
        created_at: DateTime<Utc>,
        sealed: Option<String>,
    }
}

statements! {
    static ADD: (Option<TenantId>, MailId, String, String, String, String, String, String, String, DateTime<Utc>) => () =
        "INSERT INTO notification.mails
                (tenant_id, id, recipient, template, locale, from_name, subject, sealed, state, due_at, created_at,
                 updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), $10, $10)
         ON CONFLICT (id) DO NOTHING";
    // The next mail of the holder after the last one that had its turn, and from the beginning after the last holder:
    // however many mails one has waiting, each of the others gets its next one sent after at most one of them.
    system static CLAIM: (Uuid, i64) => Claimed =
        "WITH later AS (
             SELECT m.id FROM notification.mails m
              WHERE m.state = 'queued' AND m.due_at <= now()
                AND coalesce(m.tenant_id, '00000000-0000-0000-0000-000000000000') > $1
              ORDER BY coalesce(m.tenant_id, '00000000-0000-0000-0000-000000000000'), m.due_at, m.id
              LIMIT 1 FOR UPDATE SKIP LOCKED
         ), first AS (
             SELECT m.id FROM notification.mails m
              WHERE m.state = 'queued' AND m.due_at <= now() AND NOT EXISTS (SELECT FROM later)
              ORDER BY coalesce(m.tenant_id, '00000000-0000-0000-0000-000000000000'), m.due_at, m.id
              LIMIT 1 FOR UPDATE SKIP LOCKED
         ), next AS (
             SELECT id FROM later UNION ALL SELECT id FROM first
         )
         UPDATE notification.mails m
            SET state = 'leased', epoch = m.epoch + 1, updated_at = now(),
                lease_until = now() + $2::bigint * interval '1 millisecond'
           FROM next
          WHERE m.id = next.id
         RETURNING m.tenant_id, m.id, m.recipient, m.from_name, m.subject, m.sealed, m.epoch, m.attempts, m.doubts,
                   m.created_at";
    // Its holder died, or nobody hears from it. Whether the server has the mail is not known; it may arrive twice.
    system static TAKE_BACK: () => () =
        "UPDATE notification.mails
            SET state = 'queued', due_at = now(), lease_until = NULL, updated_at = now()
          WHERE id IN (SELECT id FROM notification.mails
                        WHERE state = 'leased' AND lease_until < now()
                        ORDER BY lease_until LIMIT 100 FOR UPDATE SKIP LOCKED)";
    // Nothing is written for a mail that was taken back meanwhile. What it said is forgotten with its end.
    system static SETTLE: (MailId, i32, String, i64, i32, i32, Option<String>, Option<String>) => () =
        "UPDATE notification.mails
            SET state = $3, due_at = now() + $4::bigint * interval '1 millisecond', attempts = attempts + $5,
                doubts = doubts + $6, error_text = $7, accepted_as = $8,
                sealed = CASE WHEN $3 IN ('sent', 'failed') THEN NULL ELSE sealed END,
                lease_until = NULL, updated_at = now()
          WHERE id = $1 AND epoch = $2 AND state = 'leased'";
    system static LIST: (Option<String>, i64) => Stored =
        "SELECT tenant_id, id, recipient, from_name, template, subject, state, attempts, error_text, created_at, sealed
           FROM notification.mails
          WHERE $1::text IS NULL OR lower(recipient) = lower($1)
          ORDER BY created_at DESC, id DESC LIMIT $2";
    system static GET: (MailId,) => Stored =
        "SELECT tenant_id, id, recipient, from_name, template, subject, state, attempts, error_text, created_at, sealed
           FROM notification.mails WHERE id = $1";
    pub(super) system static TIDY: (DateTime<Utc>, i64) => () =
        "DELETE FROM notification.mails
          WHERE id IN (SELECT id FROM notification.mails
                        WHERE state IN ('sent', 'failed', 'kept') AND updated_at < $1 LIMIT $2)";
}

/// Queues a mail, unless its id is known already; says whether it was queued.
pub(super) async fn add(tx: &Transaction, mail: Queued, now: DateTime<Utc>) -> Result<bool, DatabaseError> {
    let params = (
        mail.scope.tenant(),
        mail.id,
        mail.recipient,
        mail.template.to_owned(),
        mail.locale.to_owned(),
        mail.from_name,
        mail.subject,
        mail.sealed,
        mail.state.to_owned(),
        now,
    );
    Ok(tx.execute(&ADD, params).await? == 1)
}

/// Claims the next due mail, after this holder's.
pub(super) async fn claim(
    tx: &SystemTx,
    after: Uuid,
    lease: Duration,
) -> Result<Option<Claimed>, DatabaseError> {
    tx.optional(&CLAIM, (after, in_milliseconds(lease))).await
}

/// Queues again what nobody works on any more; says how many there were.
pub(super) async fn take_back(tx: &SystemTx) -> Result<u64, DatabaseError> {
    tx.execute(&TAKE_BACK, ()).await
}

/// Writes down what became of a claimed mail.
pub(super) async fn settle(tx: &SystemTx, mail: &Claimed, next: Next) -> Result<(), DatabaseError> {
    let params = (
        mail.id,
        mail.epoch,
        next.state.to_owned(),
        in_milliseconds(next.after),
        next.attempts,
        next.doubts,
        next.error,
        next.accepted_as,
    );
    tx.execute(&SETTLE, params).await.map(drop)
}

/// Mails of all scopes, newest first.
pub(super) async fn list(
    database: &Database,
    recipient: Option<String>,
    most: i64,
) -> Result<Vec<Mail>, DatabaseError> {
    let tx = database.begin_system();
    let found = tx.all(&LIST, (recipient, most)).await?;
    tx.commit().await?;
    Ok(found.into_iter().map(Mail::from).collect())
}

/// One mail.
pub(super) async fn get(database: &Database, id: MailId) -> Result<Option<Mail>, DatabaseError> {
    let tx = database.begin_system();
    let found = tx.optional(&GET, (id,)).await?;
    tx.commit().await?;
    Ok(found.map(Mail::from))
}

fn in_milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl From<Stored> for Mail {
    fn from(stored: Stored) -> Self {
        Self {
            id: stored.id,
            scope: Scope::from(stored.tenant_id),
            recipient: stored.recipient,
            from_name: stored.from_name,
            template: stored.template,
            subject: stored.subject,
            state: stored.state,
            attempts: stored.attempts,
            error_text: stored.error_text,
            created_at: stored.created_at,
            sealed: stored.sealed,
        }
    }
}

//! All SQL about sources, and about bringing their messages to where they want them.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, row, statements};
use plaza_kernel::TenantId;
use uuid::Uuid;

use super::{Standing, Trip, change};

/// Messages that are moved in one transaction.
pub(crate) const BATCH: i64 = 5_000;

/// Sources looked up at a time whose messages are to be moved.
const MOVING: i64 = 100;

row! {
    /// A source whose messages are to be moved.
    struct Moving {
        state: String,
        epoch: i32,
    }
}

statements! {
    // Whoever queues messages of a source holds its row shared until they are committed. So after a change commits,
    // nobody queues by what was before.
    static KNOW: (TenantId, String, DateTime<Utc>) => () =
        "INSERT INTO notification.sources (tenant_id, source, state, updated_at) VALUES ($1, $2, 'active', $3)
         ON CONFLICT DO NOTHING";
    static SHARE: (TenantId, String) => (String,) =
        "SELECT state FROM notification.sources WHERE tenant_id = $1 AND source = $2 FOR SHARE";
    static LOCK: (TenantId, String) => (String,) =
        "SELECT state FROM notification.sources WHERE tenant_id = $1 AND source = $2 FOR NO KEY UPDATE";
    static CHANGE: (TenantId, String, String, Option<String>, DateTime<Utc>) => () =
        "UPDATE notification.sources
            SET state = $3, reason = $4, tripped = NULL, moving = true, epoch = epoch + 1, updated_at = $5
          WHERE tenant_id = $1 AND source = $2";
    static EXPLAIN: (TenantId, String, String) => () =
        "UPDATE notification.sources SET reason = $3 WHERE tenant_id = $1 AND source = $2";
    static TRIP: (TenantId, String, String) => () =
        "UPDATE notification.sources SET tripped = $3 WHERE tenant_id = $1 AND source = $2";
    static OF: (TenantId, String) => (String, Option<String>, Option<String>, Option<DateTime<Utc>>) =
        "SELECT state, reason, tripped, first_sent_at FROM notification.sources WHERE tenant_id = $1 AND source = $2";

    static BEGUN: (TenantId, Vec<String>) => () =
        "UPDATE notification.sources x SET first_sent_at = now()
           FROM (SELECT s.source FROM notification.sources s
                  WHERE s.tenant_id = $1 AND s.source = ANY ($2) AND s.first_sent_at IS NULL
                  ORDER BY s.source FOR NO KEY UPDATE) AS new
          WHERE x.tenant_id = $1 AND x.source = new.source";

    system static TO_MOVE: (Uuid, String, i64) => (TenantId, String) =
        "SELECT tenant_id, source FROM notification.sources
          WHERE moving AND (tenant_id, source) > ($1, $2)
          ORDER BY tenant_id, source LIMIT $3";
    // One process at a time moves a source; another one passes it over.
    static TAKE: (TenantId, String) => Moving =
        "SELECT state, epoch FROM notification.sources
          WHERE tenant_id = $1 AND source = $2 AND moving FOR NO KEY UPDATE SKIP LOCKED";
    // In the order of ids, as receipts lock. Whoever claims passes over what is locked here. A message keeps when it is
    // due, a thousand years on: what had to wait before it was held waits as long after that.
    static PARK: (TenantId, String, Uuid, i64) => (Option<Uuid>, i64) =
        "WITH part AS (
             SELECT m.id FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.source = $2 AND m.state = 'queued' AND m.id > $3
              ORDER BY m.id LIMIT $4 FOR NO KEY UPDATE
         ), moved AS (
             UPDATE notification.messages m
                SET due_at = m.due_at + interval '1000 years', updated_at = now()
               FROM part
              WHERE m.tenant_id = $1 AND m.id = part.id AND m.due_at < '2500-01-01'
             RETURNING 1
         )
         SELECT (SELECT id FROM part ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM moved)";
    static UNPARK: (TenantId, String, Uuid, i64) => (Option<Uuid>, i64) =
        "WITH part AS (
             SELECT m.id FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.source = $2 AND m.state = 'queued' AND m.id > $3
              ORDER BY m.id LIMIT $4 FOR NO KEY UPDATE
         ), moved AS (
             UPDATE notification.messages m
                SET due_at = m.due_at - interval '1000 years', updated_at = now()
               FROM part
              WHERE m.tenant_id = $1 AND m.id = part.id AND m.due_at >= '2500-01-01'
             RETURNING 1
         )
         SELECT (SELECT id FROM part ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM moved)";
    static CALL_OFF: (TenantId, String, Uuid, i64) => (Option<Uuid>, i64) =
        "WITH part AS (
             SELECT m.id FROM notification.messages m
              WHERE m.tenant_id = $1 AND m.source = $2 AND m.state = 'queued' AND m.id > $3
              ORDER BY m.id LIMIT $4 FOR NO KEY UPDATE
         ), moved AS (
             UPDATE notification.messages m
                SET state = 'cancelled', lease_until = NULL, unknown_because = NULL, error_code = NULL,
                    error_text = NULL, updated_at = now()
               FROM part
              WHERE m.tenant_id = $1 AND m.id = part.id
             RETURNING 1
         )
         SELECT (SELECT id FROM part ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM moved)";
    // All are where they are wanted, and none is under way that may come back into the queue. Both at one time: what
    // comes back between two looks would be seen by neither.
    static ARRIVED: (TenantId, String, i32) => () =
        "UPDATE notification.sources x
            SET moving = false, updated_at = now()
          WHERE x.tenant_id = $1 AND x.source = $2 AND x.epoch = $3 AND x.moving
            AND (x.state = 'active'
                 OR NOT EXISTS (SELECT FROM notification.messages m
                                 WHERE m.tenant_id = $1 AND m.source = $2 AND m.state IN ('leased', 'unknown')))
            AND NOT EXISTS (SELECT FROM notification.messages m
                             WHERE m.tenant_id = $1 AND m.source = $2 AND m.state = 'queued'
                               AND CASE x.state WHEN 'held' THEN m.due_at < '2500-01-01'
                                                WHEN 'active' THEN m.due_at >= '2500-01-01'
                                                ELSE true END)";
}

/// How a source stands for whoever queues messages of it: it stands so until the end of the transaction.
pub(crate) async fn share(
    tx: &TenantTx,
    source: &str,
    now: DateTime<Utc>,
) -> Result<Standing, DatabaseError> {
    let (known, state) = tokio::join!(
        biased;
        tx.execute(&KNOW, (tx.tenant(), source.to_owned(), now)),
        tx.one(&SHARE, (tx.tenant(), source.to_owned())),
    );
    known?;
    standing(&state?.0)
}

/// How a source stands for whoever changes that. One that nobody knew is active.
pub(crate) async fn lock(tx: &TenantTx, source: &str, now: DateTime<Utc>) -> Result<Standing, DatabaseError> {
    let (known, state) = tokio::join!(
        biased;
        tx.execute(&KNOW, (tx.tenant(), source.to_owned(), now)),
        tx.one(&LOCK, (tx.tenant(), source.to_owned())),
    );
    known?;
    standing(&state?.0)
}

/// How a source stands for whoever changes that; none where nobody knows it.
pub(crate) async fn lock_known(tx: &TenantTx, source: &str) -> Result<Option<Standing>, DatabaseError> {
    let found = tx.optional(&LOCK, (tx.tenant(), source.to_owned())).await?;
    found.map(|(state,)| standing(&state)).transpose()
}

/// Brings a source that is locked to another standing. Its messages follow.
pub(crate) async fn change(
    tx: &TenantTx,
    source: &str,
    next: Standing,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let reason = reason.map(|reason| reason.chars().take(200).collect());
    let params = (
        tx.tenant(),
        source.to_owned(),
        next.as_str().to_owned(),
        reason,
        now,
    );
    tx.execute(&CHANGE, params).await.map(drop)
}

/// Gives a source that is locked another reason for how it stands.
pub(crate) async fn explain(tx: &TenantTx, source: &str, reason: &str) -> Result<(), DatabaseError> {
    let reason = reason.chars().take(200).collect();
    tx.execute(&EXPLAIN, (tx.tenant(), source.to_owned(), reason))
        .await
        .map(drop)
}

/// Notes what stopped a source that is locked.
pub(crate) async fn note_trip(tx: &TenantTx, source: &str, trip: &Trip) -> Result<(), DatabaseError> {
    // Texts, numbers and a time: it can be written.
    let trip = serde_json::to_string(trip).unwrap_or_default();
    tx.execute(&TRIP, (tx.tenant(), source.to_owned(), trip))
        .await
        .map(drop)
}

/// Notes that messages of these sources were taken by a provider. Before any of the messages is locked.
pub(crate) async fn begun(tx: &TenantTx, sources: Vec<String>) -> Result<(), DatabaseError> {
    tx.execute(&BEGUN, (tx.tenant(), sources)).await.map(drop)
}

/// A source as it stands.
pub(crate) struct Stands {
    pub(crate) standing: Standing,
    pub(crate) reason: Option<String>,
    pub(crate) trip: Option<Trip>,
    /// When a provider first took one of its messages.
    pub(crate) first_sent_at: Option<DateTime<Utc>>,
}

/// How a source stands, and why. One that nobody knows is active.
pub(crate) async fn of(tx: &TenantTx, source: &str) -> Result<Stands, DatabaseError> {
    let Some((state, reason, trip, first_sent_at)) =
        tx.optional(&OF, (tx.tenant(), source.to_owned())).await?
    else {
        return Ok(Stands {
            standing: Standing::Active,
            reason: None,
            trip: None,
            first_sent_at: None,
        });
    };
    Ok(Stands {
        standing: standing(&state)?,
        reason,
        trip: trip.and_then(|trip| serde_json::from_str(&trip).ok()),
        first_sent_at,
    })
}

/// Sources whose messages are to be moved, those after this one, and whether there may be more.
pub(crate) async fn to_move(
    database: &Database,
    (tenant, source): (Uuid, String),
) -> Result<(Vec<(TenantId, String)>, bool), DatabaseError> {
    let tx = database.begin_system();
    let found = tx.all(&TO_MOVE, (tenant, source, MOVING)).await?;
    tx.commit().await?;
    let more = i64::try_from(found.len()).is_ok_and(|count| count >= MOVING);
    Ok((found, more))
}

/// A part of the messages of a source that was moved.
pub(crate) struct Part {
    /// The last message that was looked at; none at the end of them.
    pub(crate) last: Option<Uuid>,
    pub(crate) moved: u64,
    pub(crate) standing: Standing,
    pub(crate) epoch: i32,
}

/// Moves the next messages of a source, those after this one. None when it is another's turn, or nothing is to be done.
pub(crate) async fn move_some(
    tx: &TenantTx,
    source: &str,
    after: Uuid,
) -> Result<Option<Part>, DatabaseError> {
    let Some(Moving { state, epoch }) = tx.optional(&TAKE, (tx.tenant(), source.to_owned())).await? else {
        return Ok(None);
    };
    let standing = standing(&state)?;
    let statement = match standing {
        Standing::Active => &UNPARK,
        Standing::Held => &PARK,
        Standing::Cancelled => &CALL_OFF,
    };
    let params = (tx.tenant(), source.to_owned(), after, BATCH);
    let (last, moved) = tx.one(statement, params).await?;
    Ok(Some(Part {
        last,
        moved: u64::try_from(moved).unwrap_or_default(),
        standing,
        epoch,
    }))
}

/// Calls off the next messages of a source that is called off.
pub(crate) async fn call_off_some(tx: &TenantTx, source: &str) -> Result<change::Part, DatabaseError> {
    let params = (tx.tenant(), source.to_owned(), Uuid::nil(), BATCH);
    let (_, moved) = tx.one(&CALL_OFF, params).await?;
    Ok(change::Part {
        messages: u64::try_from(moved).unwrap_or_default(),
        more: moved >= BATCH,
    })
}

/// Notes that all messages are where the source wants them; says whether they are.
pub(crate) async fn arrived(tx: &TenantTx, source: &str, epoch: i32) -> Result<bool, DatabaseError> {
    Ok(tx
        .execute(&ARRIVED, (tx.tenant(), source.to_owned(), epoch))
        .await?
        == 1)
}

/// The check constraint of the table admits no state that is none.
fn standing(state: &str) -> Result<Standing, DatabaseError> {
    state
        .parse()
        .map_err(|error| DatabaseError::Unavailable(Some(Box::new(error))))
}

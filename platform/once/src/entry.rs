//! Coming in with a key, and leaving an answer.

use plaza_crypto::sha256;
use plaza_database::{DatabaseError, Query, Transaction, statements};
use plaza_kernel::{OnceKey, Scope, UserId};
use serde::Serialize;
use uuid::Uuid;

use crate::OnceError;

/// Fingerprint, status and body of the request that has the key.
type Kept = (Vec<u8>, Option<i16>, Option<String>);

statements! {
    /// Nobody waits longer for the first request than a client does; remembers what there was.
    static WAIT_BRIEFLY: () => (String, String) =
        "SELECT set_config('plaza.lock_timeout_before', current_setting('lock_timeout'), true),
                set_config('lock_timeout', '2s', true)";

    static WAIT_AS_BEFORE: () => (String,) =
        "SELECT set_config('lock_timeout', current_setting('plaza.lock_timeout_before'), true)";

    /// Takes the key, or finds who has it: whoever is under way is waited for. After a day a key is free again.
    static ENTER: (Uuid, Uuid, &'static str, Vec<u8>, Vec<u8>) => Kept =
        "INSERT INTO once AS o (tenant_id, actor, route, key_hash, fingerprint, created_at)
         VALUES ($1, $2, $3, $4, $5, now())
             ON CONFLICT (tenant_id, actor, route, key_hash) DO UPDATE
            SET fingerprint = CASE WHEN o.created_at < now() - interval '24 hours' THEN excluded.fingerprint ELSE o.fingerprint END,
                status = CASE WHEN o.created_at < now() - interval '24 hours' THEN NULL ELSE o.status END,
                body = CASE WHEN o.created_at < now() - interval '24 hours' THEN NULL ELSE o.body END,
                created_at = CASE WHEN o.created_at < now() - interval '24 hours' THEN now() ELSE o.created_at END
         RETURNING fingerprint, status, body";

    static ENTER_PLATFORM: (Uuid, &'static str, Vec<u8>, Vec<u8>) => Kept =
        "INSERT INTO once_platform AS o (actor, route, key_hash, fingerprint, created_at)
         VALUES ($1, $2, $3, $4, now())
             ON CONFLICT (actor, route, key_hash) DO UPDATE
            SET fingerprint = CASE WHEN o.created_at < now() - interval '24 hours' THEN excluded.fingerprint ELSE o.fingerprint END,
                status = CASE WHEN o.created_at < now() - interval '24 hours' THEN NULL ELSE o.status END,
                body = CASE WHEN o.created_at < now() - interval '24 hours' THEN NULL ELSE o.body END,
                created_at = CASE WHEN o.created_at < now() - interval '24 hours' THEN now() ELSE o.created_at END
         RETURNING fingerprint, status, body";

    static LEAVE: (Uuid, Uuid, &'static str, Vec<u8>, i16, String) => () =
        "UPDATE once SET status = $5, body = $6
          WHERE tenant_id = $1 AND actor = $2 AND route = $3 AND key_hash = $4";

    static LEAVE_PLATFORM: (Uuid, &'static str, Vec<u8>, i16, String) => () =
        "UPDATE once_platform SET status = $4, body = $5
          WHERE actor = $1 AND route = $2 AND key_hash = $3";
}

/// How a request came in.
#[derive(Debug)]
#[must_use = "a replay must not have its effect again"]
pub enum Entry {
    /// Without a key: it has its effect each time.
    None,
    /// The first one with its key.
    Fresh(Ticket),
    /// It was carried out before; this was answered.
    Replay {
        /// The status.
        status: u16,
        /// The body, JSON; empty where there was none.
        body: String,
    },
}

impl Entry {
    /// Leaves the answer, if the request has a key: [`Ticket::leave`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leave(
        self,
        tx: &Transaction,
        status: u16,
        body: &(impl Serialize + Sync),
    ) -> Result<(), OnceError> {
        match self {
            Self::Fresh(ticket) => ticket.leave(tx, status, body).await,
            Self::None | Self::Replay { .. } => Ok(()),
        }
    }
}

/// The right to leave an answer under a key.
#[derive(Debug)]
#[must_use = "without an answer a repetition has its effect again"]
pub struct Ticket {
    scope: Scope,
    actor: UserId,
    route: &'static str,
    key_hash: [u8; 32],
}

/// Takes the key of a request in the transaction of its effect, before the effect. Keys are the actor's own, for one
/// operation, for a day; in a transaction of the platform they are the platform's.
///
/// # Errors
/// [`OnceError::Running`] after two seconds if the first request is still under way, [`OnceError::Mismatch`] if the key was
/// used for another request. The transaction is of no use then.
pub async fn enter(
    tx: &Transaction,
    key: &OnceKey,
    actor: UserId,
    route: &'static str,
) -> Result<Entry, OnceError> {
    enter_in(tx, tx.scope(), key, actor, route).await
}

/// The same with a key of the platform, whatever the transaction is about: where the effect makes the tenant that it is about,
/// a repeated request could not look for its key there.
///
/// # Errors
/// As [`enter`].
pub async fn enter_platform(
    tx: &Transaction,
    key: &OnceKey,
    actor: UserId,
    route: &'static str,
) -> Result<Entry, OnceError> {
    enter_in(tx, Scope::Platform, key, actor, route).await
}

async fn enter_in(
    tx: &Transaction,
    scope: Scope,
    key: &OnceKey,
    actor: UserId,
    route: &'static str,
) -> Result<Entry, OnceError> {
    let Some(request) = &key.0 else {
        return Ok(Entry::None);
    };
    let key_hash = sha256(request.key.as_bytes());
    let fingerprint = request.fingerprint.to_vec();
    let found = match scope {
        Scope::Tenant(tenant) => {
            let key = (
                tenant.as_uuid(),
                actor.as_uuid(),
                route,
                key_hash.to_vec(),
                fingerprint,
            );
            waiting_briefly(tx, &ENTER, key).await
        }
        Scope::Platform => {
            let key = (actor.as_uuid(), route, key_hash.to_vec(), fingerprint);
            waiting_briefly(tx, &ENTER_PLATFORM, key).await
        }
    };
    let (fingerprint, status, body) = found.map_err(|error| match error {
        DatabaseError::Timeout(_) => OnceError::Running,
        other => other.into(),
    })?;
    if fingerprint != request.fingerprint {
        return Err(OnceError::Mismatch);
    }
    Ok(match status.and_then(|status| u16::try_from(status).ok()) {
        Some(status) => Entry::Replay {
            status,
            body: body.unwrap_or_default(),
        },
        // Only our own row has no answer yet.
        None => Entry::Fresh(Ticket {
            scope,
            actor,
            route,
            key_hash,
        }),
    })
}

/// All in one flight.
async fn waiting_briefly<P: plaza_database::Params>(
    tx: &Transaction,
    query: &Query<P, Kept>,
    params: P,
) -> Result<Kept, DatabaseError> {
    let (before, kept, after) = tokio::join!(
        biased;
        tx.one(&WAIT_BRIEFLY, ()),
        tx.one(query, params),
        tx.one(&WAIT_AS_BEFORE, ()),
    );
    before?;
    let kept = kept?;
    after?;
    Ok(kept)
}

impl Ticket {
    /// Leaves what is answered, in the transaction of the effect. A body that carries a secret does not belong here: it would
    /// lie in the table for a day. Give such an answer sealed ([`Ticket::leave_text`]) or without its secret.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leave(
        self,
        tx: &Transaction,
        status: u16,
        body: &(impl Serialize + Sync),
    ) -> Result<(), OnceError> {
        let body = serde_json::to_string(body).map_err(OnceError::Answer)?;
        self.leave_text(tx, status, body).await
    }

    /// The same for a body that is text already; empty for none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leave_text(self, tx: &Transaction, status: u16, body: String) -> Result<(), OnceError> {
        let Self {
            scope,
            actor,
            route,
            key_hash,
        } = self;
        // A status has three digits; one that had more would be refused by the table.
        let status = i16::try_from(status).unwrap_or(i16::MAX);
        let (actor, key_hash) = (actor.as_uuid(), key_hash.to_vec());
        match scope {
            Scope::Tenant(tenant) => {
                let key = (tenant.as_uuid(), actor, route, key_hash, status, body);
                tx.execute(&LEAVE, key).await?
            }
            Scope::Platform => {
                tx.execute(&LEAVE_PLATFORM, (actor, route, key_hash, status, body))
                    .await?
            }
        };
        Ok(())
    }
}

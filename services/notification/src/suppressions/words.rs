//! All SQL about what people say about being written to: the last word by each way in which we hear of it.

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;

use super::{Said, Scope, SuppressionId};
use crate::addresses;

statements! {
    // What was said before the last word counts no more. A word that stands already is prolonged and keeps its id: who
    // finds their own id knows that it is news.
    static OUT: (TenantId, String, String, String, SuppressionId, String, String, DateTime<Utc>, DateTime<Utc>)
                => (SuppressionId,) =
        "INSERT INTO notification.opt_outs AS o
                (tenant_id, address_key, channel, source, id, address, scope, stands, said_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, true, $8, $9)
         ON CONFLICT (tenant_id, address_key, channel, source) DO UPDATE
            SET id = CASE WHEN o.stands THEN o.id ELSE excluded.id END,
                created_at = CASE WHEN o.stands THEN o.created_at ELSE excluded.created_at END,
                address = excluded.address, scope = excluded.scope, stands = true, said_at = excluded.said_at
          WHERE o.said_at <= excluded.said_at
         RETURNING o.id";
    // Kept even where nothing stands: a word from before this one may be told after it. Of what a person told the provider,
    // a yes and a no of one second may be told in any order, and any number of times: then it is a no.
    static BACK: (TenantId, String, String, Vec<String>, Vec<SuppressionId>, String, String, DateTime<Utc>, DateTime<Utc>)
                 => (i64,) =
        "WITH back AS (
             INSERT INTO notification.opt_outs AS o
                    (tenant_id, address_key, channel, source, id, address, scope, stands, said_at, created_at)
             SELECT $1, $2, $3, said.source, said.id, $6, $7, false, $8, $9
               FROM unnest($4::text[], $5::uuid[]) AS said (source, id) ORDER BY said.source
             ON CONFLICT (tenant_id, address_key, channel, source) DO UPDATE
                SET stands = false, stood = o.stands, said_at = excluded.said_at
              WHERE o.said_at < excluded.said_at
                 OR (o.said_at = excluded.said_at AND NOT 'preference' = ANY ($4))
             RETURNING o.stood
         )
         SELECT count(*) FROM back WHERE stood";
    static STANDING: (TenantId, String, String) => (String, String, DateTime<Utc>) =
        "SELECT source, scope, said_at FROM notification.opt_outs
          WHERE tenant_id = $1 AND address_key = $2 AND channel = $3 AND stands ORDER BY source";
    static LIFT: (TenantId, SuppressionId, DateTime<Utc>) => () =
        "UPDATE notification.opt_outs SET stands = false, said_at = greatest(said_at, $3)
          WHERE tenant_id = $1 AND id = $2 AND stands";
}

/// Somebody's word that they want no messages.
pub(super) struct Word<'a> {
    pub(super) id: SuppressionId,
    pub(super) channel: &'a str,
    pub(super) address: &'a str,
    pub(super) scope: Scope,
    pub(super) said: Said,
    /// When, by the clock of whoever told it.
    pub(super) at: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
}

/// Keeps a word, unless a later one was heard the same way; says whether it is news.
pub(super) async fn out(tx: &TenantTx, word: &Word<'_>) -> Result<bool, DatabaseError> {
    let params = (
        tx.tenant(),
        addresses::key(word.address),
        word.channel.to_owned(),
        word.said.as_str().to_owned(),
        word.id,
        word.address.to_owned(),
        word.scope.as_str().to_owned(),
        word.at,
        word.now,
    );
    let kept = tx.optional(&OUT, params).await?;
    Ok(kept.is_some_and(|(id,)| id == word.id))
}

/// Takes back what was said in one of these ways up to then; says whether there was something. Each way has its new id.
pub(super) async fn back(
    tx: &TenantTx,
    (channel, address): (&str, &str),
    said: &[(Said, SuppressionId)],
    scope: Scope,
    (at, now): (DateTime<Utc>, DateTime<Utc>),
) -> Result<bool, DatabaseError> {
    let (said, ids) = said
        .iter()
        .map(|(said, id)| (said.as_str().to_owned(), *id))
        .unzip();
    let params = (
        tx.tenant(),
        addresses::key(address),
        channel.to_owned(),
        said,
        ids,
        address.to_owned(),
        scope.as_str().to_owned(),
        at,
        now,
    );
    Ok(tx.one(&BACK, params).await?.0 > 0)
}

/// What a person has said of an address and not taken back.
pub(super) async fn standing(
    tx: &TenantTx,
    channel: &str,
    address: &str,
) -> Result<Vec<(Said, Scope, DateTime<Utc>)>, DatabaseError> {
    let params = (tx.tenant(), addresses::key(address), channel.to_owned());
    let found = tx.all(&STANDING, params).await?;
    // The check constraints of the table admit no other names.
    let read = |(said, scope, at): (String, String, DateTime<Utc>)| {
        Some((Said::parse(&said)?, Scope::parse(&scope)?, at))
    };
    Ok(found.into_iter().filter_map(read).collect())
}

/// Lifts one as of now; says whether it stood.
pub(super) async fn lift(
    tx: &TenantTx,
    id: SuppressionId,
    now: DateTime<Utc>,
) -> Result<bool, DatabaseError> {
    Ok(tx.execute(&LIFT, (tx.tenant(), id, now)).await? == 1)
}

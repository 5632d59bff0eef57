//! One digest over the ends of all chains of a service, to be kept where the database cannot reach: whoever cuts off or
//! rewrites whole chains would have to rewrite that as well.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, SystemTx};

use crate::canonical::Hash;
use crate::store;

/// The ends of all chains at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// When.
    pub at: DateTime<Utc>,
    /// How many chains there were.
    pub chains: u64,
    /// SHA-256 over holder, place and hash of each, by holder.
    pub digest: Hash,
}

/// The anchor of now.
///
/// # Errors
/// When the database fails.
pub async fn anchor(database: &Database) -> Result<Anchor, DatabaseError> {
    let tx = database.begin_system();
    // While nobody chains: what is linked from here on is younger than the anchor.
    store::take_anyway(&tx).await?;
    let at = store::now(&tx).await?;
    let anchor = of(&tx, at).await?;
    tx.commit().await?;
    Ok(anchor)
}

/// The anchor of then, as the chains of now tell it: another one than was noted if something was cut off or rewritten.
///
/// # Errors
/// When the database fails.
pub async fn anchored_at(database: &Database, at: DateTime<Utc>) -> Result<Anchor, DatabaseError> {
    let tx = database.begin_system();
    let anchor = of(&tx, at).await?;
    tx.commit().await?;
    Ok(anchor)
}

async fn of(tx: &SystemTx, at: DateTime<Utc>) -> Result<Anchor, DatabaseError> {
    let heads = store::heads_at(tx, at).await?;
    let mut text = Vec::with_capacity(heads.len() * 56);
    for head in &heads {
        text.extend_from_slice(head.holder.as_bytes());
        text.extend_from_slice(&head.seq.to_be_bytes());
        text.extend_from_slice(&head.hash);
    }
    Ok(Anchor {
        at,
        chains: heads.len() as u64,
        digest: plaza_crypto::sha256(&text),
    })
}

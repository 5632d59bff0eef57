//! Reading entries, newest first.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, row};
use plaza_kernel::{Cursor, Page, PageQuery, Scope, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::store;

row! {
    /// An entry as it was written.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct AuditRow {
        /// Its id: a UUIDv7, so entries of all services sort by time.
        pub id: Uuid,
        /// Whose it is; none for the platform's.
        pub tenant: Option<Uuid>,
        /// When.
        pub at: DateTime<Utc>,
        /// `person`, `service`, `operator` or `nobody`.
        pub actor_kind: String,
        /// The account, if it was a person.
        pub actor: Option<Uuid>,
        /// The person's role, or the service's name.
        pub actor_role: Option<String>,
        /// The request it was done for.
        pub request_id: Option<String>,
        /// What was done.
        pub action: String,
        /// The kind of thing it was done to.
        pub target_kind: String,
        /// Its id.
        pub target: Option<String>,
        /// `done` or `denied`.
        pub outcome: String,
        /// A JSON object of what was before.
        pub before: Option<String>,
        /// A JSON object of what came after.
        pub after: Option<String>,
    }
}

impl AuditRow {
    /// As one line of an export.
    pub fn to_json(&self) -> Value {
        let object = |text: &Option<String>| {
            text.as_deref()
                .and_then(|text| serde_json::from_str::<Value>(text).ok())
        };
        json!({
            "id": self.id,
            "tenant_id": self.tenant,
            "at": self.at,
            "actor": { "kind": self.actor_kind, "id": self.actor, "role": self.actor_role },
            "request_id": self.request_id,
            "action": self.action,
            "target": { "kind": self.target_kind, "id": self.target },
            "outcome": self.outcome,
            "before": object(&self.before),
            "after": object(&self.after),
        })
    }
}

/// Which entries are looked for; those of an actor or a target are found by an index of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this person.
    pub actor: Option<UserId>,
    /// Done to the thing with this id.
    pub target: Option<String>,
    /// This action; with a dot at the end all actions on a resource: `campaigns.`.
    pub action: Option<String>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

/// A page of the entries of a scope, newest first. The cursor is an entry's id, so pages of several services can be merged.
///
/// # Errors
/// When the database fails.
pub async fn list(
    database: &Database,
    scope: Scope,
    filter: &AuditFilter,
    page: PageQuery,
) -> Result<Page<AuditRow>, DatabaseError> {
    let before = filter.to.map_or(Uuid::max(), first_of);
    let seen = page.cursor.map_or(Uuid::max(), Cursor::last_seen);
    let from = filter.from.map_or(Uuid::nil(), first_of);
    let bounds = (before.min(seen), from);
    let rows = store::list(database, scope, filter, bounds, page.limit.and_one()).await?;
    Ok(Page::from_found(rows, page.limit, |row| row.id))
}

/// The smallest id of this millisecond (RFC 9562 §5.7).
fn first_of(at: DateTime<Utc>) -> Uuid {
    // Before 1970 there is no id, and after the year 10889 none either: 48 bits of milliseconds.
    let milliseconds = u128::try_from(at.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(milliseconds.min((1 << 48) - 1) << 80)
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;

    use super::*;

    #[test]
    fn the_first_id_of_a_millisecond_comes_before_all_that_are_made_in_it() {
        let at = DateTime::from_timestamp_millis(1_800_000_000_123).unwrap();
        let (clock, hand) = Clock::manual(at);
        hand.advance(chrono::TimeDelta::microseconds(-1));
        let earlier = clock.uuid();
        hand.advance(chrono::TimeDelta::microseconds(1));
        let now = clock.uuid();
        assert!(earlier < first_of(at) && first_of(at) < now);
    }

    #[test]
    fn times_that_no_id_has_come_before_and_after_all_ids() {
        let now = Clock::system().uuid();
        assert!(first_of(DateTime::<Utc>::MIN_UTC) < now);
        for milliseconds in [
            (1 << 48) - 1,
            1 << 48,
            DateTime::<Utc>::MAX_UTC.timestamp_millis(),
        ] {
            let at = DateTime::from_timestamp_millis(milliseconds).unwrap();
            assert!(now < first_of(at), "{at}");
        }
    }
}

//! Plans of statements that look for rows in a table that grows fast.
//!
//! A statement that is prepared is planned once for all of its values, by what the table held then. Planned over a small
//! table, claiming reads the tenant's whole queue, and goes on to when thousands of messages are queued: until the server
//! next analyses the table, which may take a minute.

use plaza_database::{DatabaseError, Transaction, statements};

statements! {
    static ANEW: (String,) => (String,) = "SELECT set_config('plan_cache_mode', $1, true)";
    // As text, because nothing is told.
    static RECENT: () => (String,) = "SELECT notification.use_recent_plans()::text";
    static SORTS: (String,) => (String,) = "SELECT set_config('enable_sort', $1, true)";
}

/// Has the statements of this transaction that come after it planned each time: for what the tables hold now, and for these
/// values. It travels with the next statement.
pub(crate) async fn anew(tx: &Transaction) -> Result<(), DatabaseError> {
    tx.one(&ANEW, ("force_custom_plan".to_owned(),)).await.map(drop)
}

/// Has the statements of this transaction that come after it planned once a second. For statements that look for few rows,
/// and run so often that planning them each time would take longer than they do. What they are planned for is how large the
/// tables were within that second; that they want few rows, which cannot be told from a plan for all values, is said
/// by leaving the planner nothing but indexes and loops. It travels with the next statement.
pub(crate) async fn recent(tx: &Transaction) -> Result<(), DatabaseError> {
    tx.one(&RECENT, ()).await.map(drop)
}

/// Whether the statements of this transaction that come after it may sort. One that takes the first few of an index may not:
/// where the server believes that there are few in all, it sorts all of them, and they may be a hundred thousand.
pub(crate) async fn sorts(tx: &Transaction, may: bool) -> Result<(), DatabaseError> {
    let may = if may { "on" } else { "off" };
    tx.one(&SORTS, (may.to_owned(),)).await.map(drop)
}

//! What was refused. There is no change whose transaction could carry the entry, so it has one of its own; and one person who is
//! refused again and again does not fill the audit: one entry a second for each, in each process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_database::{Database, DatabaseError};
use plaza_kernel::{Caller, Clock, Scope, UserId};
use serde_json::json;

use crate::{Action, Entry, record};

/// Somebody asked for an operation and may not use it. The target is the operation: method and path template.
static REFUSED: Action = Action::new("operations.use", "operation", &["code"]);

/// Entries of one person are so far apart.
const APART: TimeDelta = TimeDelta::seconds(1);
/// How many people are remembered before those are forgotten who were quiet for so long.
const PEOPLE: usize = 10_000;
/// The answer does not wait longer for the entry.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes down what is refused in one service. Cheap to clone.
#[derive(Clone)]
pub struct Denials(Arc<Inner>);

struct Inner {
    database: Database,
    clock: Clock,
    /// When an entry was written for somebody.
    told: Mutex<HashMap<UserId, DateTime<Utc>>>,
}

impl Denials {
    /// Into the audit of this service.
    pub fn new(database: Database, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            database,
            clock,
            told: Mutex::default(),
        }))
    }

    /// Writes down that this person may not use an operation (`GET /api/v1/admin/roles`), and why, in the audit of whom
    /// the person belongs to. The refusal stands, whether it could be written or not.
    pub async fn tell(&self, caller: &Caller, operation: &str, code: &str) {
        let service = self.0.database.service();
        metrics::counter!("plaza_audit_denied_total", "service" => service.as_str()).increment(1);
        if !self.is_to_be_told(caller.subject) {
            return;
        }
        let problem = match tokio::time::timeout(PATIENCE, self.write(caller, operation, code)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the database takes too long".to_owned(),
        };
        tracing::warn!(%service, operation, code, problem, "what was refused is not in the audit");
    }

    async fn write(&self, caller: &Caller, operation: &str, code: &str) -> Result<(), DatabaseError> {
        let entry = Entry::of(&REFUSED, operation)
            .by(caller)
            .denied()
            .after(json!({"code": code}));
        let Inner { database, clock, .. } = &*self.0;
        match caller.scope() {
            Scope::Tenant(tenant) => {
                let tx = database.begin(tenant);
                record(&tx, clock, entry).await?;
                tx.commit().await
            }
            Scope::Platform => {
                let tx = database.begin_platform();
                record(&tx, clock, entry).await?;
                tx.commit().await
            }
        }
    }

    fn is_to_be_told(&self, person: UserId) -> bool {
        let now = self.0.clock.now();
        let is_recent = |at: &DateTime<Utc>| now - *at < APART;
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&person).is_some_and(is_recent) {
            return false;
        }
        if told.len() >= PEOPLE {
            told.retain(|_, at| is_recent(at));
        }
        told.insert(person, now);
        true
    }
}

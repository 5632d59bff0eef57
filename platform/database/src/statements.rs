//! The prepared statements of one connection.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_postgres::Statement;

/// By the address of the text: statements are constants.
#[derive(Default)]
pub(crate) struct Statements(Mutex<HashMap<(usize, usize), Statement>>);

impl Statements {
    pub(crate) fn get(&self, sql: &'static str) -> Option<Statement> {
        self.lock().get(&key(sql)).cloned()
    }

    pub(crate) fn keep(&self, sql: &'static str, statement: &Statement) {
        self.lock().insert(key(sql), statement.clone());
    }

    pub(crate) fn evict(&self, sql: &'static str) {
        self.lock().remove(&key(sql));
    }

    // Every change is one call on the map, so a panic elsewhere cannot leave it half changed.
    fn lock(&self) -> MutexGuard<'_, HashMap<(usize, usize), Statement>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(sql: &'static str) -> (usize, usize) {
    (sql.as_ptr().addr(), sql.len())
}

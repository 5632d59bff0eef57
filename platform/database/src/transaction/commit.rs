//! How a transaction becomes true, and its connection free.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::PoisonError;
use std::task::Poll;

use tokio_postgres::error::SqlState;

use super::{ROLLBACK_PATIENCE, Ready, Transaction};
use crate::pool::Lease;
use crate::{DatabaseError, Params, Query, tasks};

impl Transaction {
    /// Ends it in a task of its own: once asked for, a commit is carried out whether or not the caller stays.
    pub(crate) async fn commit(mut self) -> Result<(), DatabaseError> {
        if *self.failed.get_mut() {
            return Err(DatabaseError::NotCommitted);
        }
        let Some(lease) = self.take_begun() else {
            self.wake();
            return Ok(());
        };
        let commit = async move {
            // COMMIT answers a failed transaction by rolling back, without an error; a SELECT before it has one.
            let text = if *self.unanswered.get_mut() {
                "SELECT; COMMIT"
            } else {
                "COMMIT"
            };
            let committed = lease.client().batch_execute(text).await;
            self.finish(lease, committed.is_ok()).await;
            committed.map_err(|error| match error.code() {
                Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => DatabaseError::NotCommitted,
                _ => error.into(),
            })
        };
        tasks::spawn(commit).await.map_err(DatabaseError::away)?
    }

    /// The last change and the commit in one flight. If the change fails, nothing is committed.
    pub(crate) async fn execute_and_commit<P: Params>(
        mut self,
        query: &Query<P, ()>,
        params: P,
    ) -> Result<u64, DatabaseError> {
        if *self.failed.get_mut() {
            return Err(DatabaseError::NotCommitted);
        }
        let sql = query.sql();
        let change = async move {
            let changed = self.change_then_commit(sql, &params).await;
            if let Some(lease) = self.take_begun() {
                self.finish(lease, changed.is_ok()).await;
            }
            changed
        };
        tasks::spawn(change).await.map_err(DatabaseError::away)?
    }

    async fn change_then_commit<P: Params>(
        &self,
        sql: &'static str,
        params: &P,
    ) -> Result<u64, DatabaseError> {
        let Ready {
            turn,
            lease,
            statement,
        } = self.ready(sql).await?;
        let flight = async {
            let mut change = pin!(lease.client().execute_raw(&statement, params.values()));
            let commit = lease.client().batch_execute("COMMIT");
            // A change that could not be sent must not commit what went before it.
            let (changed, committed) = match poll_fn(|cx| Poll::Ready(change.as_mut().poll(cx))).await {
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Ready(Ok(changed)) => (Ok(changed), commit.await),
                Poll::Pending => tokio::join!(biased; change, commit),
            };
            let changed = changed?;
            committed?;
            Ok(changed)
        };
        self.launch(turn, lease, flight).await
    }

    /// Gives the connection back, in no transaction, and tells who waits.
    async fn finish(&self, lease: Lease, committed: bool) {
        if committed {
            lease.give_back();
            self.wake();
        } else {
            lease.roll_back(ROLLBACK_PATIENCE).await;
        }
    }

    fn wake(&self) {
        for signal in self
            .wakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            self.signals.wake(signal);
        }
    }
}

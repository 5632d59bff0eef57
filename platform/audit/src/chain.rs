//! Chaining: every entry gets its place and its hash within five seconds, in a transaction of its own.
//!
//! One process of the service at a time: it holds a row's lock until its transaction ends. Entries are taken in the order of
//! their ids, tenants in turn. One whose transaction ended late comes behind younger ones: its place is where it is chained.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plaza_database::{Database, DatabaseError};
use plaza_kernel::Clock;
use plaza_messaging::supervised;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::anchor::{self, Anchor};
use crate::canonical::{self, Hash};
use crate::record::SIGNAL;
use crate::store::{self, Link, Linked};

/// How often, and how much at once.
#[derive(Debug, Clone)]
pub struct ChainerSettings {
    /// The longest pause between two looks at what is due: for what other processes wrote.
    pub poll: Duration,
    /// The pause between two rounds of which the first had little to do, so that one transaction links several entries.
    pub gather: Duration,
    /// How many entries of a tenant are linked in one round, while others wait too.
    pub of_each: i64,
    /// How often the ends of all chains are written to the log.
    pub anchor: Duration,
}

impl Default for ChainerSettings {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(4),
            gather: Duration::from_millis(250),
            of_each: 100,
            anchor: Duration::from_secs(3600),
        }
    }
}

/// Chains the audit of one service. Cheap to clone.
#[derive(Clone)]
pub struct Chainer(Arc<Inner>);

struct Inner {
    database: Database,
    settings: ChainerSettings,
    holder: Uuid,
    /// Whose entries were linked last; the next round begins after them.
    served: Mutex<Uuid>,
}

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// So many were linked, and there may be more.
    Linked(usize),
    /// Nothing is due, or another process is at it.
    Idle,
}

impl Chainer {
    /// Composes it; does nothing yet. The clock only makes an id.
    pub fn new(database: Database, clock: &Clock, settings: ChainerSettings) -> Self {
        Self(Arc::new(Inner {
            database,
            settings,
            holder: clock.uuid(),
            served: Mutex::default(),
        }))
    }

    /// Starts it. It ends after `stop`; what is due then is linked by whoever comes next.
    pub fn start(self, tasks: &TaskTracker, stop: CancellationToken) {
        let service = self.0.database.service();
        let stopped = stop.clone();
        tasks.spawn(supervised(service, "audit", stop, move || {
            let (this, stop) = (self.clone(), stopped.clone());
            async move { this.run(&stop).await }
        }));
    }

    /// Without being started: links all that is due, and says how much that was. For tests and commands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn chain_due(&self) -> Result<usize, DatabaseError> {
        self.offer().await?;
        let mut all = 0;
        while let Round::Linked(count) = self.round().await? {
            all += count;
        }
        Ok(all)
    }

    /// Without being started: one round, as far as it goes. For tests.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn chain_once(&self) -> Result<usize, DatabaseError> {
        self.offer().await?;
        match self.round().await? {
            Round::Linked(count) => Ok(count),
            Round::Idle => Ok(0),
        }
    }

    async fn run(&self, stop: &CancellationToken) {
        let wake = self.0.database.signal(SIGNAL);
        let mut offered = false;
        let mut anchor_at = Instant::now() + self.0.settings.anchor;
        while !stop.is_cancelled() {
            let woken = wake.notified();
            tokio::pin!(woken);
            // Registered before the round reads: what is committed during the round wakes the next one.
            woken.as_mut().enable();
            let pause = match self.turn(&mut offered, &mut anchor_at).await {
                Ok(Round::Linked(_)) => self.0.settings.gather,
                Ok(Round::Idle) => self.0.settings.poll,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(service = %self.0.database.service(), error, "the audit could not be chained");
                    self.0.settings.poll
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                () = woken => {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(self.0.settings.gather) => {}
                    }
                }
            }
        }
    }

    async fn turn(&self, offered: &mut bool, anchor_at: &mut Instant) -> Result<Round, DatabaseError> {
        if !*offered {
            self.offer().await?;
            *offered = true;
        }
        let round = self.round().await?;
        if Instant::now() >= *anchor_at {
            *anchor_at = Instant::now() + self.0.settings.anchor;
            self.log_anchor().await?;
        }
        Ok(round)
    }

    /// Where the database cannot reach it: whoever rewrites all chains would have to rewrite the log as well.
    async fn log_anchor(&self) -> Result<(), DatabaseError> {
        let Anchor { at, chains, digest } = anchor::anchor(&self.0.database).await?;
        let (service, digest) = (self.0.database.service(), hex::encode(digest));
        tracing::info!(%service, %at, chains, digest, "the audit is anchored");
        Ok(())
    }

    async fn offer(&self) -> Result<(), DatabaseError> {
        let tx = self.0.database.begin_system();
        store::offer(&tx, self.0.holder).await?;
        tx.commit().await
    }

    async fn round(&self) -> Result<Round, DatabaseError> {
        let tx = self.0.database.begin_system();
        if !store::take(&tx).await? {
            tx.commit().await?;
            return Ok(Round::Idle);
        }
        let mut due = store::due(&tx, self.served(), self.0.settings.of_each).await?;
        if due.is_empty() {
            // All others had their turn: from the first tenant on.
            due = store::due(&tx, Uuid::nil(), self.0.settings.of_each).await?;
        }
        let Some(last) = due.last().map(|last| last.holder) else {
            tx.commit().await?;
            return Ok(Round::Idle);
        };
        let mut holders: Vec<Uuid> = due.iter().map(|one| one.holder).collect();
        holders.dedup();
        let heads = store::heads(&tx, holders).await?;
        let mut ends = Ends::default();
        for head in heads {
            ends.0.insert(head.holder, (head.seq, fixed(&head.hash)));
        }
        let links: Vec<Link> = due.into_iter().map(|one| self.follow(&mut ends, one)).collect();
        store::link(tx, &links).await?;
        self.serve_next_after(last);
        let service = self.0.database.service();
        metrics::counter!("plaza_audit_chained_total", "service" => service.as_str())
            .increment(links.len() as u64);
        Ok(Round::Linked(links.len()))
    }

    /// The link of an entry. One that is gone already is linked too: so that it is missed.
    fn follow(&self, ends: &mut Ends, one: Linked) -> Link {
        let (holder, entry) = (one.holder, one.entry);
        let row = one.row();
        if row.is_none() {
            let service = self.0.database.service();
            tracing::error!(%service, %entry, "an entry of the audit was gone before it was chained");
        }
        let (seq, before) = ends.0.entry(holder).or_default();
        *seq += 1;
        *before = canonical::hash(before, *seq, entry, row.as_ref());
        Link {
            holder,
            seq: *seq,
            entry,
            hash: *before,
        }
    }

    fn served(&self) -> Uuid {
        *self.0.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve_next_after(&self, holder: Uuid) {
        *self.0.served.lock().unwrap_or_else(PoisonError::into_inner) = holder;
    }
}

/// Where the chains of a round end: place and hash.
#[derive(Default)]
struct Ends(HashMap<Uuid, (i64, Hash)>);

/// A hash as the database gives it; its length is checked there.
pub(crate) fn fixed(hash: &[u8]) -> Hash {
    hash.try_into().unwrap_or_default()
}

//! Checking that nothing was changed, added, or taken away.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_database::{Database, DatabaseError};
use plaza_kernel::{Clock, Scope, TenantId};
use uuid::Uuid;

use crate::canonical::{self, Hash};
use crate::chain::fixed;
use crate::store;

/// How many are read at once: within what the read door carries.
const PAGE: i64 = 400;
/// An entry that is not chained for so long was not written by Plaza, or nobody chains.
const LATE: Duration = Duration::from_secs(60);
/// How many pages a check of the whole takes in one step.
const STEP: u32 = 100;

/// What a check of one chain, or of a piece of it, came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries in the chain.
    pub entries: u64,
    /// Entries that are not chained yet: nothing is known about them.
    pub unchained: u64,
    /// Those of them that should be, because they are older than a minute.
    pub late: u64,
    /// The first of those.
    pub first_late: Option<Uuid>,
    /// The last place and its hash: what to note down, to find later that the end was cut off.
    pub head: Option<(i64, Hash)>,
    /// Where something is wrong for the first time.
    pub broken: Option<Broken>,
}

/// How far a check has come: what it goes on from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last entry that was looked for in the chain.
    pub entry: Uuid,
    /// The last place of the chain that was walked to.
    pub seq: i64,
}

/// Something that is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// The place.
    pub seq: i64,
    /// The entry that is there.
    pub entry: Uuid,
    /// What it is.
    pub fault: Fault,
}

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The entry, or a link before it, was changed.
    Changed,
    /// The entry is gone.
    Removed,
    /// Links before it are gone.
    Gap,
}

impl Fault {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Gap => "gap",
        }
    }

    /// The fault of this word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Changed, Self::Removed, Self::Gap]
            .into_iter()
            .find(|fault| fault.as_str() == word)
    }
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.broken.is_none() && self.late == 0
    }

    /// Together with the piece after it.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        Self {
            entries: self.entries + next.entries,
            unchained: self.unchained + next.unchained,
            late: self.late + next.late,
            first_late: self.first_late.or(next.first_late),
            head: next.head.or(self.head),
            broken: self.broken.or(next.broken),
        }
    }
}

/// Walks a scope's whole chain and computes every hash again, and looks for entries that have no place in it.
///
/// # Errors
/// When the database fails.
pub async fn verify(database: &Database, clock: &Clock, scope: Scope) -> Result<Verified, DatabaseError> {
    let (mut all, mut from) = (Verified::default(), Some(Progress::default()));
    while let Some(progress) = from {
        let (piece, next) = verify_some(database, clock, scope, progress, STEP).await?;
        all = all.and(piece);
        from = next;
    }
    Ok(all)
}

/// The same for a piece: so many pages of the entries and of the chain, and where to go on if that is not all. What is
/// before the piece is taken as it stands.
///
/// # Errors
/// When the database fails.
pub async fn verify_some(
    database: &Database,
    clock: &Clock,
    scope: Scope,
    from: Progress,
    pages: u32,
) -> Result<(Verified, Option<Progress>), DatabaseError> {
    let mut search = Search::after(from.entry, clock);
    let mut walk = Walk::after(database, scope, from.seq).await?;
    let (mut searched, mut walked) = (false, false);
    for _ in 0..pages {
        searched = searched || search.page(database, scope).await?;
        walked = walked || walk.page(database, scope).await?;
    }
    let next = Progress {
        entry: search.after,
        seq: walk.seq,
    };
    let verified = Verified {
        entries: walk.entries,
        unchained: search.unchained,
        late: search.late,
        first_late: search.first_late,
        head: (walk.entries > 0).then_some((walk.seq, walk.hash)),
        broken: walk.broken,
    };
    Ok((verified, (!searched || !walked).then_some(next)))
}

/// Everybody who has an audit in a service's schema: tenants, also those that are gone, and the platform.
///
/// # Errors
/// When the database fails.
pub async fn holders(database: &Database) -> Result<Vec<Scope>, DatabaseError> {
    let tx = database.begin_system();
    let holders = store::holders(&tx).await?;
    tx.commit().await?;
    // No table takes the nil tenant.
    let scope = |tenant: Option<Uuid>| match tenant {
        None => Some(Scope::Platform),
        Some(tenant) => TenantId::try_from(tenant).ok().map(Scope::from),
    };
    Ok(holders.into_iter().filter_map(scope).collect())
}

/// Looks for entries that have no place in the chain.
struct Search {
    after: Uuid,
    /// What was written before should be chained.
    limit: DateTime<Utc>,
    unchained: u64,
    late: u64,
    first_late: Option<Uuid>,
}

impl Search {
    fn after(after: Uuid, clock: &Clock) -> Self {
        Self {
            after,
            limit: clock.now() - TimeDelta::from_std(LATE).unwrap_or_default(),
            unchained: 0,
            late: 0,
            first_late: None,
        }
    }

    /// One page; says whether it was the last one.
    async fn page(&mut self, database: &Database, scope: Scope) -> Result<bool, DatabaseError> {
        let page = store::written(database, scope, self.after, PAGE).await?;
        let Some((last, ..)) = page.last() else {
            return Ok(true);
        };
        self.after = *last;
        for (entry, at, _) in page.into_iter().filter(|(.., chained)| !chained) {
            self.unchained += 1;
            if at < self.limit {
                self.late += 1;
                self.first_late = self.first_late.or(Some(entry));
            }
        }
        Ok(false)
    }
}

/// Walks the chain. After a fault it goes on from the hash that stands there, to count the rest.
struct Walk {
    entries: u64,
    seq: i64,
    hash: Hash,
    broken: Option<Broken>,
}

impl Walk {
    /// From a place on, with the hash that stands there; if the link is gone, the one after it will not fit.
    async fn after(database: &Database, scope: Scope, seq: i64) -> Result<Self, DatabaseError> {
        let link = match seq {
            0 => None,
            _ => store::chained(database, scope, seq - 1, 1).await?.pop(),
        };
        let stands = link
            .filter(|link| link.seq == Some(seq))
            .and_then(|link| link.hash);
        Ok(Self {
            entries: 0,
            seq,
            hash: stands.as_deref().map(fixed).unwrap_or_default(),
            broken: None,
        })
    }

    /// One page; says whether it was the last one.
    async fn page(&mut self, database: &Database, scope: Scope) -> Result<bool, DatabaseError> {
        let page = store::chained(database, scope, self.seq, PAGE).await?;
        let is_last = page.is_empty();
        for link in page {
            self.step(link);
        }
        Ok(is_last)
    }

    fn step(&mut self, link: store::Linked) {
        let (seq, entry) = (link.seq.unwrap_or_default(), link.entry);
        let stands = link.hash.as_deref().map(fixed).unwrap_or_default();
        let row = link.row();
        let fault = match &row {
            _ if seq != self.seq + 1 => Some(Fault::Gap),
            None => Some(Fault::Removed),
            Some(row) => {
                let computed = canonical::hash(&self.hash, seq, entry, Some(row));
                (computed != stands).then_some(Fault::Changed)
            }
        };
        let broken = fault.map(|fault| Broken { seq, entry, fault });
        self.broken = self.broken.or(broken);
        self.entries += 1;
        self.seq = seq;
        self.hash = stands;
    }
}

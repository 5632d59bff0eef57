//! Data keys that this process has unwrapped, for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plaza_crypto::DataKey;
use plaza_kernel::Scope;
use tokio::time::Instant;

/// How long an unwrapped key is kept: so long a tenant that was shredded can still be read by a process that had it.
const KEPT: Duration = Duration::from_secs(300);
/// How many are kept at once.
const MOST: usize = 1_000;

/// Unwrapped keys by id, and which of them seals for whom. A key that is dropped is wiped.
#[derive(Default)]
pub(crate) struct OpenKeys(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    by_id: HashMap<String, Entry>,
    active: HashMap<Scope, (String, Instant)>,
}

struct Entry {
    scope: Scope,
    key: Arc<DataKey>,
    since: Instant,
}

impl OpenKeys {
    /// One by its id, if it belongs to the scope.
    pub(crate) fn find(&self, scope: Scope, id: &str, now: Instant) -> Option<Arc<DataKey>> {
        let shelf = self.lock();
        let entry = shelf.by_id.get(id)?;
        (entry.scope == scope && is_kept(entry.since, now)).then(|| Arc::clone(&entry.key))
    }

    /// The one that seals for the scope.
    pub(crate) fn active(&self, scope: Scope, now: Instant) -> Option<Arc<DataKey>> {
        let id = {
            let shelf = self.lock();
            let (id, since) = shelf.active.get(&scope)?;
            is_kept(*since, now).then(|| id.clone())?
        };
        self.find(scope, &id, now)
    }

    /// Keeps one.
    pub(crate) fn keep(&self, scope: Scope, key: &Arc<DataKey>, now: Instant) {
        self.lock().keep(scope, key, now);
    }

    /// Keeps one as that which seals for the scope.
    pub(crate) fn keep_active(&self, scope: Scope, key: &Arc<DataKey>, now: Instant) {
        let mut shelf = self.lock();
        shelf.keep(scope, key, now);
        shelf.active.insert(scope, (key.id().to_owned(), now));
    }

    /// Forgets which ones seal: they may have been retired.
    pub(crate) fn forget_active(&self) {
        self.lock().active.clear();
    }

    /// Forgets those of a scope.
    pub(crate) fn forget(&self, scope: Scope) {
        let mut shelf = self.lock();
        shelf.active.remove(&scope);
        shelf.by_id.retain(|_, entry| entry.scope != scope);
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        // Every change leaves the maps in order, so a panic elsewhere cannot have left them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn keep(&mut self, scope: Scope, key: &Arc<DataKey>, now: Instant) {
        self.by_id.retain(|_, entry| is_kept(entry.since, now));
        self.active.retain(|_, (_, since)| is_kept(*since, now));
        if self.by_id.len() >= MOST && !self.by_id.contains_key(key.id()) {
            let oldest = self.by_id.iter().min_by_key(|(_, entry)| entry.since);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.by_id.remove(&oldest);
            }
        }
        let entry = Entry {
            scope,
            key: Arc::clone(key),
            since: now,
        };
        self.by_id.insert(key.id().to_owned(), entry);
    }
}

fn is_kept(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < KEPT
}

#[cfg(test)]
mod tests {
    use plaza_crypto::{KeyRing, SealContext};
    use plaza_kernel::{Clock, TenantId};

    use super::*;

    fn key(id: &str) -> Arc<DataKey> {
        let ring = KeyRing::parse(&KeyRing::generate()).unwrap();
        let place = SealContext {
            tenant: "t",
            table: "s.data_keys",
            column: "wrapped",
            row: id,
        };
        Arc::new(DataKey::generate(id, &ring, &place).unwrap().0)
    }

    fn tenant() -> Scope {
        TenantId::generate(&Clock::system()).into()
    }

    #[test]
    fn a_key_is_kept_for_five_minutes_and_for_its_own_tenant() {
        let (keys, ours, theirs, now) = (OpenKeys::default(), tenant(), tenant(), Instant::now());
        keys.keep_active(ours, &key("a"), now);
        assert!(keys.find(ours, "a", now).is_some() && keys.active(ours, now).is_some());
        assert!(keys.find(theirs, "a", now).is_none() && keys.active(theirs, now).is_none());
        let later = now + KEPT;
        assert!(keys.find(ours, "a", later).is_none() && keys.active(ours, later).is_none());
        keys.keep(theirs, &key("b"), later);
        assert_eq!(
            keys.lock().by_id.len(),
            1,
            "what is over is dropped, and with that wiped"
        );
    }

    #[test]
    fn no_more_than_a_thousand_are_kept() {
        let (keys, scope, now) = (OpenKeys::default(), tenant(), Instant::now());
        let one = key("a");
        for number in 0..MOST {
            let entry = Entry {
                scope,
                key: Arc::clone(&one),
                since: now,
            };
            keys.lock().by_id.insert(format!("n{number}"), entry);
        }
        let later = now + Duration::from_secs(1);
        keys.keep(scope, &one, later);
        assert_eq!(keys.lock().by_id.len(), MOST);
        assert!(keys.find(scope, "a", later).is_some(), "the newest stays");
    }

    #[test]
    fn what_is_forgotten_is_gone() {
        let (keys, scope, now) = (OpenKeys::default(), tenant(), Instant::now());
        keys.keep_active(scope, &key("a"), now);
        keys.forget_active();
        assert!(keys.active(scope, now).is_none() && keys.find(scope, "a", now).is_some());
        keys.forget(scope);
        assert!(keys.find(scope, "a", now).is_none());
    }
}

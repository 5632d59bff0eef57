//! What a process remembers of other services' answers: asked by one caller at a time, kept for a while, given up
//! when nobody can confirm it any more. The caches of permissions, sessions, tenants and keys are made of it.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use plaza_kernel::{Clock, Failure, Kind};
use plaza_rpc::{Carried, RpcError};

/// A service that just failed is left alone for so long. Whoever waited behind a question that failed shares its
/// failure: asking in turn, each of a hundred waiters would wait for a hundred timeouts.
const RESPITE: TimeDelta = TimeDelta::milliseconds(250);
/// Threads read the clock in one order and write in another: an answer may seem to come from the near future.
const SKEW: TimeDelta = TimeDelta::seconds(1);

/// Another service has to be asked, and does not answer: the request fails closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a service that has to be asked does not answer")]
pub struct NotKnown;

impl Failure for NotKnown {
    fn kind(&self) -> Kind {
        Kind::Unavailable
    }

    fn code(&self) -> &'static str {
        "SERVICE_UNAVAILABLE"
    }
}

/// One answer of another service.
#[derive(Debug)]
pub struct Remembered<V> {
    known: RwLock<Known<V>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Known<V> {
    answer: Option<(DateTime<Utc>, V)>,
    failed_at: Option<DateTime<Utc>>,
    forgotten: u64,
}

impl<V> Default for Remembered<V> {
    fn default() -> Self {
        let known = Known {
            answer: None,
            failed_at: None,
            forgotten: 0,
        };
        Self {
            known: RwLock::new(known),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

impl<V: Clone> Remembered<V> {
    /// The answer, if there is one and it is good enough at its age. Never waits.
    pub fn known(&self, now: DateTime<Utc>, good: impl FnOnce(&V, TimeDelta) -> bool) -> Option<V> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.good(now, good)
    }

    /// The answer, however old, if it is good enough. For answers that carry a version of their own.
    pub fn latest(&self, good: impl FnOnce(&V) -> bool) -> Option<V> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known
            .answer
            .as_ref()
            .filter(|(_, answer)| good(answer))
            .map(|(_, answer)| answer.clone())
    }

    /// Whether somebody is asking at the moment.
    pub fn is_being_asked(&self) -> bool {
        self.turn.try_lock().is_err()
    }

    /// The answer if it is good enough; otherwise asks, one caller at a time. When the question fails, an older
    /// answer that is still tolerable stands in.
    ///
    /// # Errors
    /// [`NotKnown`] when the question failed and nothing tolerable is remembered.
    pub async fn ask<F: Future<Output = Result<V, RpcError>>>(
        &self,
        clock: &Clock,
        good: impl Fn(&V, TimeDelta) -> bool,
        tolerable: impl Fn(&V, TimeDelta) -> bool,
        question: impl FnOnce() -> F,
    ) -> Result<V, NotKnown> {
        let _turn = self.turn.lock().await;
        let asked_at = clock.now();
        if let Some(answer) = self.known(asked_at, &good) {
            return Ok(answer);
        }
        let stale = self.known(asked_at, &tolerable);
        if self.read(|known| known.failed_within(asked_at, RESPITE)) {
            return stale.ok_or(NotKnown);
        }
        let forgotten = self.read(|known| known.forgotten);
        // The answer is for everybody who waits, so neither the first one's remaining time nor their rights limit it.
        match plaza_rpc::carry_as_service(Carried::default(), question()).await {
            Ok(answer) => {
                self.write(|known| known.learn(asked_at, forgotten, answer.clone()));
                Ok(answer)
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    code = error.code(),
                    "no answer to remember"
                );
                let failed_at = clock.now();
                self.write(|known| known.failed_at = Some(failed_at));
                stale.ok_or(NotKnown)
            }
        }
    }

    /// Forgets the answer, and the one that is on its way.
    pub fn forget(&self) {
        self.write(|known| {
            known.answer = None;
            known.forgotten += 1;
        });
    }

    fn read<T>(&self, look: impl FnOnce(&Known<V>) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut Known<V>)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<V: Clone> Known<V> {
    fn good(&self, now: DateTime<Utc>, good: impl FnOnce(&V, TimeDelta) -> bool) -> Option<V> {
        let (at, answer) = self.answer.as_ref()?;
        let age = now - at;
        // A clock that was set back must not make answers immortal.
        (age > -SKEW && good(answer, age)).then(|| answer.clone())
    }

    fn failed_within(&self, now: DateTime<Utc>, time: TimeDelta) -> bool {
        self.failed_at
            .is_some_and(|at| now - at < time && now - at > -SKEW)
    }

    /// An answer is as old as its question. One that was forgotten while on its way is not kept.
    fn learn(&mut self, asked_at: DateTime<Utc>, forgotten: u64, answer: V) {
        self.failed_at = None;
        if self.forgotten == forgotten {
            self.answer = Some((asked_at, answer));
        }
    }
}

const SHARDS: usize = 16;

/// A map that forgets something rather than grow beyond its capacity. Readers of different keys do not wait for each
/// other.
#[derive(Debug)]
pub struct Recent<K, V, S = RandomState> {
    shards: [RwLock<HashMap<K, V, S>>; SHARDS],
    capacity_each: usize,
}

/// The same for ids that we made ourselves: without the keyed hash that keys of strangers' choice need.
pub type RecentById<K, V> = Recent<K, V, BuildHasherDefault<Fold>>;

impl<K: Hash + Eq + Clone, V: Clone, S: BuildHasher + Default> Recent<K, V, S> {
    /// Empty; holds about so many entries.
    pub fn new(capacity: usize) -> Self {
        let shards = std::array::from_fn(|_| RwLock::default());
        Self {
            shards,
            capacity_each: capacity.div_ceil(SHARDS),
        }
    }

    /// What is known of a key.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.look(key, V::clone)
    }

    /// Looks at what is known of a key, without a copy of it.
    pub fn look<Q: Hash + Eq + ?Sized, T>(&self, key: &Q, look: impl FnOnce(&V) -> T) -> Option<T>
    where
        K: Borrow<Q>,
    {
        self.shard(key)
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .map(look)
    }

    /// What is known of a key, or what is made now.
    pub fn get_or_insert_with<Q>(&self, key: &Q, make: impl FnOnce() -> V) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(found) = self.get(key) {
            return found;
        }
        let mut shard = self.shard(key).write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = shard.get(key) {
            return found.clone();
        }
        if shard.len() >= self.capacity_each
            && let Some(victim) = shard.keys().next().cloned()
        {
            shard.remove(victim.borrow());
        }
        let value = make();
        shard.insert(key.to_owned(), value.clone());
        value
    }

    /// Forgets a key.
    pub fn remove<Q: Hash + Eq + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.shard(key)
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &RwLock<HashMap<K, V, S>> {
        let hash = BuildHasherDefault::<Fold>::default().hash_one(key);
        // The highest bits of a multiplication depend on all of the key.
        &self.shards[(hash >> (u64::BITS - SHARDS.ilog2())) as usize]
    }
}

/// A cheap hash. Chooses the shard; inside the shard the map's own hash decides, which resists keys that were chosen to
/// collide unless it is a [`RecentById`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.0 = (self.0.rotate_left(23) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn finish(&self) -> u64 {
        // The lowest bits of a multiplication depend on the lowest bits of the key only.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_map_forgets_rather_than_grows() {
        let recent = Recent::<u64, u64>::new(160);
        for key in 0..10_000 {
            assert_eq!(recent.get_or_insert_with(&key, || key), key);
        }
        let held = (0..10_000u64).filter(|key| recent.get(key).is_some()).count();
        assert!((1..=160).contains(&held), "{held}");
    }

    #[test]
    fn keys_spread_over_the_shards() {
        let recent = Recent::<String, ()>::new(1_000_000);
        for n in 0..1_600 {
            recent.get_or_insert_with(format!("tenant-{n}").as_str(), || ());
        }
        for shard in &recent.shards {
            let held = shard.read().unwrap().len();
            assert!((40..=200).contains(&held), "{held}");
        }
    }
}

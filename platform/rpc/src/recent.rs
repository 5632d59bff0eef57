//! A bounded memory of what was used lately.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// A map of two generations: what was not used while the young one filled up is forgotten with the old one. Holds at
/// most the number it was made for, costs one look-up, and needs no clock.
pub(crate) struct Recent<K, V> {
    generations: Mutex<(HashMap<K, V>, HashMap<K, V>)>,
    half: usize,
}

impl<K: Hash + Eq, V: Clone> Recent<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            generations: Mutex::default(),
            half: (most / 2).max(1),
        }
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = generations.0.get(key) {
            return Some(found.clone());
        }
        let (key, found) = generations.1.remove_entry(key)?;
        insert(&mut generations, self.half, key, found.clone());
        Some(found)
    }

    pub(crate) fn put(&self, key: K, value: V) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.1.remove(&key);
        insert(&mut generations, self.half, key, value);
    }
}

fn insert<K: Hash + Eq, V>(generations: &mut (HashMap<K, V>, HashMap<K, V>), half: usize, key: K, value: V) {
    if generations.0.len() >= half && !generations.0.contains_key(&key) {
        generations.1 = std::mem::take(&mut generations.0);
    }
    generations.0.insert(key, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let recent = Recent::new(8);
        recent.put(0, "kept");
        for n in 1..100 {
            recent.put(n, "used once");
            assert_eq!(recent.get(&0), Some("kept"));
        }
        assert_eq!(recent.get(&1), None);
        assert_eq!(recent.get(&99), Some("used once"));
        let generations = recent.generations.lock().unwrap();
        assert!(generations.0.len() + generations.1.len() <= 8);
    }
}

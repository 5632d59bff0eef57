//! What is held of a queue, by key: keys go side by side, what one key has goes one after the other.

use std::collections::{HashMap, VecDeque};

use plaza_kernel::TenantId;

/// A key of one tenant.
pub(crate) type Lane = (Option<TenantId>, String);

/// What is held. A lane is known while somebody works on it.
pub(crate) struct Lanes<T> {
    behind: HashMap<Lane, VecDeque<T>>,
}

impl<T> Lanes<T> {
    pub(crate) fn new() -> Self {
        Self {
            behind: HashMap::new(),
        }
    }

    /// Takes a place in a lane: the item, if it may begin at once.
    pub(crate) fn enter(&mut self, lane: &Lane, item: T) -> Option<T> {
        match self.behind.get_mut(lane) {
            Some(behind) => {
                behind.push_back(item);
                None
            }
            None => {
                self.behind.insert(lane.clone(), VecDeque::new());
                Some(item)
            }
        }
    }

    /// The work on a lane has ended: the next of it, which may begin now.
    pub(crate) fn leave(&mut self, lane: &Lane) -> Option<T> {
        let next = self.behind.get_mut(lane)?.pop_front();
        if next.is_none() {
            self.behind.remove(lane);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lane_goes_one_after_the_other_and_others_beside_it() {
        let (a, b) = ((None, "a".to_owned()), (None, "b".to_owned()));
        let mut lanes = Lanes::new();
        assert_eq!(lanes.enter(&a, 1), Some(1));
        assert_eq!(lanes.enter(&a, 2), None);
        assert_eq!(lanes.enter(&b, 3), Some(3));
        assert_eq!(lanes.leave(&a), Some(2));
        assert_eq!(lanes.enter(&a, 4), None);
        assert_eq!(lanes.leave(&a), Some(4));
        assert_eq!(lanes.leave(&a), None);
        assert_eq!(lanes.leave(&b), None);
        assert!(lanes.behind.is_empty());
    }
}

//! Whose turn it is: tenants share what there is little of (connections to the database) evenly, whatever number of
//! workers each of them has waiting. No I/O here.
//!
//! Who has had least is next. What a tenant had counts in messages, so that whoever has few ready at a time gets more
//! turns; a weight would divide it. A tenant that asked for nothing for a while is not owed all of it: its part is then
//! counted as little less than that of those who went on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plaza_kernel::TenantId;
use tokio::sync::oneshot;

/// How many messages a tenant that paused may catch up on.
const OWED: u64 = 100;

/// A few places, given to the tenant that has had least and, within a tenant, in the order in which they were asked for.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<Shares>>);

struct Shares {
    free: usize,
    /// What the tenant had that was given a place last. Never goes down.
    level: u64,
    /// Places given so far.
    given: u64,
    tenants: HashMap<TenantId, Share>,
}

/// What a tenant had, and who waits for it.
struct Share {
    had: u64,
    /// The how manieth place it was given last: of two who had the same, who waits longer is next.
    last: u64,
    places: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

/// A place, given back when dropped.
pub(crate) struct Turn {
    turns: Option<Turns>,
    tenant: TenantId,
    messages: usize,
}

impl Turns {
    /// So many places.
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(Shares {
            free: places.max(1),
            level: 0,
            given: 0,
            tenants: HashMap::new(),
        })))
    }

    /// Waits for a place. Who stops waiting is passed over.
    pub(crate) async fn take(&self, tenant: TenantId) -> Turn {
        let (given, place) = oneshot::channel();
        self.enter(tenant, given);
        // The other end is kept until a place is sent on it.
        place.await.unwrap_or(Turn::nobodys(tenant))
    }

    fn enter(&self, tenant: TenantId, given: oneshot::Sender<Turn>) {
        let mut shares = self.shares();
        shares.share(tenant).waiting.push_back(given);
        self.give(&mut shares);
    }

    /// Gives free places away.
    fn give(&self, shares: &mut Shares) {
        while shares.free > 0
            && let Some((tenant, first)) = shares.next()
        {
            let turn = Turn {
                turns: Some(self.clone()),
                ..Turn::nobodys(tenant)
            };
            match first.send(turn) {
                Ok(()) => shares.given_to(tenant),
                // Nobody waits for it any more. It was not taken yet, so it must not be given back either.
                Err(mut turn) => turn.turns = None,
            }
        }
    }

    fn give_back(&self, tenant: TenantId, messages: usize) {
        let mut shares = self.shares();
        shares.given_back(tenant, messages);
        self.give(&mut shares);
    }

    // No change that is begun here is left half done by a panic: nothing between two of them can.
    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shares {
    /// What a tenant is counted as having had at the least.
    fn floor(&self) -> u64 {
        self.level.saturating_sub(OWED)
    }

    fn share(&mut self, tenant: TenantId) -> &mut Share {
        let floor = self.floor();
        let share = self.tenants.entry(tenant).or_insert(Share {
            had: 0,
            last: 0,
            places: 0,
            waiting: VecDeque::new(),
        });
        share.had = share.had.max(floor);
        share
    }

    /// The first of the tenant who is next.
    fn next(&mut self) -> Option<(TenantId, oneshot::Sender<Turn>)> {
        let waiting = self.tenants.iter_mut();
        let waiting = waiting.filter(|(_, share)| !share.waiting.is_empty());
        let (tenant, share) = waiting.min_by_key(|(tenant, share)| (share.had, share.last, **tenant))?;
        Some((*tenant, share.waiting.pop_front()?))
    }

    fn given_to(&mut self, tenant: TenantId) {
        self.free -= 1;
        self.given += 1;
        let given = self.given;
        let share = self.share(tenant);
        let had = share.had;
        // One now and the others at the end, so that a tenant does not get all places before anything is counted.
        share.had += 1;
        share.last = given;
        share.places += 1;
        self.level = self.level.max(had);
    }

    fn given_back(&mut self, tenant: TenantId, messages: usize) {
        self.free += 1;
        let share = self.share(tenant);
        share.places -= 1;
        share.had += u64::try_from(messages).unwrap_or_default().saturating_sub(1);
        // Who is not here and is owed the most is not worth remembering; nobody is when there is nobody to share with.
        let (floor, is_shared) = (self.floor(), self.tenants.values().any(Share::is_here));
        self.tenants
            .retain(|_, share| share.is_here() || (is_shared && share.had > floor));
    }
}

impl Share {
    /// Whether the tenant has a place or waits for one.
    fn is_here(&self) -> bool {
        self.places > 0 || !self.waiting.is_empty()
    }
}

impl Turn {
    /// How many messages it was used for. One, unless told.
    pub(crate) fn used_for(&mut self, messages: usize) {
        self.messages = messages;
    }

    fn nobodys(tenant: TenantId) -> Self {
        Self {
            turns: None,
            tenant,
            messages: 0,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.give_back(self.tenant, self.messages);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;
    use plaza_kernel::Clock;

    use super::*;

    fn tenants() -> (TenantId, TenantId) {
        let clock = Clock::system();
        (TenantId::generate(&clock), TenantId::generate(&clock))
    }

    #[tokio::test]
    async fn tenants_alternate_however_many_wait_for_one_of_them() {
        let (turns, (large, small)) = (Turns::new(1), tenants());
        let held = turns.take(large).await;
        let (order, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let queue: Vec<_> = std::iter::repeat_n(large, 100)
            .chain(std::iter::repeat_n(small, 3))
            .collect();
        let waiting = queue.into_iter().map(|tenant| {
            let (turns, order) = (turns.clone(), order.clone());
            async move {
                let _turn = turns.take(tenant).await;
                order.send(tenant).unwrap();
            }
        });
        let all = futures_util::future::join_all(waiting);
        let mut all = pin!(all);
        assert!(all.as_mut().now_or_never().is_none());
        drop(held);
        all.await;
        let served: Vec<_> = (0..6).map(|_| seen.try_recv().unwrap()).collect();
        assert_eq!(served, [small, large, small, large, small, large]);
        assert_eq!(seen.len(), 97, "and the others after them");
    }

    /// Takes places one after the other for tenants who always want one; how often each had one.
    async fn taken(turns: &Turns, of: [(TenantId, usize); 2], rounds: usize) -> [usize; 2] {
        let mut had = [0; 2];
        let held = turns.take(of[0].0).await;
        let mut waiting = of.map(|(tenant, _)| Box::pin(turns.take(tenant)));
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        drop(held);
        for _ in 0..rounds {
            for (at, (tenant, messages)) in of.into_iter().enumerate() {
                if let Some(mut turn) = (&mut waiting[at]).now_or_never() {
                    turn.used_for(messages);
                    had[at] += 1;
                    waiting[at] = Box::pin(turns.take(tenant));
                    assert!((&mut waiting[at]).now_or_never().is_none());
                }
            }
        }
        had
    }

    #[tokio::test]
    async fn who_needs_less_each_time_is_served_more_often() {
        let (turns, (one, other)) = (Turns::new(1), tenants());
        let [greedy, modest] = taken(&turns, [(one, 8), (other, 2)], 500).await;
        assert!(modest.abs_diff(4 * greedy) <= 8, "{greedy} and {modest}");
    }

    #[tokio::test]
    async fn who_paused_catches_up_on_little() {
        let (turns, (one, other)) = (Turns::new(2), tenants());
        let mut held = turns.take(one).await;
        for _ in 0..1_000 {
            held.used_for(8);
            // Never without a place.
            held = turns.take(one).await;
        }
        let [busy, back] = taken(&turns, [(one, 8), (other, 8)], 50).await;
        assert!(back > busy, "{back} and {busy}");
        assert!(
            8 * (back - busy) <= 116,
            "not all that it left out: {back} and {busy}"
        );
    }

    #[tokio::test]
    async fn nobody_is_remembered_for_ever() {
        let (turns, clock) = (Turns::new(1), Clock::system());
        for _ in 0..1_000 {
            turns.take(TenantId::generate(&clock)).await.used_for(8);
        }
        assert!(turns.shares().tenants.len() < 200);
    }

    #[tokio::test]
    async fn who_stopped_waiting_costs_no_place() {
        let (turns, (one, other)) = (Turns::new(1), tenants());
        let held = turns.take(one).await;
        let mut gone = Box::pin(turns.take(one));
        assert!(gone.as_mut().now_or_never().is_none());
        let mut there = Box::pin(turns.take(other));
        assert!(there.as_mut().now_or_never().is_none());
        drop(gone);
        drop(held);
        drop(there.await);
        // Given, and never looked at.
        let held = turns.take(one).await;
        let mut unseen = Box::pin(turns.take(one));
        assert!(unseen.as_mut().now_or_never().is_none());
        drop(held);
        drop(unseen);
        drop(turns.take(other).await);
    }

    #[tokio::test]
    async fn no_more_than_there_are_places() {
        let (turns, (one, other)) = (Turns::new(2), tenants());
        let first = turns.take(one).await;
        let _second = turns.take(other).await;
        let mut third = Box::pin(turns.take(one));
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(third.now_or_never().is_some());
    }
}

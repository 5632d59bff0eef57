//! So many at once for each tenant: whoever asks for costly things by the dozen keeps nobody else from theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plaza_kernel::{Failure, Kind, TenantId};

/// How many of one thing a tenant may have at once in this process.
#[derive(Debug)]
pub(crate) struct Slots {
    most: usize,
    taken: Mutex<HashMap<TenantId, usize>>,
}

/// One of them; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    tenant: TenantId,
}

/// The tenant has all it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many of these at once")]
pub(crate) struct NoSlot;

impl Failure for NoSlot {
    fn kind(&self) -> Kind {
        Kind::Throttled
    }

    fn code(&self) -> &'static str {
        "TOO_MANY_AT_ONCE"
    }

    fn retry_after(&self) -> Option<u32> {
        Some(2)
    }
}

impl Slots {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            taken: Mutex::default(),
        })
    }

    /// Takes one.
    pub(crate) fn take(self: &Arc<Self>, tenant: TenantId) -> Result<Slot, NoSlot> {
        let mut taken = self.taken();
        let of_tenant = taken.entry(tenant).or_default();
        if *of_tenant >= self.most {
            return Err(NoSlot);
        }
        *of_tenant += 1;
        let slots = Arc::clone(self);
        Ok(Slot { slots, tenant })
    }

    // Every change is whole within one lock, so a panic elsewhere leaves nothing half done.
    fn taken(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        if let Some(of_tenant) = taken.get_mut(&self.tenant) {
            *of_tenant = of_tenant.saturating_sub(1);
            if *of_tenant == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;

    use super::*;

    #[test]
    fn each_tenant_has_its_own() {
        let (slots, clock) = (Slots::new(2), Clock::system());
        let (one, other) = (TenantId::generate(&clock), TenantId::generate(&clock));
        let first = slots.take(one).unwrap();
        let _second = slots.take(one).unwrap();
        assert_eq!(slots.take(one).err(), Some(NoSlot));
        let _others = slots.take(other).unwrap();
        drop(first);
        slots.take(one).unwrap();
        assert_eq!(slots.taken().len(), 2);
    }
}

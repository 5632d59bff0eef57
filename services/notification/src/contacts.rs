//! Contacts: what is known of an address from what was sent to it.
//!
//! Whether there is anybody, and how much advertising left for it. Only of those addresses is something kept of whom there is
//! something to know; what is asked when a message is claimed is in `dispatch/claims.rs`.

pub(crate) mod housekeeping;
pub(crate) mod store;

/// After how many times "there is nobody" an address is not tried any more, and for how long. Claiming says the same.
pub(crate) const UNREACHABLE_AFTER: i32 = 2;

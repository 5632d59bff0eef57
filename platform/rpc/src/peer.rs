//! Who calls.

use plaza_kernel::{Caller, ServiceName};

/// Who makes a call, as every hosted service finds it in the extensions of a request: told by the [`crate::Directory`]
/// in process, by the verified internal token over a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The service that calls.
    pub service: ServiceName,
    /// The person it says to be working for; what the call names belongs to this person's tenant, or is refused.
    pub caller: Option<Caller>,
}

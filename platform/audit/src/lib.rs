//! Audit: who did what to what, written with the change itself, and chained so that nobody can take it back unseen.
//!
//! Owns       in every service's schema: `audit` (the entries), `audit_due` (what is not chained yet), `audit_chain`
//! Offers     [`Action`] (what is audited, and which fields may be told), [`record`] and [`done`], [`Denials`] (what was
//!            refused), [`Chainer`], [`list`], [`verify`], [`anchor`]
//! Needs      `kernel`, `crypto` (hashes), `database`, `messaging` (`supervised`, the table `leases`), `rpc` (for whom the
//!            work at hand is done)
//!
//! Read `record.rs` first, then `chain.rs` and `verify.rs`; what is hashed is in `canonical.rs`.

mod action;
mod anchor;
mod canonical;
mod chain;
mod denied;
mod entry;
mod list;
mod record;
mod schema;
mod store;
mod verify;

pub use action::Action;
pub use anchor::{Anchor, anchor, anchored_at};
pub use chain::{Chainer, ChainerSettings};
pub use denied::Denials;
pub use entry::{Actor, Entry};
pub use list::{AuditFilter, AuditRow, list};
pub use record::{done, record};
pub use schema::migrations;
pub use verify::{Broken, Fault, Progress, Verified, holders, verify, verify_some};

plaza_kernel::typed_id!(
    /// One entry of the audit.
    AuditId
);

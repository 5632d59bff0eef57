//! The kill proof of messaging: an application, a relay and a consumer, each a process of its own, and a broker; all of
//! them are killed (SIGKILL) again and again while transactions commit events. Afterwards nothing is lost, nothing was
//! made up, every effect is there once, and every key is in order.
//!
//! What is true is counted by the application in the transactions that append the events: the numbers of a key are 1, 2,
//! 3, … as far as its counter. Some transactions are rolled back after they appended: their number comes again.
//!
//! Victims are drawn with a seed that is printed; `PLAZA_TEST_SEED` draws the same ones again. More of it:
//!
//! ```text
//! PLAZA_TEST_TRANSACTIONS=100000 PLAZA_TEST_KILLS=200 cargo test -p plaza-messaging --test it \
//!     kill::own_broker::whatever_is_killed -- --nocapture
//! PLAZA_TEST_PUBLISHES=50000 PLAZA_TEST_RESTARTS=20 cargo test -p plaza-messaging --test it \
//!     kill::own_broker::a_broker_that_restarts -- --nocapture
//! ```
//!
//! Read `child.rs` (what the processes do), `site.rs` (starting and killing them), `own_broker.rs` (the tests).

mod child;
mod own_broker;
mod site;

//! The kill proof: whatever Plaza has taken on is done, however often and wherever it is killed. The simulator is a
//! process of its own and keeps what it accepted, so what was lost or done twice shows there. Killed is the one process that
//! is all of Plaza; and in pieces one process of each kind after the other, while the others go on.
//!
//! Kill points are drawn with a seed that is printed; `PLAZA_TEST_SEED` draws the same ones again, `PLAZA_TEST_KILLS`
//! asks for more of them. In `points.rs` Plaza dies at places that were chosen, between two lines of its code.

mod bench;
mod campaign;
mod importing;
mod outcome;
mod points;
mod provisioning;
mod truth;

//! The kill proof: whatever Plaza has taken on is done, however often and wherever it is killed. The simulator is a
//! process of its own and keeps what it accepted, so what was lost or done twice shows there.
//!
//! Kill points are drawn with a seed that is printed; `PLAZA_TEST_SEED` draws the same ones again, `PLAZA_TEST_KILLS`
//! asks for more of them.

mod bench;
mod campaign;
mod importing;
mod outcome;
mod provisioning;
mod truth;

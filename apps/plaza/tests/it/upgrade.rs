//! The program before this one, on the schema of this one: alone, as after going back, and beside it, as in the middle of a
//! deploy. `cargo xtask previous` builds one and names it in `PLAZA_TEST_PREVIOUS`; otherwise it is the program itself,
//! which shows no more than that the tests run.

use std::path::PathBuf;

use crate::campaigns::{READERS, every_recipient_ends_as_it_has_to};
use crate::fleet::{Builder, Fleet, SERVICES};
use crate::front::Front;

fn previous() -> PathBuf {
    let named = std::env::var_os("PLAZA_TEST_PREVIOUS");
    named.map_or_else(|| env!("CARGO_BIN_EXE_plaza").into(), PathBuf::from)
}

fn builder() -> Builder {
    READERS.iter().fold(
        Fleet::builder().env("PLAZA_NOTIFICATION__RETRY_MILLISECONDS", 50),
        |builder, (name, value)| builder.simulated(name, value),
    )
}

/// The database is migrated by the program of now; these processes are of the program before.
async fn campaign(builder: Builder, old: impl Fn(&str) -> bool) {
    let mut fleet = builder.prepare().await;
    let previous = previous();
    for name in fleet.names() {
        if old(&name) {
            fleet.run_by(&name, &previous);
        }
    }
    fleet.spawn_all();
    fleet.all_ready().await;
    every_recipient_ends_as_it_has_to(&fleet, &fleet.simulator_api()).await;
    fleet.stop().await;
}

#[tokio::test]
async fn the_program_before_works_alone_on_this_schema() {
    campaign(builder(), |_| true).await;
}

#[tokio::test]
async fn the_program_before_works_beside_this_one() {
    let workers = ["worker-notification", "worker-broadcast"];
    let without = workers
        .into_iter()
        .fold(builder(), |builder, part| builder.count(part, 0));
    let two_of_each = SERVICES
        .into_iter()
        .fold(without, |builder, part| builder.count(part, 2));
    campaign(two_of_each, |name| !name.ends_with("-2")).await;
}

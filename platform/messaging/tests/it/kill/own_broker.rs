//! Processes and brokers that are killed, and what is there afterwards.

use std::collections::BTreeMap;

use super::site::{Site, Victim, asked};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_nothing_is_lost_or_made_up_and_every_key_is_in_order() {
    let transactions = asked("PLAZA_TEST_TRANSACTIONS", 2_000);
    let kills = asked("PLAZA_TEST_KILLS", 10);
    prove(transactions, kills, |site, kill| match kill % 10 {
        // It takes seconds to come back.
        5 => Victim::Broker,
        _ => site.process(),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_restarts_again_and_again_loses_no_event() {
    let publishes = asked("PLAZA_TEST_PUBLISHES", 3_000);
    let restarts = asked("PLAZA_TEST_RESTARTS", 2);
    prove(publishes, restarts, |_, _| Victim::Broker).await;
}

/// So many kills, spread over so many transactions.
async fn prove(transactions: u64, kills: u64, choose: impl Fn(&mut Site, u64) -> Victim) {
    let mut site = Site::open(transactions).await;
    let mut killed: BTreeMap<Victim, u64> = BTreeMap::new();
    for kill in 1..=kills {
        let victim = choose(&mut site, kill);
        site.kill_at(site.all() * kill / (kills + 1), victim).await;
        *killed.entry(victim).or_default() += 1;
    }
    println!("{} transactions, killed: {killed:?}", site.all());
    site.everything_is_true().await;
}

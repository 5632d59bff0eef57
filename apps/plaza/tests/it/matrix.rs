//! The access matrix: every documented operation, asked by every kind of caller, against the real binary.
//!
//! Operations are taken from the document that the running Plaza serves: a new one has a row here before it can be
//! merged, and what its rule promises is held against the answers (`rules.rs`).

mod edges;
mod ended;
mod foreign;
mod operations;
mod probes;
mod rules;
mod stage;
mod told;

use std::fmt::Write;

use operations::documented;
use rules::{Answers, Rules};
use stage::Stage;

use crate::front::Topology;

#[tokio::test]
async fn who_may_do_what() {
    who_may_do_what_in(Topology::OneProcess).await;
}

#[tokio::test]
async fn who_may_do_what_in_pieces() {
    who_may_do_what_in(Topology::Pieces).await;
}

async fn who_may_do_what_in(topology: Topology) {
    let stage = Stage::open(topology).await;
    let rules = Rules::of(&stage).await;
    let names: Vec<&str> = stage.actors.iter().map(|actor| actor.name).collect();
    let mut table = format!("operation | id | rule | {}\n", names.join(" | "));
    let (operations, _) = documented(&stage.plaza).await;
    // What is for developers is there on a laptop and not elsewhere: it has no row, and tests of its own.
    for operation in operations
        .iter()
        .filter(|operation| operation.rule != "development")
    {
        let mut answers = Answers::new();
        write!(
            table,
            "{} {} | {} | {}",
            operation.method, operation.path, operation.id, operation.rule
        )
        .unwrap();
        for actor in &stage.actors {
            let answer = stage.ask(operation, actor).await;
            answers.insert(actor.name, answer.status.as_u16());
            let (status, problem) = (answer.status.as_u16(), answer.json());
            match problem["code"].as_str() {
                Some(code) if status >= 400 => write!(table, " | {status} {code}").unwrap(),
                _ => write!(table, " | {status}").unwrap(),
            }
        }
        table.push('\n');
        rules.check(operation, &answers);
    }
    insta::assert_snapshot!("who_may_do_what", table);
}

#[tokio::test]
async fn what_is_another_tenants_does_not_exist() {
    what_is_another_tenants_does_not_exist_in(Topology::OneProcess).await;
}

#[tokio::test]
async fn what_is_another_tenants_does_not_exist_in_pieces() {
    what_is_another_tenants_does_not_exist_in(Topology::Pieces).await;
}

async fn what_is_another_tenants_does_not_exist_in(topology: Topology) {
    let stage = Stage::open(topology).await;
    let (operations, document) = documented(&stage.plaza).await;
    let lists: Vec<_> = operations
        .iter()
        .filter(|operation| operation.is_list())
        .collect();
    let marks = foreign::marks(&stage, &lists).await;
    let before = foreign::fingerprints(&stage).await;

    let compared = foreign::ids_in_paths(&stage, &operations).await;
    assert!(
        compared >= 20,
        "only {compared} operations have ids in their paths"
    );
    foreign::lists_show_nothing(&stage, &lists, &marks).await;
    foreign::ids_elsewhere(&stage, &operations, &document).await;
    foreign::take_over(&stage).await;

    assert_eq!(
        foreign::fingerprints(&stage).await,
        before,
        "somebody changed the tenant's rows"
    );
}

#[tokio::test]
async fn methods_hosts_and_headers_open_nothing() {
    methods_hosts_and_headers_open_nothing_in(Topology::OneProcess).await;
}

#[tokio::test]
async fn methods_hosts_and_headers_open_nothing_in_pieces() {
    methods_hosts_and_headers_open_nothing_in(Topology::Pieces).await;
}

async fn methods_hosts_and_headers_open_nothing_in(topology: Topology) {
    let stage = Stage::open(topology).await;
    let (operations, _) = documented(&stage.plaza).await;
    edges::other_methods(&stage, &operations).await;
    edges::hosts(&stage, &operations).await;
    edges::headers(&stage, &operations).await;
}

#[tokio::test]
async fn whose_time_is_over_is_a_stranger_everywhere() {
    ended::are_strangers_everywhere(Topology::OneProcess).await;
}

#[tokio::test]
async fn whose_time_is_over_is_a_stranger_everywhere_in_pieces() {
    ended::are_strangers_everywhere(Topology::Pieces).await;
}

#[tokio::test]
async fn what_cannot_be_told_is_not_done() {
    told::or_not_done(Topology::OneProcess).await;
}

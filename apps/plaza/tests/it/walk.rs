//! The walk of the README, run as it is printed; then, row by row, what it left behind.

mod ledger;
mod truth;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::Api;
use crate::plaza::{Plaza, folder};
use crate::shell::{self, Step};

/// Where the walk says that Plaza listens.
const LISTENERS: [&str; 3] = ["127.0.0.1:8080", "127.0.0.1:9080", "127.0.0.1:9090"];

#[tokio::test]
async fn the_walk_of_the_readme_goes_as_it_is_printed() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let steps = shell::steps(&readme, "A walk in five minutes");
    let [start, rest @ ..] = &steps[..] else {
        panic!("the README has no walk")
    };
    assert_eq!(
        start.commands, "cargo run",
        "what this test does instead: it runs what `cargo run` has built"
    );
    wait_for_ports().await;

    let root = folder();
    std::os::unix::fs::symlink(repository().join("testdata"), root.path().join("testdata")).unwrap();
    let mut plaza = Plaza::bare().start_in(root).await;
    let walked = walk(&plaza, rest).await;
    shell::assert_as_printed(start.printed.as_deref().unwrap(), &plaza.stdout());
    assert_eq!(walked.answers.len(), rest.len(), "a block ended the session");
    for (step, answer) in rest.iter().zip(&walked.answers) {
        shell::assert_as_printed(step.printed.as_deref().unwrap_or_default(), answer);
    }

    let owner = plaza.api().with_token(&walked.variables["TOKEN"]);
    let campaign = &walked.variables["CAMPAIGN"];
    truth::assert_every_row(&owner, &repository().join("testdata")).await;
    ledger::assert_sums_are_equal(&owner, &Api::at(&plaza.simulator_url("")), campaign).await;

    assert!(plaza.end_by(Signal::INT).await.success());
    assert!(plaza.postmaster().is_none(), "Ctrl-C left the database behind");
}

struct Walked {
    answers: Vec<String>,
    variables: BTreeMap<String, String>,
}

/// All blocks in one session; its variables are read at the end of it.
async fn walk(plaza: &Plaza, steps: &[Step]) -> Walked {
    let after = "echo TOKEN=$TOKEN; echo CAMPAIGN=$CAMPAIGN";
    let mut answers = shell::run(steps, after, plaza.root(), Duration::from_secs(300)).await;
    let variables = answers.pop().unwrap();
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Walked { answers, variables }
}

/// Somebody else on this machine may have a Plaza running; the walk needs the usual ports.
async fn wait_for_ports() {
    let begun = Instant::now();
    while let Some(taken) = LISTENERS
        .into_iter()
        .find(|address| TcpListener::bind(address).is_err())
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{taken} is in use; the walk needs the usual ports"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

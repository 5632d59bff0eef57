//! The walk of the README, run as it is printed; then, row by row, what it left behind. In one process, as the README
//! starts it; and in pieces, where everything after the start goes the same way.

mod ledger;
mod truth;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::fleet::Fleet;
use crate::front::Front;
use crate::plaza::{Plaza, folder};
use crate::shell::{self, Step};

/// Where the walk says that Plaza listens: to people, to itself, as the provider.
const LISTENERS: [&str; 3] = ["127.0.0.1:8080", "127.0.0.1:9080", "127.0.0.1:9090"];

#[tokio::test]
async fn the_walk_of_the_readme_goes_as_it_is_printed() {
    let (start, rest) = steps();
    wait_for_ports().await;
    let mut plaza = Plaza::bare().start_in(with_testdata()).await;
    let walked = walk(plaza.root(), &rest).await;
    shell::assert_as_printed(start.printed.as_deref().unwrap(), &plaza.stdout());
    what_it_left(&plaza, &walked).await;

    assert!(plaza.end_by(Signal::INT).await.success());
    assert!(plaza.postmaster().is_none(), "Ctrl-C left the database behind");
}

/// Only the first step is not what is printed: nine processes are started in the place of one. The setup link is in the
/// folder of the one that is identity.
#[tokio::test]
async fn the_walk_of_the_readme_goes_as_it_is_printed_in_pieces() {
    let (_, rest) = steps();
    wait_for_ports().await;
    let [public, _, simulator] = LISTENERS;
    let mut fleet = Fleet::builder()
        .gateway_at(public)
        .simulator_at(simulator, SEED)
        .start()
        .await;
    let root = with_testdata();
    symlink(fleet.data("identity"), root.path().join(".plaza")).unwrap();
    let walked = walk(root.path(), &rest).await;
    what_it_left(&fleet, &walked).await;
    fleet.stop().await;
}

/// What the simulator's chance is drawn from where nobody says anything else.
const SEED: u64 = 1;

/// The start, and what comes after it.
fn steps() -> (Step, Vec<Step>) {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let mut steps = shell::steps(&readme, "A walk in five minutes");
    assert!(!steps.is_empty(), "the README has no walk");
    let start = steps.remove(0);
    assert_eq!(
        start.commands, "cargo run",
        "what these tests do instead: they run what `cargo run` has built"
    );
    (start, steps)
}

/// A folder in which the walk finds its files.
fn with_testdata() -> TempDir {
    let root = folder();
    symlink(repository().join("testdata"), root.path().join("testdata")).unwrap();
    root
}

/// Every row of the files, and every message.
async fn what_it_left(plaza: &impl Front, walked: &Walked) {
    let owner = plaza.api().with_token(&walked.variables["TOKEN"]);
    let campaign = &walked.variables["CAMPAIGN"];
    truth::assert_every_row(&owner, &repository().join("testdata")).await;
    ledger::assert_sums_are_equal(&owner, &plaza.simulator_api(), campaign).await;
}

struct Walked {
    variables: BTreeMap<String, String>,
}

/// All blocks in one session, each answered as it is printed; its variables are read at the end of it.
async fn walk(root: &Path, steps: &[Step]) -> Walked {
    let after = "echo TOKEN=$TOKEN; echo CAMPAIGN=$CAMPAIGN";
    let mut answers = shell::run(steps, after, root, Duration::from_secs(300)).await;
    let variables = answers.pop().unwrap();
    assert_eq!(answers.len(), steps.len(), "a block ended the session");
    for (step, answer) in steps.iter().zip(&answers) {
        shell::assert_as_printed(step.printed.as_deref().unwrap_or_default(), answer);
    }
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Walked { variables }
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

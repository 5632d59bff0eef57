//! `cargo xtask test`: all tests, on real servers that it finds, starts, or installs. Never skips.

use std::process::Stdio;

use anyhow::Context;
use plaza_database::embedded::{self, EmbeddedError};
use plaza_testkit::{cluster, rabbitmq};
use secrecy::{ExposeSecret, SecretString};

use crate::packages;
use crate::workspace::{cargo, must};

/// Runs all tests; further arguments go to the test runner.
///
/// # Errors
/// When a server is missing and cannot be installed (the error names it), or a test fails.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    packages::ensure()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime
        .block_on(Servers::start())
        .and_then(|servers| tests(&servers, arguments));
    let stopped = runtime.block_on(stop());
    match (outcome, stopped) {
        (Err(failed), Err(error)) => {
            eprintln!("and the servers could not be stopped: {error:#}");
            Err(failed)
        }
        (outcome, stopped) => outcome.and(stopped),
    }
}

/// What all test processes share.
struct Servers {
    database: SecretString,
    rabbitmq: SecretString,
}

impl Servers {
    async fn start() -> anyhow::Result<Self> {
        // To the end, both: what is half started cannot be stopped.
        let folder = rabbitmq::usual_folder();
        let (database, rabbitmq) = tokio::join!(start_cluster(), rabbitmq::start_shared(&folder));
        Ok(Self {
            database: database.context("the tests need PostgreSQL 15 or newer")?,
            rabbitmq: rabbitmq.context("the tests need RabbitMQ 3.10 or newer")?,
        })
    }
}

async fn stop() -> anyhow::Result<()> {
    let (testdb, testmq) = (cluster::usual_folder(), rabbitmq::usual_folder());
    let (database, rabbitmq) = tokio::join!(cluster::stop_shared(&testdb), rabbitmq::stop_shared(&testmq));
    database.and(rabbitmq)
}

async fn start_cluster() -> anyhow::Result<SecretString> {
    let folder = cluster::usual_folder();
    match cluster::start_shared(&folder).await {
        Err(error) if programs_are_missing(&error) && embedded::can_install() => {
            println!("PostgreSQL is missing: installing it");
            embedded::install().await?;
            cluster::start_shared(&folder).await
        }
        started => started,
    }
}

fn programs_are_missing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<EmbeddedError>()
            .is_some_and(|e| e.install_command().is_some())
    })
}

/// Runs every round, also after one that failed: all that is wrong is seen at once.
fn tests(servers: &Servers, asked: &[&str]) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    for round in rounds(has_nextest(), asked) {
        let mut command = cargo(&round.arguments);
        command
            .env("PLAZA_TEST_DATABASE_URL", servers.database.expose_secret())
            .env("PLAZA_TEST_RABBITMQ_URL", servers.rabbitmq.expose_secret());
        if round.one_at_a_time {
            // What `--test-threads=1` says, wherever a `--` may stand among the arguments.
            command.env("RUST_TEST_THREADS", "1");
        }
        outcome = outcome.and(must(&mut command));
    }
    outcome
}

/// One run of a test runner.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Round<'a> {
    arguments: Vec<&'a str>,
    /// Whether its tests run one after the other. nextest is told by `.config/nextest.toml`.
    one_at_a_time: bool,
}

/// What is run: everything, or what was asked for. The end-to-end tests of the package `plaza` start whole platforms and
/// measure how long things take, so they get the machine to themselves with every runner.
fn rounds<'a>(nextest: bool, asked: &[&'a str]) -> Vec<Round<'a>> {
    let round = |head: &[&'a str], one_at_a_time| Round {
        arguments: [head, asked].concat(),
        one_at_a_time,
    };
    let documentation = round(&["test", "--no-fail-fast", "--workspace", "--doc"], false);
    match (nextest, asked) {
        (true, []) => vec![
            round(&["nextest", "run", "--no-fail-fast", "--workspace"], false),
            documentation,
        ],
        (true, _) => vec![round(&["nextest", "run"], false)],
        (false, []) => vec![
            round(
                &[
                    "test",
                    "--no-fail-fast",
                    "--tests",
                    "--workspace",
                    "--exclude",
                    "plaza",
                ],
                false,
            ),
            round(&["test", "--no-fail-fast", "--tests", "--package", "plaza"], true),
            documentation,
        ],
        (false, _) => vec![round(&["test", "--tests"], means_plaza(asked))],
    }
}

/// Whether these arguments of cargo may select the package `plaza`: by name or pattern, as all there is, or because they
/// name no package.
fn means_plaza(asked: &[&str]) -> bool {
    let asked: Vec<&str> = asked.iter().copied().take_while(|word| *word != "--").collect();
    let next = |at: usize| asked.get(at + 1).copied();
    let packages: Vec<&str> = (0..asked.len())
        .filter_map(|at| match asked[at] {
            "-p" | "--package" => next(at),
            word => word
                .strip_prefix("--package=")
                .or_else(|| word.strip_prefix("-p").filter(|name| !name.is_empty())),
        })
        .collect();
    let all = asked.iter().any(|word| matches!(*word, "--workspace" | "--all"));
    all || packages.is_empty()
        || packages
            .iter()
            .any(|name| *name == "plaza" || name.contains(['*', '?', '[', '@', '/']))
}

fn has_nextest() -> bool {
    let mut command = cargo(&["nextest", "--version"]);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(nextest: bool, asked: &[&str]) -> Vec<(String, bool)> {
        rounds(nextest, asked)
            .into_iter()
            .map(|round| (round.arguments.join(" "), round.one_at_a_time))
            .collect()
    }

    #[test]
    fn without_nextest_the_end_to_end_tests_still_run_one_at_a_time() {
        let expected = [
            ("test --no-fail-fast --tests --workspace --exclude plaza", false),
            ("test --no-fail-fast --tests --package plaza", true),
            ("test --no-fail-fast --workspace --doc", false),
        ];
        assert_eq!(
            alone(false, &[]),
            expected.map(|(text, alone)| (text.to_owned(), alone))
        );
    }

    #[test]
    fn what_is_asked_for_is_run_and_plaza_one_at_a_time() {
        for (asked, expected) in [
            (&["-p", "plaza"] as &[&str], true),
            (&["--package=plaza", "the_walk"], true),
            (&["-pplaza"], true),
            (&["--workspace", "--exclude", "plaza-web"], true),
            (&["-p", "plaza*"], true),
            (&["the_walk"], true),
            (&["-p", "plaza-web"], false),
            (&["-p", "plaza-web", "--", "-p", "plaza"], false),
            (&["--package", "plaza-web", "-p", "plaza"], true),
        ] {
            let text = format!("test --tests {}", asked.join(" "));
            assert_eq!(alone(false, asked), [(text, expected)]);
        }
    }

    #[test]
    fn nextest_is_told_by_its_own_file() {
        let expected = [
            "nextest run --no-fail-fast --workspace",
            "test --no-fail-fast --workspace --doc",
        ];
        assert_eq!(alone(true, &[]), expected.map(|text| (text.to_owned(), false)));
        assert_eq!(
            alone(true, &["-p", "plaza"]),
            [("nextest run -p plaza".to_owned(), false)]
        );
    }
}

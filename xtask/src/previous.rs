//! `cargo xtask previous [REVISION]`: the program of an older revision on the schema of now. Going back after a deploy, and
//! a deploy that stops half-way, are nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages;
use crate::workspace::{cargo, must, output, root};

/// Builds the revision and runs the tests of `apps/plaza/tests/it/upgrade.rs` with its program: a database that the program of now
/// migrates, and a campaign over it by the old program alone, and by both side by side.
///
/// Without a revision it is the last tag before `HEAD`; without any tag, the commit before `HEAD`.
///
/// # Errors
/// When the revision is none or cannot be built, or a test fails.
pub(crate) fn run(revision: Option<&str>) -> anyhow::Result<()> {
    let commit = match revision {
        Some(revision) => commit(revision)?,
        None => before()?,
    };
    println!("the program before is of {commit}");
    packages::ensure()?;
    let program = build(&commit)?;
    must(
        cargo(&[
            "test",
            "--package",
            "plaza",
            "--test",
            "it",
            "upgrade::",
            "--",
            "--nocapture",
        ])
        .env("RUST_TEST_THREADS", "1")
        .env("PLAZA_TEST_PREVIOUS", &program),
    )
}

fn before() -> anyhow::Result<String> {
    match git(&["describe", "--tags", "--abbrev=0", "HEAD^"]) {
        Ok(tag) => commit(&tag),
        Err(_) => commit("HEAD^"),
    }
}

fn commit(revision: &str) -> anyhow::Result<String> {
    git(&["rev-parse", "--verify", &format!("{revision}^{{commit}}")])
}

/// The program of a commit, built in a work tree of its own. The target folder is one for all revisions, and not ours: what
/// has not changed between two of them is not built again.
fn build(commit: &str) -> anyhow::Result<PathBuf> {
    let folder = root().join("target/previous");
    let tree = folder.join("tree");
    check_out(&tree, commit)?;
    let target = folder.join("target");
    must(
        Command::new(env!("CARGO"))
            .current_dir(&tree)
            .args(["build", "--locked", "--package", "plaza", "--bin", "plaza"])
            .env("CARGO_TARGET_DIR", &target)
            // Nobody looks into it with a debugger; without, it takes a third of the space.
            .env("CARGO_PROFILE_DEV_DEBUG", "0"),
    )?;
    Ok(target.join("debug/plaza"))
}

fn check_out(tree: &Path, commit: &str) -> anyhow::Result<()> {
    if tree.join(".git").exists() {
        return must(
            Command::new("git")
                .current_dir(tree)
                .args(["checkout", "--detach", "--force", commit]),
        );
    }
    let add = ["worktree", "add", "--force", "--detach"];
    must(
        Command::new("git")
            .current_dir(root())
            .args(add)
            .arg(tree)
            .arg(commit),
    )
}

fn git(arguments: &[&str]) -> anyhow::Result<String> {
    let printed = output(Command::new("git").current_dir(root()).args(arguments))?;
    Ok(String::from_utf8(printed)?.trim().to_owned())
}

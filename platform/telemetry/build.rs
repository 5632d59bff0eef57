//! Tells the crate which commit it is built from. Runs again only when HEAD moves.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PLAZA_COMMIT");
    println!("cargo::rustc-env=PLAZA_BUILD_COMMIT={}", commit());
    let profile = std::env::var_os("PROFILE").map(|profile| profile.to_string_lossy().into_owned());
    println!(
        "cargo::rustc-env=PLAZA_BUILD_PROFILE={}",
        profile.as_deref().unwrap_or("unknown")
    );
}

/// `PLAZA_COMMIT` (for builds of an archive, without a repository), else what git says, else `unknown`.
fn commit() -> String {
    if let Some(given) = std::env::var_os("PLAZA_COMMIT") {
        return given.to_string_lossy().into_owned();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !is_the_repository(&root) {
        return "unknown".to_owned();
    }
    watch_head(&root);
    git(&root, &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned())
}

/// An unpacked archive may lie inside some other repository, whose commit is not ours.
fn is_the_repository(root: &Path) -> bool {
    let top =
        git(root, &["rev-parse", "--show-toplevel"]).and_then(|top| Path::new(&top).canonicalize().ok());
    top.is_some() && top == root.canonicalize().ok()
}

/// HEAD names a branch, and the branch's file (or the packed list) names the commit. Where the branch has no file
/// its folder is watched, until it has one. Only what exists may be named: a missing file means "always".
fn watch_head(root: &Path) {
    let path = |name: &str| git(root, &["rev-parse", "--git-path", name]).map(|path| root.join(path));
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]).and_then(|name| path(&name));
    let branch = branch.and_then(|file| {
        if file.exists() {
            Some(file)
        } else {
            file.parent().map(PathBuf::from)
        }
    });
    for file in [path("HEAD"), path("packed-refs"), branch]
        .into_iter()
        .flatten()
        .filter(|file| file.exists())
    {
        println!("cargo::rerun-if-changed={}", file.display());
    }
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

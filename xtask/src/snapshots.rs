//! `cargo xtask snapshots`: no snapshot waits for its review, and none was left behind by a test that is gone.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::workspace::root;

/// Folders without sources of ours.
const PASSED_BY: [&str; 3] = ["target", ".git", ".plaza"];

/// Looks at every snapshot of the workspace.
///
/// # Errors
/// One error that names every snapshot that should not be there, and why.
pub(crate) fn check() -> anyhow::Result<()> {
    let wrong = leftovers(&root())?;
    if !wrong.is_empty() {
        bail!("snapshots are left over:\n  {}", wrong.join("\n  "));
    }
    Ok(())
}

/// Every snapshot under `root` that should not be there, and why.
fn leftovers(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for path in files(root)? {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let problem = if name.ends_with(".snap.new") || name.ends_with(".pending-snap") {
            Some("waits for its review".to_owned())
        } else if let Some(name) = name.strip_suffix(".snap") {
            orphaned(root, &path, name)?
        } else {
            None
        };
        let shown = path.strip_prefix(root).unwrap_or(&path).display();
        wrong.extend(problem.map(|problem| format!("{shown} {problem}")));
    }
    Ok(wrong)
}

/// Why a committed snapshot belongs to no test, if it does not: its `source` has to exist, and either a function of that
/// file is called like the snapshot and takes one, or a test beside that file takes one of this name.
fn orphaned(root: &Path, snapshot: &Path, stem: &str) -> anyhow::Result<Option<String>> {
    let head = read(snapshot)?;
    let source = head
        .lines()
        .take(10)
        .find_map(|line| line.strip_prefix("source: "));
    let Some(source) = source.map(|source| root.join(source.trim())) else {
        return Ok(Some("names no source".to_owned()));
    };
    if !source.is_file() {
        return Ok(Some("is of a source that is gone".to_owned()));
    }
    let name = short(stem);
    if function_takes_one(&read(&source)?, name) {
        return Ok(None);
    }
    let named = [
        format!("snapshot(\"{stem}\""),
        format!("snapshot!(\"{stem}\""),
        format!("snapshot(\"{name}\""),
        format!("snapshot!(\"{name}\""),
    ];
    for beside in files(source.parent().unwrap_or(root))? {
        if beside.extension() == Some(OsStr::new("rs")) {
            let dense: String = read(&beside)?.split_whitespace().collect();
            if named.iter().any(|call| dense.contains(call)) {
                return Ok(None);
            }
        }
    }
    Ok(Some("belongs to no test".to_owned()))
}

/// `it__commands__the_table_of_routes-2` without its modules and the number of a second one in the same function.
fn short(stem: &str) -> &str {
    let name = stem.rsplit("__").next().unwrap_or(stem);
    match name.rsplit_once('-') {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    }
}

/// Whether the source has a function of this name with a snapshot in its body. The body ends where rustfmt puts the
/// brace: at the indentation of the function.
fn function_takes_one(source: &str, name: &str) -> bool {
    [format!("fn {name}("), format!("fn test_{name}(")]
        .iter()
        .filter_map(|head| source.find(head))
        .any(|at| {
            let line = source[..at].rfind('\n').map_or(0, |end| end + 1);
            let text = &source[line..];
            let indent: String = text.chars().take_while(|c| *c == ' ').collect();
            let body = text.split(&format!("\n{indent}}}")).next().unwrap_or(text);
            body.contains("snapshot!(")
        })
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && !PASSED_BY.iter().any(|name| entry.file_name() == *name) {
            found.extend(files(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str = "#[test]\nfn totals() {\n    insta::assert_snapshot!(1);\n}\n\n\
                         #[test]\nfn names() {\n    snapshot(\n        \"people\", 1);\n}\n";

    /// What is wrong with a folder of these tests and one more file.
    fn with(file: &str, content: &str) -> Vec<String> {
        let folder = std::env::temp_dir().join(format!("plaza-snapshots-{}-{file}", std::process::id()));
        std::fs::create_dir_all(folder.join("snapshots")).unwrap();
        std::fs::write(folder.join("main.rs"), TESTS).unwrap();
        std::fs::write(folder.join("snapshots").join(file), content).unwrap();
        let wrong = leftovers(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        wrong
    }

    #[test]
    fn a_snapshot_of_a_test_stays() {
        let head = "---\nsource: main.rs\n---\n1\n";
        for file in ["it__totals.snap", "it__totals-2.snap", "people.snap"] {
            assert_eq!(with(file, head), Vec::<String>::new(), "{file}");
        }
    }

    #[test]
    fn what_is_left_over_is_told() {
        let head = "---\nsource: main.rs\n---\n1\n";
        for (file, content, why) in [
            ("it__totals.snap.new", head, "waits for its review"),
            (".main.rs.pending-snap", "{}", "waits for its review"),
            ("it__gone.snap", head, "belongs to no test"),
            // The function is there, and takes no snapshot of its own name any more.
            ("it__names.snap", head, "belongs to no test"),
            (
                "it__totals.snap",
                "---\nsource: old.rs\n---\n1\n",
                "is of a source that is gone",
            ),
            ("it__totals.snap", "1\n", "names no source"),
        ] {
            assert_eq!(with(file, content), [format!("snapshots/{file} {why}")]);
        }
    }
}

//! `cargo xtask new-migration SERVICE NAME`.

use anyhow::bail;

use crate::workspace::{output, root};

/// Makes an empty migration, named by the time of now in UTC, and says what is left to do.
///
/// # Errors
/// When the service is none, or the name is not snake case.
pub(crate) fn make(service: &str, name: &str) -> anyhow::Result<()> {
    let folder = root().join("services").join(service).join("migrations");
    if !folder.is_dir() {
        bail!("there is no service `{service}`");
    }
    if name.is_empty()
        || !name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    {
        bail!("a migration's name is snake case: what it does");
    }
    let now = output(std::process::Command::new("date").args(["-u", "+%Y%m%d%H%M%S"]))?;
    let version = format!("V{}__{name}", String::from_utf8(now)?.trim());
    let file = folder.join(format!("{version}.sql"));
    std::fs::write(
        &file,
        "-- Expand only: the program before this one must still run on it.\n",
    )?;
    println!(
        "{}\nnow add \"{version}\" to `migrations![…]` in services/{service}/src/lib.rs",
        file.display()
    );
    Ok(())
}

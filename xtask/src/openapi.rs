//! `cargo xtask openapi`: the committed OpenAPI document. A test of the program fails when it is out of date.

use crate::workspace::{cargo, output, root};

/// Writes `docs/openapi.json`.
///
/// # Errors
/// When the program does not build.
pub(crate) fn write() -> anyhow::Result<()> {
    let document = output(&mut cargo(&[
        "run",
        "--quiet",
        "--package",
        "plaza",
        "--",
        "openapi",
    ]))?;
    std::fs::write(root().join("docs/openapi.json"), document)?;
    Ok(())
}

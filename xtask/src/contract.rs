//! `cargo xtask contract`: the longer form of `conformance`, which generates requests from the document of the API.

use anyhow::Context;

use crate::packages;
use crate::workspace::{cargo, must};

/// Generates so many requests for each operation, in each of the ways that draw by chance.
///
/// # Errors
/// When the number is none, a server is missing, or an answer is not one that the document names.
pub(crate) fn run(examples: &str) -> anyhow::Result<()> {
    let examples: u32 = examples.parse().context("a number of examples")?;
    packages::ensure()?;
    // Not nextest: it ends what takes too long.
    let test = ["test", "-p", "plaza", "--test", "it", "--", "--nocapture"];
    let name = "conformance::every_answer_is_one_that_the_document_names";
    must(
        cargo(&test)
            .arg(name)
            .env("PLAZA_TEST_EXAMPLES", examples.to_string()),
    )
}

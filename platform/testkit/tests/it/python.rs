//! Programs in Python.

use std::time::Duration;

use plaza_testkit::python;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_program_gets_its_arguments_and_says_its_words() {
    let printed = python::run("import sys; print(*sys.argv[1:])", &["one", "two"], SOON).await;
    assert_eq!(printed, "one two\n");
}

#[tokio::test]
#[should_panic(expected = "ZeroDivisionError")]
async fn a_program_that_fails_fails_the_test_with_its_reason() {
    python::run("1 / 0", &[], SOON).await;
}

#[tokio::test]
#[should_panic(expected = "not done within")]
async fn a_program_that_does_not_end_fails_the_test() {
    python::run("import time; time.sleep(600)", &[], Duration::from_millis(300)).await;
}

//! Each target on its files of `testdata/fuzz`, and on what becomes of them when they are damaged.
//!
//! What is drawn is printed: `PLAZA_TEST_SEED` draws the same again. `PLAZA_TEST_FUZZ_RUNS` makes each target run so often.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod damage;
mod runs;

use std::collections::BTreeSet;

use plaza_fuzz::TARGETS;

macro_rules! each_target {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                runs::bears(stringify!($name));
            }
        )*

        #[test]
        fn no_target_is_left_out() {
            let tested = [$(stringify!($name)),*];
            let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(tested.as_slice(), all);
        }
    };
}

each_target! {
    csv cursor email internal_token meta phone request request_target sealed sms twilio workbook
}

#[test]
fn every_target_has_files_to_begin_with_and_no_file_is_nobodys() {
    let folders: BTreeSet<String> = std::fs::read_dir(runs::corpora())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let names = TARGETS.iter().map(|target| target.name.to_owned());
    assert_eq!(folders, names.collect());
    for target in TARGETS {
        assert!(!runs::corpus(target.name).is_empty(), "{}", target.name);
    }
}

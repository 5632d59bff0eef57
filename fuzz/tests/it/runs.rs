//! Runs of one target.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plaza_fuzz::{Target, named};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::damage::damaged;

/// No input of a few kilobytes is worth so much, in an unoptimised build on a machine that does other things too.
const LONGEST: Duration = Duration::from_secs(10);

/// The folder of all corpora.
pub(crate) fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/fuzz")
}

/// The files of a target, in an order that is always the same.
pub(crate) fn corpus(target: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(corpora().join(target)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn asked(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test's own settings")]
    let asked = std::env::var(name).ok()?;
    Some(asked.parse().unwrap())
}

/// Runs the target on its files, and on damaged ones.
pub(crate) fn bears(name: &str) {
    let target = named(name).unwrap();
    let corpus = corpus(name);
    corpus
        .iter()
        .for_each(|input| run(target, input, "a file of testdata/fuzz"));

    let seed = asked("PLAZA_TEST_SEED").unwrap_or_else(rand::random);
    println!("PLAZA_TEST_SEED={seed}");
    let runs = asked("PLAZA_TEST_FUZZ_RUNS").unwrap_or(target.runs.into());
    let mut dice = StdRng::seed_from_u64(seed);
    for _ in 0..runs {
        let mut input = corpus[dice.random_range(0..corpus.len())].clone();
        for _ in 0..dice.random_range(1..=5) {
            damaged(&mut input, &corpus, &mut dice);
        }
        run(target, &input, &format!("PLAZA_TEST_SEED={seed}"));
    }
}

/// Once; what it does not bear is left in a file.
fn run(target: &Target, input: &[u8], source: &str) {
    let began = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.bears)(input)));
    let took = began.elapsed();
    if outcome.is_ok() && took < LONGEST {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(target.name);
    std::fs::write(&file, input).unwrap();
    panic!(
        "{} does not bear {:?} ({source}; it took {took:?}). It is in {}: mend the parser and keep the file in testdata/fuzz/{}",
        target.name,
        String::from_utf8_lossy(input),
        file.display(),
        target.name
    );
}

//! An import whose Plaza is killed while rows are read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::json;

use super::bench::{Bench, PATIENCE, Receipts, imported, upload};
use super::truth;
use crate::story;
use crate::superuser::Superuser;

/// Enough to fall into every part of an import; each costs a start.
const KILLS: usize = 6;

#[tokio::test]
async fn a_killed_import_becomes_what_the_truth_says() {
    let begun = Instant::now();
    let truth = truth::first(usize::MAX);
    let mut bench = Bench::open(Receipts::Arrive).await;
    let admin = story::administrator(&bench.plaza).await;
    let owner = story::tenant(&admin, "acme").await.owner;
    let import = upload(&owner, truth.file.clone()).await;
    // The first one at once: the file is here, and nobody has looked at it.
    let mut points = vec![0];
    points.extend(bench.points(KILLS - 1, 10_000));
    for point in points {
        read(&bench, point).await;
        bench.moment(30).await;
        bench.kill().await;
    }
    let end = story::until(&owner, &import, imported).await;

    let counts = json!({
        "valid": 9_500, "duplicate": 184, "missing_phone": 102, "invalid_phone": 154, "damaged_by_spreadsheet": 60,
    });
    assert_eq!(end["counts"], counts, "{end}");
    let recipients = owner.all("/api/v1/broadcast/recipients").await;
    let phones: BTreeSet<String> = recipients
        .iter()
        .map(|recipient| recipient["phone"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((recipients.len(), &phones), (9_500, &truth.valid));
    let errors = owner.get(&format!("{import}/errors.csv")).await;
    let mut errors = csv::Reader::from_reader(&errors.body[..]);
    let errors: Vec<(u64, String)> = errors
        .records()
        .map(|row| row.unwrap())
        .map(|row| (row[0].parse().unwrap(), row[1].to_owned()))
        .collect();
    assert_eq!(errors.len(), truth.errors.len(), "a row is told twice");
    assert_eq!(errors.into_iter().collect::<BTreeMap<_, _>>(), truth.errors);
    eprintln!(
        "{} kills in an import, {:.1} s",
        bench.killed,
        begun.elapsed().as_secs_f64()
    );
}

/// Waits until so many rows are read, or all of them.
async fn read(bench: &Bench, rows: u64) {
    let begun = Instant::now();
    let superuser = Superuser::of(&bench.plaza).await;
    let sql = "SELECT CASE WHEN state IN ('uploaded', 'running') THEN rows_done ELSE 1000000 END FROM broadcast.imports";
    while superuser.number(sql).await < rows {
        assert!(begun.elapsed() < PATIENCE, "row {rows} is not reached");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

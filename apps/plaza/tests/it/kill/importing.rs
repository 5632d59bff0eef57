//! An import whose Plaza is killed while rows are read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::json;

use super::bench::{Bench, PATIENCE, Receipts, imported, upload};
use super::truth::{self, Truth};
use crate::client::Api;
use crate::front::{Topology, WHOLE};
use crate::story;

/// Enough to fall into every part of an import; each costs a start.
const KILLS: usize = 6;

/// Who takes part in it.
pub(super) const WORKING: [&str; 3] = [WHOLE, "broadcast", "worker-broadcast"];

#[tokio::test]
async fn a_killed_import_becomes_what_the_truth_says() {
    let mut bench = Bench::open(Topology::OneProcess, Receipts::Arrive).await;
    let admin = story::administrator(&bench.plaza).await;
    let owner = story::tenant(&admin, "acme").await.owner;
    import_under_fire(&mut bench, &owner, &truth::first(usize::MAX)).await;
}

/// Imports all of the file, kills who takes part in it, and holds the end against the truth.
pub(super) async fn import_under_fire(bench: &mut Bench, owner: &Api, truth: &Truth) {
    let begun = Instant::now();
    let import = upload(owner, truth.file.clone()).await;
    // The first one at once: the file is here, and nobody has looked at it.
    let mut points = vec![0];
    points.extend(bench.points(KILLS - 1, 10_000));
    for point in points {
        read(bench, point).await;
        bench.moment(30).await;
        bench.kill().await;
    }
    bench.plaza.joined().await;
    let end = story::until(owner, &import, imported).await;

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
        bench.kills(),
        begun.elapsed().as_secs_f64()
    );
}

/// Waits until so many rows are read, or all of them.
async fn read(bench: &Bench, rows: u64) {
    let superuser = bench.plaza.superuser().await;
    let begun = Instant::now();
    let sql = "SELECT CASE WHEN state IN ('uploaded', 'running') THEN rows_done ELSE 1000000 END FROM broadcast.imports";
    while superuser.number(sql).await < rows {
        assert!(begun.elapsed() < PATIENCE, "row {rows} is not reached");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

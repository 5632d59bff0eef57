//! Every row of the files against what is known of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::client::Api;

/// What has to become of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) row: u64,
    pub(super) id: String,
    pub(super) class: String,
    pub(super) e164: String,
}

pub(super) fn rows(testdata: &Path) -> Vec<Row> {
    let mut file = csv::Reader::from_path(testdata.join("recipients-10k.truth.csv")).unwrap();
    let records = file.records().map(|record| {
        let [row, id, class, e164] = [0, 1, 2, 3].map(|column| record.as_ref().unwrap()[column].to_owned());
        Row {
            row: row.parse().unwrap(),
            id,
            class,
            e164,
        }
    });
    records.collect()
}

/// Compares both imports with the files that they were made of.
pub(super) async fn assert_every_row(owner: &Api, testdata: &Path) {
    let imports = owner.all("/api/v1/broadcast/imports").await;
    let [latin, large] = &imports[..] else {
        panic!("not two imports: {imports:?}")
    };
    let truth = rows(testdata);
    assert_eq!(truth.len(), 10_000);
    assert_counts(large, &truth);
    assert_classes(&errors(owner, large).await, &truth);
    assert_numbers(&recipients(owner, large).await, &truth);
    assert_latin(&recipients(owner, latin).await, testdata);
}

fn assert_counts(import: &Value, truth: &[Row]) {
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for row in truth {
        *expected.entry(&row.class).or_default() += 1;
    }
    let counts: BTreeMap<&str, u64> = import["counts"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(class, count)| (class.as_str(), count.as_u64().unwrap()))
        .collect();
    assert_eq!(counts, expected);
}

/// A row is in the list of errors with its class, or it is valid.
fn assert_classes(errors: &BTreeMap<u64, String>, truth: &[Row]) {
    let expected: BTreeMap<u64, String> = truth
        .iter()
        .filter(|row| row.class != "valid")
        .map(|row| (row.row, row.class.clone()))
        .collect();
    let wrong: Vec<_> = expected
        .keys()
        .chain(errors.keys())
        .filter(|row| expected.get(row) != errors.get(row))
        .map(|row| (row, expected.get(row), errors.get(row)))
        .collect();
    assert!(wrong.is_empty(), "row, expected, found: {wrong:?}");
}

/// A valid row is one recipient with its number; there is nobody else.
fn assert_numbers(recipients: &[Value], truth: &[Row]) {
    let expected: BTreeMap<&str, &str> = truth
        .iter()
        .filter(|row| row.class == "valid")
        .map(|row| (row.id.as_str(), row.e164.as_str()))
        .collect();
    let found: BTreeMap<&str, &str> = recipients
        .iter()
        .map(|recipient| (text(recipient, "external_id"), text(recipient, "phone")))
        .collect();
    assert_eq!(recipients.len(), expected.len());
    let wrong: Vec<_> = expected
        .iter()
        .filter(|(id, e164)| found.get(*id) != Some(e164))
        .collect();
    assert!(wrong.is_empty(), "not imported as they are: {wrong:?}");
    // What is a duplicate has the number of somebody who was imported.
    let numbers: BTreeSet<&str> = found.values().copied().collect();
    let strangers = truth
        .iter()
        .filter(|row| row.class == "duplicate" && !numbers.contains(&*row.e164));
    assert_eq!(strangers.collect::<Vec<_>>(), Vec::<&Row>::new());
}

/// Every row is valid, German, and called as the file calls it.
fn assert_latin(recipients: &[Value], testdata: &Path) {
    let bytes = std::fs::read(testdata.join("recipients-semicolon-latin1.csv")).unwrap();
    // Latin-1 is the beginning of Unicode.
    let decoded: String = bytes.into_iter().map(char::from).collect();
    let mut file = csv::ReaderBuilder::new()
        .delimiter(b';')
        .from_reader(decoded.as_bytes());
    let expected: BTreeMap<String, String> = file
        .records()
        .map(Result::unwrap)
        .map(|record| {
            let national: String = record[1].chars().filter(char::is_ascii_digit).collect();
            (
                format!("+49{}", national.trim_start_matches('0')),
                record[0].to_owned(),
            )
        })
        .collect();
    let found = recipients
        .iter()
        .map(|it| (text(it, "phone").to_owned(), text(it, "name").to_owned()));
    assert_eq!(
        (recipients.len(), found.collect::<BTreeMap<_, _>>()),
        (200, expected)
    );
    assert!(
        recipients
            .iter()
            .any(|recipient| text(recipient, "name").contains('ö')),
        "nothing was at stake"
    );
}

async fn errors(owner: &Api, import: &Value) -> BTreeMap<u64, String> {
    let answer = owner
        .get(&format!(
            "/api/v1/broadcast/imports/{}/errors.csv",
            text(import, "id")
        ))
        .await;
    assert_eq!(answer.status, 200);
    let mut file = csv::Reader::from_reader(&answer.body[..]);
    let records: Vec<_> = file.records().map(Result::unwrap).collect();
    let errors: BTreeMap<u64, String> = records
        .iter()
        .map(|record| (record[0].parse().unwrap(), record[1].to_owned()))
        .collect();
    assert_eq!(errors.len(), records.len(), "a row is told twice");
    errors
}

async fn recipients(owner: &Api, import: &Value) -> Vec<Value> {
    owner
        .all(&format!(
            "/api/v1/broadcast/recipients?import_id={}",
            text(import, "id")
        ))
        .await
}

pub(super) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {object}"))
}

//! What has to become of each row of `recipients-10k.csv`, from the truth beside it.

use std::collections::{BTreeMap, BTreeSet};

use crate::story::testdata;

/// Some rows of the file and what they have to become.
pub(super) struct Truth {
    /// The file.
    pub(super) file: Vec<u8>,
    /// Numbers of valid rows.
    pub(super) valid: BTreeSet<String>,
    /// Those of them who said yes.
    pub(super) opted_in: BTreeSet<String>,
    /// Class of each row that makes no recipient, by row.
    pub(super) errors: BTreeMap<u64, String>,
}

/// The first rows of the file; all of it with `usize::MAX`.
pub(super) fn first(rows: usize) -> Truth {
    let mut classes = csv::Reader::from_path(testdata("recipients-10k.truth.csv")).unwrap();
    let mut people = csv::Reader::from_path(testdata("recipients-10k.csv")).unwrap();
    let mut file = csv::Writer::from_writer(Vec::new());
    let header = people.headers().unwrap().clone();
    let consent = header.iter().position(|name| name == "opted_in").unwrap();
    file.write_record(&header).unwrap();
    let (mut valid, mut opted_in, mut errors) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for (person, truth) in people.records().zip(classes.records()).take(rows) {
        let (person, truth) = (person.unwrap(), truth.unwrap());
        file.write_record(&person).unwrap();
        if &truth[2] != "valid" {
            errors.insert(truth[0].parse().unwrap(), truth[2].to_owned());
            continue;
        }
        valid.insert(truth[3].to_owned());
        if &person[consent] == "yes" {
            opted_in.insert(truth[3].to_owned());
        }
    }
    let file = match rows {
        // As it came, with everything that makes it difficult.
        usize::MAX => std::fs::read(testdata("recipients-10k.csv")).unwrap(),
        _ => file.into_inner().unwrap(),
    };
    Truth {
        file,
        valid,
        opted_in,
        errors,
    }
}

//! Workbooks as files of recipients.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};

use crate::town::{Town, id_of, testdata};

#[tokio::test]
async fn the_workbook_becomes_what_the_truth_says() {
    let town = Town::awake().await;
    let owner = town.owner();
    let file = std::fs::read(testdata("recipients-2k.xlsx")).unwrap();
    let import = owner.import(&file).await;

    let counts = json!({"valid": 1909, "duplicate": 38, "missing_phone": 14, "invalid_phone": 39, "damaged_by_spreadsheet": 0});
    assert_eq!(
        (&import["state"], &import["counts"]),
        (&json!("done_with_errors"), &counts)
    );
    assert_eq!(
        (&import["format"], &import["rows_done"]),
        (&json!("xlsx"), &json!(2_000))
    );
    assert_eq!(
        (import.get("encoding"), import.get("delimiter")),
        (None, None),
        "{import:#}"
    );
    assert!(import["throughput"].as_i64().unwrap() > 0, "{import:#}");

    let truth = std::fs::read_to_string(testdata("recipients-2k.truth.csv")).unwrap();
    let lines: Vec<Vec<&str>> = truth
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    let valid: BTreeSet<(String, i64)> = lines
        .iter()
        .filter(|cells| cells[2] == "valid")
        .map(|cells| (cells[3].to_owned(), cells[0].parse().unwrap()))
        .collect();
    let rows = town.database.admin().await;
    let rows = rows
        .query("SELECT phone, import_row FROM broadcast.recipients", &[])
        .await
        .unwrap();
    let found: BTreeSet<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(found, valid);

    let errors = owner
        .get(&format!("/imports/{}/errors.csv", import["id"].as_str().unwrap()))
        .await
        .text();
    let told: Vec<(&str, &str)> = errors
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.splitn(3, ',');
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    let expected: Vec<(&str, &str)> = lines
        .iter()
        .filter(|cells| cells[2] != "valid")
        .map(|cells| (cells[0], cells[2]))
        .collect();
    assert_eq!(told, expected);
    let granted = "SELECT count(*) FROM broadcast.recipients WHERE consent = 'granted'";
    assert_eq!(town.count(granted).await, 1_429);
    assert_eq!(
        std::fs::read_dir(town.objects.path().join("imports").join(owner.tenant.to_string()))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn a_workbook_whose_reading_is_killed_again_and_again_still_counts_exactly() {
    let town = Town::asleep(|config| config.import_batch_rows = 50).await;
    let owner = town.owner();
    let file = std::fs::read(testdata("recipients-2k.xlsx")).unwrap();
    let path = format!("/imports/{}", id_of(&owner.upload(&file, None).await.assert_ok()));
    for _ in 0..3 {
        let victim = town.victim();
        let before = owner.get(&path).await.value()["rows_done"].as_i64().unwrap();
        plaza_testkit::eventually(std::time::Duration::from_secs(60), || async {
            owner.get(&path).await.value()["rows_done"].as_i64().unwrap() > before
        })
        .await;
        victim.kill();
    }
    let town = town.wake();
    let import = owner.end_of_import(path.strip_prefix("/imports/").unwrap()).await;
    assert_eq!(
        (&import["counts"]["valid"], &import["counts"]["duplicate"]),
        (&json!(1_909), &json!(38))
    );
    assert_eq!(
        town.count("SELECT count(*) FROM broadcast.recipients").await,
        1_909
    );
}

#[tokio::test]
async fn other_files_than_text_and_workbooks_are_refused() {
    let town = Town::awake().await;
    let owner = town.owner();
    let workbook = std::fs::read(testdata("recipients-2k.xlsx")).unwrap();
    let program = [b"MZ\x90\0".as_slice(), &[0; 60], &workbook].concat();
    let cut = &workbook[..workbook.len() / 2];
    let cases: [(&str, &[u8]); 7] = [
        ("a program that is an archive too", &program),
        ("a program", b"\x7fELF\x02\x01\x01\0"),
        ("a document", b"%PDF-1.7\n"),
        ("a picture", b"\x89PNG\r\n\x1a\n"),
        ("an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        ("a packed file", b"\x1f\x8b\x08\0phone\n"),
        ("half a workbook", cut),
    ];
    for (name, content) in cases {
        let import = owner.import(content).await;
        assert_eq!(
            (&import["state"], &import["error"]["code"]),
            (&json!("failed"), &json!("NOT_TEXT")),
            "{name}"
        );
        assert_eq!(import["error"].get("row"), None, "{name}");
    }
    for (content, code) in [
        (
            b"<html><script>alert(1)</script></html>".as_slice(),
            "NO_PHONE_COLUMN",
        ),
        (b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "NO_PHONE_COLUMN"),
    ] {
        assert_eq!(owner.import(content).await["error"]["code"], code);
    }
    assert_eq!(town.count("SELECT count(*) FROM broadcast.recipients").await, 0);
}

#[tokio::test]
async fn a_file_is_not_a_workbook_by_its_name() {
    let town = Town::awake().await;
    let owner = town.owner();
    let path = format!("{}/recipients/import", crate::town::API);
    let upload = owner
        .client
        .post_file(&path, "people.xlsx", b"phone\n+4915117404120\n", &[])
        .await;
    let id = id_of(&upload.assert_status(StatusCode::ACCEPTED));
    let import = owner.end_of_import(&id).await;
    assert_eq!(
        (&import["format"], &import["counts"]["valid"]),
        (&json!("csv"), &json!(1))
    );
    assert_eq!(import["error"], Value::Null);
}

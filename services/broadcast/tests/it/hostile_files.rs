//! Files that nobody makes by accident.

use serde_json::{Value, json};

use crate::town::Town;

async fn fate_of(town: &Town, content: &[u8]) -> Value {
    let owner = town.owner();
    owner.import(content).await
}

#[tokio::test]
async fn a_file_that_cannot_be_read_fails_with_a_code() {
    let town = Town::awake().await;
    let long = [b"phone\n+4915117404120\n\"".to_vec(), vec![b'x'; 3 << 20]].concat();
    let wide = [b"phone\n+4915117404120\n".to_vec(), vec![b','; 100_000]].concat();
    let wide_header = vec![b','; 100_000];
    let cases: [(&[u8], &str, Value, i64); 11] = [
        (b"", "EMPTY_FILE", Value::Null, 0),
        (b"\r\n\r\n\n", "EMPTY_FILE", Value::Null, 0),
        (b"\xef\xbb\xbf", "EMPTY_FILE", Value::Null, 0),
        (b"name,city\nAda,Kehl\n", "NO_PHONE_COLUMN", json!(1), 0),
        (b"PK\x03\x04 a spreadsheet", "NOT_TEXT", Value::Null, 0),
        (&[0; 5_000], "NO_PHONE_COLUMN", json!(1), 0),
        (
            b"phone,name\n+4915117404120,x\n+4915117404121,\"y\n",
            "UNCLOSED_QUOTE",
            json!(3),
            1,
        ),
        (b"\"phone", "UNCLOSED_QUOTE", json!(1), 0),
        (&long, "RECORD_TOO_LONG", json!(3), 1),
        (&wide, "TOO_MANY_COLUMNS", json!(3), 1),
        (&wide_header, "TOO_MANY_COLUMNS", json!(1), 0),
    ];
    for (content, code, row, valid) in cases {
        let import = fate_of(&town, content).await;
        assert_eq!(
            (&import["state"], &import["error"]["code"]),
            (&json!("failed"), &json!(code)),
            "{import:#}"
        );
        assert_eq!(
            (&import["error"]["row"], &import["counts"]["valid"]),
            (&row, &json!(valid)),
            "{code}"
        );
    }
}

#[tokio::test]
async fn more_rows_than_accepted_fail_after_those_accepted() {
    let town = Town::asleep(|config| config.import_most_rows = 3).await.wake();
    let import = fate_of(&town, b"phone\n1\n2\n3\n4\n").await;
    assert_eq!(
        (&import["error"]["code"], &import["error"]["row"]),
        (&json!("TOO_MANY_ROWS"), &json!(5))
    );
    assert_eq!(import["counts"]["invalid_phone"], 3);
    let import = fate_of(&town, b"phone\n1\n2\n3\n").await;
    assert_eq!(import["state"], "done_with_errors");
}

#[tokio::test]
async fn zero_bytes_wide_characters_and_rubbish_are_rows_like_others() {
    let town = Town::awake().await;
    let import = fate_of(
        &town,
        b"phone,name\n+4915117404120,A\0da\n+49\x0015117404121,\xff\xfe\n",
    )
    .await;
    assert_eq!(import["state"], "done_with_errors", "{import:#}");
    assert_eq!(
        town.count("SELECT count(*) FROM broadcast.recipients WHERE name = 'Ada'")
            .await,
        1
    );

    let text = "phone;name\n+4915117404120;Zoë\n";
    let wide: Vec<u8> = [0xfeff_u16]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_be_bytes)
        .collect();
    let import = fate_of(&town, &wide).await;
    assert_eq!(
        (&import["state"], &import["encoding"]),
        (&json!("done"), &json!("utf-16be"))
    );
    assert_eq!(
        town.count("SELECT count(*) FROM broadcast.recipients WHERE name = 'Zoë'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_formula_does_not_come_back_as_one() {
    let town = Town::awake().await;
    let owner = town.owner();
    let file =
        "phone\n\"=HYPERLINK(\"\"http://evil.example\"\",\"\"x\"\")\"\n@SUM(1)\n-\n+254712\n\"a\nb\"\n";
    let import = owner.import(file.as_bytes()).await;
    assert_eq!(import["counts"]["invalid_phone"], 5);
    let errors = owner
        .get(&format!("/imports/{}/errors.csv", import["id"].as_str().unwrap()))
        .await
        .text();
    let expected = "row,class,value\r\n\
        2,invalid_phone,\"'=HYPERLINK(\"\"http://evil.example\"\",\"\"x\"\")\"\r\n\
        3,invalid_phone,'@SUM(1)\r\n\
        4,invalid_phone,'-\r\n\
        5,invalid_phone,+254712\r\n\
        6,invalid_phone,\"a\nb\"\r\n";
    assert_eq!(errors, expected);
}

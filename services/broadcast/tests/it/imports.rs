//! Imports: counts that are exact whatever happens on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{StatusCode, header};
use plaza_contracts::permissions::ViewRecipients;
use plaza_testkit::{Mounted, Permit, callers};
use serde_json::{Value, json};

use crate::town::{API, Town, id_of, testdata, truth};

fn whole_counts() -> Value {
    json!({"valid": 9500, "duplicate": 184, "missing_phone": 102, "invalid_phone": 154, "damaged_by_spreadsheet": 60})
}

#[tokio::test]
async fn the_export_becomes_what_the_truth_says() {
    let town = Town::awake().await;
    let owner = town.owner();
    let file = std::fs::read(testdata("recipients-10k.csv")).unwrap();

    let reply = owner
        .upload(&file, None)
        .await
        .assert_status(StatusCode::ACCEPTED);
    let id = id_of(&reply);
    assert_eq!(reply.headers[header::LOCATION], format!("{API}/imports/{id}"));
    let import = owner.end_of_import(&id).await;

    assert_eq!(import["state"], "done_with_errors");
    assert_eq!(import["counts"], whole_counts());
    assert_eq!(
        (&import["rows_done"], &import["bytes_done"]),
        (&json!(10_000), &import["bytes_total"])
    );
    assert_eq!(
        (&import["encoding"], &import["delimiter"]),
        (&json!("utf-8"), &json!(","))
    );
    assert_eq!(import["mapping"]["phone"], "mobile");

    let expected: Vec<(i64, String)> = truth()
        .into_iter()
        .filter(|t| t.class != "valid")
        .map(|t| (t.row, t.class))
        .collect();
    assert_eq!(errors_of(&town, &owner, &id).await, expected);

    let admin = town.database.admin().await;
    let rows = admin
        .query("SELECT phone, import_row FROM broadcast.recipients", &[])
        .await
        .unwrap();
    let found: BTreeSet<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let valid: BTreeSet<(String, i64)> = truth()
        .into_iter()
        .filter(|t| t.class == "valid")
        .map(|t| (t.e164, t.row))
        .collect();
    assert_eq!(found, valid);
    assert_eq!(
        town.count("SELECT count(*) FROM broadcast.recipients WHERE consent = 'granted'")
            .await,
        7_143
    );
    assert_eq!(uploads(&town), 0, "a file that was read is not kept");
}

async fn errors_of(_: &Town, owner: &crate::town::Owner, id: &str) -> Vec<(i64, String)> {
    let reply = owner.get(&format!("/imports/{id}/errors.csv")).await.assert_ok();
    assert_eq!(reply.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    let text = reply.text();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("row,class,value"));
    let rows = lines.map(|line| {
        let mut cells = line.splitn(3, ',');
        (
            cells.next().unwrap().parse().unwrap(),
            cells.next().unwrap().to_owned(),
        )
    });
    rows.collect()
}

fn uploads(town: &Town) -> usize {
    let mut found = 0;
    for tenant in std::fs::read_dir(town.objects.path().join("imports"))
        .into_iter()
        .flatten()
        .flatten()
    {
        found += std::fs::read_dir(tenant.path()).unwrap().count();
    }
    found
}

#[tokio::test]
async fn a_latin_file_with_german_headers_is_imported() {
    let town = Town::awake().await;
    let owner = town.owner();
    let import = owner
        .import(&std::fs::read(testdata("recipients-semicolon-latin1.csv")).unwrap())
        .await;
    assert_eq!(
        (&import["state"], &import["rows_done"]),
        (&json!("done"), &json!(200))
    );
    assert_eq!(
        (&import["encoding"], &import["delimiter"]),
        (&json!("windows-1252"), &json!(";"))
    );
    let fields = json!({"phone": "Telefon", "country": "Land", "name": "Name"});
    assert_eq!(import["mapping"], fields);
    let named =
        "SELECT count(*) FROM broadcast.recipients WHERE name = 'Elenore Fröhlich B.Sc.' AND country = 'DE'";
    assert_eq!(town.count(named).await, 1);
    assert_eq!(
        town.count("SELECT count(*) FROM broadcast.recipients WHERE consent = 'unknown'")
            .await,
        200
    );
}

#[tokio::test]
async fn an_import_that_is_killed_again_and_again_still_counts_exactly() {
    let town = Town::asleep(|config| config.import_batch_rows = 100).await;
    let owner = town.owner();
    let file = std::fs::read(testdata("recipients-10k.csv")).unwrap();
    let id = id_of(&owner.upload(&file, None).await.assert_ok());
    let path = format!("/imports/{id}");

    let mut kills_in_the_middle = 0;
    for pause in [90, 130, 60, 200, 110, 150] {
        let victim = town.victim();
        let before = owner.get(&path).await.value()["rows_done"].as_i64().unwrap();
        // The lease of the one killed before has to run out first; then some batches are written.
        plaza_testkit::eventually(Duration::from_secs(30), || async {
            owner.get(&path).await.value()["rows_done"].as_i64().unwrap() > before
        })
        .await;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        victim.kill();
        let after = owner.get(&path).await.value()["rows_done"].as_i64().unwrap();
        kills_in_the_middle += usize::from(after < 10_000);
        if after == 10_000 {
            break;
        }
    }
    assert!(
        kills_in_the_middle >= 3,
        "the kills came too late to mean anything"
    );

    let town = town.wake();
    let import = owner.end_of_import(&id).await;
    assert_eq!(
        (&import["state"], &import["counts"]),
        (&json!("done_with_errors"), &whole_counts())
    );
    let expected: Vec<(i64, String)> = truth()
        .into_iter()
        .filter(|t| t.class != "valid")
        .map(|t| (t.row, t.class))
        .collect();
    assert_eq!(errors_of(&town, &owner, &id).await, expected);
    assert_eq!(
        town.count("SELECT count(*) FROM broadcast.recipients").await,
        9_500
    );
    let completed = "SELECT count(*) FROM broadcast.outbox WHERE name = 'broadcast.import.completed'";
    assert_eq!(town.count(completed).await, 1);
}

#[tokio::test]
async fn a_stopped_service_gives_its_lease_back() {
    let mut town = Town::asleep(|config| {
        config.import_batch_rows = 50;
        config.lease_seconds = 3_600;
    })
    .await
    .wake();
    let owner = town.owner();
    let file = std::fs::read(testdata("recipients-10k.csv")).unwrap();
    let id = id_of(&owner.upload(&file, None).await.assert_ok());
    owner
        .waited(&format!("/imports/{id}"), |state| state == "running")
        .await;
    town.stop().await;
    let leased = "SELECT count(*) FROM broadcast.imports WHERE lease_until IS NOT NULL";
    assert_eq!(town.count(leased).await, 0);
    let _town = town.wake();
    assert_eq!(owner.end_of_import(&id).await["counts"], whole_counts());
}

#[tokio::test]
async fn a_duplicate_is_known_however_far_apart_the_rows_are() {
    let town = Town::asleep(|config| config.import_batch_rows = 1).await.wake();
    let owner = town.owner();
    let import = owner
        .import(b"name,phone\nAda,+4915117404120\nBob,+4915117404121\nAda again,01511 7404120\n")
        .await;
    assert_eq!(
        import["counts"]["duplicate"], 0,
        "no country says where the third belongs to"
    );
    let import = owner
        .import(b"name,phone,country\nAda,+4915117404120,DE\nBob,+4915117404121,\nEve,01511 7404120,DE\n")
        .await;
    assert_eq!(
        (&import["counts"]["valid"], &import["counts"]["duplicate"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        town.count("SELECT count(*) FROM broadcast.recipients WHERE name = 'Ada'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_known_number_is_updated_and_what_a_file_does_not_say_is_kept() {
    let town = Town::awake().await;
    let owner = town.owner();
    let ada = json!({"phone": "+4915117404120", "name": "Ada", "external_id": "C1", "opted_in": true,
                     "attrs": {"city": "Kehl", "tier": "gold"}});
    let id = id_of(&owner.post("/recipients", &ada).await.assert_ok());
    let import = owner
        .import(b"phone,city,locale\n+49 1511 7404120,Bonn,de\n")
        .await;
    assert_eq!(
        (&import["state"], &import["counts"]["valid"]),
        (&json!("done"), &json!(1))
    );

    let ada = owner.get(&format!("/recipients/{id}")).await.assert_ok().value();
    assert_eq!(
        (&ada["name"], &ada["external_id"], &ada["locale"]),
        (&json!("Ada"), &json!("C1"), &json!("de"))
    );
    assert_eq!(ada["attrs"], json!({"city": "Bonn", "tier": "gold"}));
    assert_eq!(
        (&ada["consent"], &ada["consent_source"]),
        (&json!("granted"), &json!("api"))
    );

    let import = owner.import(b"phone,consent\n+4915117404120,nein\n").await;
    let ada = owner.get(&format!("/recipients/{id}")).await.assert_ok().value();
    let source = format!("import:{}", import["id"].as_str().unwrap());
    assert_eq!(
        (&ada["consent"], &ada["consent_source"]),
        (&json!("refused"), &json!(source))
    );
}

#[tokio::test]
async fn two_imports_of_one_tenant_do_not_mix_their_numbers() {
    let town = Town::asleep(|config| {
        config.import_batch_rows = 50;
        config.turn_batches = 2;
    })
    .await;
    let (owner, rival) = (town.owner(), town.owner());
    let file = std::fs::read(testdata("recipients-10k.csv")).unwrap();
    let first = id_of(&owner.upload(&file, None).await.assert_ok());
    let second = id_of(&owner.upload(&file, None).await.assert_ok());
    let third = id_of(&rival.upload(&file, None).await.assert_ok());
    let town = town.wake();
    for (owner, id) in [(&owner, &first), (&owner, &second), (&rival, &third)] {
        assert_eq!(owner.end_of_import(id).await["counts"], whole_counts());
    }
    assert_eq!(
        town.count("SELECT count(*) FROM broadcast.recipients").await,
        19_000
    );
}

#[tokio::test]
async fn a_mapping_decides_over_what_the_header_looks_like() {
    let town = Town::awake().await;
    let owner = town.owner();
    let file = "Festnetz|Rufnummer 2|Wer\n+4930123456|01511 7404120|J\u{fc}rgen\n";
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(file);
    let mapping = json!({"phone": "Rufnummer 2", "name": "Wer", "default_country": "DE", "delimiter": "|",
                         "encoding": "latin1"});
    let id = id_of(&owner.upload(&latin, Some(mapping)).await.assert_ok());
    assert_eq!(owner.end_of_import(&id).await["counts"]["valid"], 1);
    let person = owner.get("/recipients").await.value()["items"][0].clone();
    assert_eq!(
        (&person["phone"], &person["name"]),
        (&json!("+4915117404120"), &json!("J\u{fc}rgen"))
    );
    assert_eq!(person["attrs"], json!({"Festnetz": "+4930123456"}));
}

#[tokio::test]
async fn what_cannot_be_accepted_is_refused_and_leaves_nothing_behind() {
    let town = Town::asleep(|config| config.import_most_bytes = 1_000).await;
    let owner = town.owner();
    let path = format!("{API}/recipients/import");
    for mapping in [
        json!({"default_country": "QQ"}),
        json!({"fone": "x"}),
        json!([]),
        json!({"encoding": "klingon"}),
    ] {
        let reply = owner.upload(b"phone\n", Some(mapping)).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_MAPPING");
    }
    let large = owner.upload(&[b'x'; 1_001], None).await;
    large.assert_failed(StatusCode::PAYLOAD_TOO_LARGE, "IMPORT_TOO_LARGE");
    let stranger = owner
        .client
        .post_file(&path, "x", b"phone\n", &[("colour", "red")])
        .await;
    stranger.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "IMPORT_PARTS");
    let json = owner.client.post(&path, &json!({})).await;
    json.assert_failed(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(town.count("SELECT count(*) FROM broadcast.imports").await, 0);
    assert_eq!(uploads(&town), 0);
}

#[tokio::test]
async fn a_file_name_is_never_a_path() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    for name in ["../../x.csv", "/etc/passwd", "a\u{202e}vsc", &"x".repeat(300)] {
        let path = format!("{API}/recipients/import");
        let id = id_of(
            &owner
                .client
                .post_file(&path, name, b"phone\n", &[])
                .await
                .assert_ok(),
        );
        let expected = town
            .objects
            .path()
            .join("imports")
            .join(owner.tenant.to_string())
            .join(id);
        assert_eq!(std::fs::read(expected).unwrap(), b"phone\n");
    }
    assert_eq!(uploads(&town), 4);
}

#[tokio::test]
async fn an_import_of_somebody_else_is_not_there() {
    let town = Town::awake().await;
    let (owner, rival) = (town.owner(), town.owner());
    let import = owner.import(b"phone\n+4915117404120\n").await;
    let theirs = import["id"].as_str().unwrap();
    let random = plaza_kernel::Clock::system().uuid().to_string();
    for suffix in ["", "/errors.csv"] {
        for id in [theirs, random.as_str()] {
            let reply = rival.get(&format!("/imports/{id}{suffix}")).await;
            reply.assert_failed(StatusCode::NOT_FOUND, "IMPORT_NOT_FOUND");
        }
    }
    assert!(rival.all("/imports").await.is_empty());
    assert!(
        rival
            .all(&format!("/recipients?import_id={theirs}"))
            .await
            .is_empty()
    );
    assert_eq!(owner.all("/imports").await.len(), 1);
}

#[tokio::test]
async fn who_may_only_look_cannot_import() {
    let town = Town::asleep(|_| {}).await;
    let mounted = Mounted::new(town.broadcast.http(Permit::only::<ViewRecipients>()));
    let member = mounted.as_caller(&callers::member(callers::tenant()));
    let reply = member
        .post_file(&format!("{API}/recipients/import"), "x", b"phone\n", &[])
        .await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    member.get(&format!("{API}/imports")).await.assert_ok();
    assert_eq!(town.count("SELECT count(*) FROM broadcast.imports").await, 0);
}

#[tokio::test]
async fn a_file_of_this_machine_is_imported_the_same_way() {
    let town = Town::awake().await;
    let owner = town.owner();
    let path = testdata("recipients-semicolon-latin1.csv");
    let import = town
        .broadcast
        .import_file(owner.tenant, &path, Default::default())
        .await
        .unwrap();
    assert_eq!(
        owner.end_of_import(&import.id.to_string()).await["counts"]["valid"],
        200
    );
    assert!(path.exists(), "the original stays");
}

#[tokio::test]
async fn an_old_upload_that_no_import_waits_for_is_swept_and_one_that_is_waited_for_is_not() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let id = id_of(&owner.upload(b"phone\n+4915117404120\n", None).await.assert_ok());
    let folder = town.objects.path().join("imports").join(owner.tenant.to_string());
    let orphan = folder.join(plaza_kernel::Clock::system().uuid().to_string());
    let cut = orphan.with_extension("part");
    let young = folder.join(plaza_kernel::Clock::system().uuid().to_string());
    for path in [&orphan, &cut, &young] {
        std::fs::write(path, b"phone\n").unwrap();
    }
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    for path in [&orphan, &cut, &folder.join(&id)] {
        std::fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(yesterday)
            .unwrap();
    }
    town.an_hour_passes().await;
    assert!(!orphan.exists() && !cut.exists());
    assert!(young.exists(), "it may still be on its way");
    let _town = town.wake();
    assert_eq!(owner.end_of_import(&id).await["counts"]["valid"], 1);
}

/// From now on whoever writes a recipient meets this.
async fn fault(town: &Town, sqlstate: &str) {
    let sql = format!(
        "CREATE OR REPLACE FUNCTION broadcast.fault() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$;
         CREATE OR REPLACE TRIGGER fault BEFORE INSERT ON broadcast.recipients EXECUTE FUNCTION broadcast.fault()"
    );
    town.database.admin().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn an_import_waits_for_a_disk_that_is_full_as_long_as_it_takes() {
    let town = Town::asleep(|config| config.attempts = 1).await;
    fault(&town, "53100").await;
    let owner = town.owner();
    let id = id_of(&owner.upload(b"phone\n+4915117404120\n", None).await.assert_ok());
    let town = town.wake();
    let tried = "SELECT count(*) FROM broadcast.imports WHERE updated_at > created_at + interval '2 s'";
    plaza_testkit::eventually(Duration::from_secs(20), || async { town.count(tried).await == 1 }).await;
    let counted = "SELECT max(attempts)::bigint FROM broadcast.imports";
    assert!(town.count(counted).await <= 1, "the one that goes on");
    let repaired = "DROP FUNCTION broadcast.fault CASCADE";
    town.database.admin().await.batch_execute(repaired).await.unwrap();
    assert_eq!(owner.end_of_import(&id).await["counts"]["valid"], 1);
}

#[tokio::test]
async fn a_file_that_ends_the_process_again_and_again_is_abandoned() {
    let town = Town::asleep(|config| config.attempts = 2).await;
    let owner = town.owner();
    // Where the process ends, nobody says so.
    let endless = "CREATE FUNCTION broadcast.fault() RETURNS trigger LANGUAGE plpgsql
                       AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;
                   CREATE TRIGGER fault BEFORE INSERT ON broadcast.recipients EXECUTE FUNCTION broadcast.fault()";
    town.database.admin().await.batch_execute(endless).await.unwrap();
    let id = id_of(&owner.upload(b"phone\n+4915117404120\n", None).await.assert_ok());
    // The first one gets on: it finds out what is in the file. From then on nobody does.
    for attempts in 0..=2 {
        let victim = town.victim();
        let at_it = format!(
            "SELECT count(*) FROM broadcast.imports
              WHERE lease_until > now() AND layout IS NOT NULL AND attempts = {attempts}"
        );
        plaza_testkit::eventually(Duration::from_secs(60), || async {
            town.count(&at_it).await == 1
        })
        .await;
        victim.kill();
    }
    let _town = town.wake();
    let import = owner.end_of_import(&id).await;
    assert_eq!(import["error"]["code"], "IMPORT_ABANDONED");
}

#[tokio::test]
async fn an_abandoned_import_keeps_its_upload_for_a_day() {
    let mut town = Town::asleep(|config| config.attempts = 2).await;
    fault(&town, "22000").await;
    let owner = town.owner();
    let id = id_of(&owner.upload(b"phone\n+4915117404120\n", None).await.assert_ok());
    town = town.wake();
    let import = owner.end_of_import(&id).await;
    assert_eq!(import["error"]["code"], "IMPORT_ABANDONED");
    assert_eq!(
        town.count("SELECT attempts::bigint FROM broadcast.imports").await,
        2
    );
    town.an_hour_passes().await;
    assert_eq!(uploads(&town), 1, "somebody may want to look into it");
    let aged = "UPDATE broadcast.imports SET finished_at = finished_at - interval '25 h'";
    town.database.admin().await.batch_execute(aged).await.unwrap();
    town.an_hour_passes().await;
    assert_eq!(uploads(&town), 0);
}

#[tokio::test]
async fn what_a_crash_left_of_an_import_that_is_over_is_swept_within_the_hour() {
    let town = Town::awake().await;
    let owner = town.owner();
    let import = owner.import(b"phone\n+4915117404120\n").await;
    plaza_testkit::eventually(Duration::from_secs(10), || async { uploads(&town) == 0 }).await;
    let folder = town.objects.path().join("imports").join(owner.tenant.to_string());
    let left = folder.join(import["id"].as_str().unwrap());
    let on_its_way = folder.join(plaza_kernel::Clock::system().uuid().to_string());
    for path in [&left, &on_its_way] {
        std::fs::write(path, b"phone\n").unwrap();
    }
    town.an_hour_passes().await;
    assert!(!left.exists() && on_its_way.exists());
}

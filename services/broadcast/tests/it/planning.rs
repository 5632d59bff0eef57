//! Planning: one plan row and at most one message per recipient, whatever happens on the way.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use plaza_contracts::events::MessageContent;
use serde_json::{Value, json};

use crate::town::{Owner, Town, id_of, testdata};

/// Somebody of every kind, and their reasons.
pub(crate) async fn people(town: &Town, owner: &Owner) -> BTreeMap<String, &'static str> {
    town.notification.says(|says| {
        says.suppressed.insert("+4915117404123".to_owned());
    });
    let mut reasons = BTreeMap::new();
    for (new, reason) in [
        (
            json!({"phone": "+4915117404120", "name": "Ada\nLovelace", "opted_in": true}),
            "send",
        ),
        (
            json!({"phone": "+4915117404121", "name": "Bob", "opted_in": false}),
            "no_consent",
        ),
        (json!({"phone": "+4915117404122", "name": "Eve"}), "no_consent"),
        (
            json!({"phone": "+4915117404123", "name": "Sue", "opted_in": true}),
            "suppressed",
        ),
        (
            json!({"external_id": "C1", "name": "Ned", "opted_in": true}),
            "no_phone",
        ),
        (
            json!({"phone": "+4915117404124", "opted_in": true}),
            "missing_value",
        ),
    ] {
        let mut new = new;
        if new["name"] == "Ada\nLovelace" {
            new["name"] = json!("Ada {{2}}  Lovelace");
        }
        reasons.insert(id_of(&owner.post("/recipients", &new).await.assert_ok()), reason);
    }
    reasons
}

fn reasons_of(rows: &[Value]) -> BTreeMap<String, &str> {
    rows.iter()
        .map(|row| {
            (
                row["recipient_id"].as_str().unwrap().to_owned(),
                row["reason"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn everybody_gets_one_row_with_the_reason() {
    let town = Town::awake().await;
    let (owner, rival) = (town.owner(), town.owner());
    let expected = people(&town, &owner).await;
    rival
        .post(
            "/recipients",
            &json!({"phone": "+4915117404129", "opted_in": true}),
        )
        .await
        .assert_ok();
    let id = owner.campaign().await;
    owner.send(&id).await.assert_ok();
    let campaign = owner
        .waited(&format!("/campaigns/{id}"), |state| state == "running")
        .await;

    let planned = json!({"send": 1, "no_consent": 2, "suppressed": 1, "no_phone": 1, "missing_value": 1});
    assert_eq!(campaign["planned"], planned);
    let rows = owner.all(&format!("/campaigns/{id}/plan")).await;
    assert_eq!((rows.len(), reasons_of(&rows)), (expected.len(), expected));
    assert_eq!(
        owner
            .all(&format!("/campaigns/{id}/plan?reason=no_consent"))
            .await
            .len(),
        2
    );
    assert_eq!(owner.all(&format!("/campaigns/{id}/exclusions")).await.len(), 5);

    let messages = town.messages().await;
    assert_eq!(messages.len(), 1);
    assert_eq!(
        (messages[0].to.as_str(), messages[0].channel.as_str()),
        ("+4915117404120", "whatsapp")
    );
    let content = MessageContent::Template {
        name: "hello".to_owned(),
        language: "en".to_owned(),
        // A value is text, never a place.
        body: vec!["Ada {{2}} Lovelace".to_owned()],
        header: None,
        buttons: vec![],
    };
    assert_eq!(messages[0].content, content);
    assert_eq!(messages[0].class.as_deref(), Some("marketing"));
    let row = rows.iter().find(|row| row["reason"] == "send").unwrap();
    assert_eq!(row["message_id"], messages[0].message_id.to_string());
}

#[tokio::test]
async fn a_planner_that_is_killed_again_and_again_sends_to_everybody_once() {
    let town = Town::asleep(|config| config.planner_batch = 50).await;
    let owner = town.owner();
    let file = std::fs::read(testdata("recipients-10k.csv")).unwrap();
    let importer = town.victim();
    owner.import(&file).await;
    importer.kill();
    let id = owner.campaign().await;
    owner.send(&id).await.assert_ok();
    let planned = || async { town.count("SELECT count(*) FROM broadcast.plan").await };

    let mut kills_in_the_middle = 0;
    for pause in [40, 90, 20, 130, 60] {
        let (before, victim) = (planned().await, town.victim());
        plaza_testkit::eventually(Duration::from_secs(30), || async { planned().await > before }).await;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        victim.kill();
        kills_in_the_middle += usize::from(planned().await < 9_500);
    }
    assert!(
        kills_in_the_middle >= 3,
        "the kills came too late to mean anything"
    );

    let town = town.wake();
    let campaign = owner
        .waited(&format!("/campaigns/{id}"), |state| state == "running")
        .await;
    assert_eq!(campaign["planned"], json!({"send": 7_143, "no_consent": 2_357}));
    assert_eq!(town.count("SELECT count(*) FROM broadcast.plan").await, 9_500);
    let sent = town.sent().await;
    assert!(sent.iter().all(|event| (1..=50).contains(&event.messages.len())));
    let shards: HashSet<u32> = sent.iter().map(|event| event.shard).collect();
    assert_eq!(shards.len(), sent.len(), "every part has a number of its own");
    let messages = town.messages().await;
    assert_eq!(messages.len(), 7_143);
    assert_eq!(
        messages
            .iter()
            .map(|message| &message.to)
            .collect::<HashSet<_>>()
            .len(),
        7_143
    );
    let ids: HashSet<String> = messages
        .iter()
        .map(|message| message.message_id.to_string())
        .collect();
    let rows = town.database.admin().await;
    let rows = rows
        .query(
            "SELECT message_id::text FROM broadcast.plan WHERE reason = 'send'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        rows.iter().map(|row| row.get(0)).collect::<HashSet<String>>(),
        ids
    );
}

#[tokio::test]
async fn who_comes_after_sending_began_is_not_included() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    owner
        .post(
            "/recipients",
            &json!({"phone": "+4915117404120", "name": "Ada", "opted_in": true}),
        )
        .await
        .assert_ok();
    let id = owner.campaign().await;
    owner.send(&id).await.assert_ok();
    owner
        .post(
            "/recipients",
            &json!({"phone": "+4915117404121", "name": "Bob", "opted_in": true}),
        )
        .await
        .assert_ok();
    let town = town.wake();
    let campaign = owner
        .waited(&format!("/campaigns/{id}"), |state| state == "running")
        .await;
    assert_eq!(campaign["planned"], json!({"send": 1}));
    assert_eq!(town.messages().await[0].to, "+4915117404120");
}

#[tokio::test]
async fn planning_waits_while_notification_is_away() {
    let town = Town::awake().await;
    let owner = town.owner();
    people(&town, &owner).await;
    let id = owner.campaign().await;
    owner.send(&id).await.assert_ok();
    town.notification.says(|says| says.away = true);
    let second = id_of(
        &owner
            .post(
                "/campaigns",
                &json!({"name": "Later", "template_id": owner.all("/templates").await[0]["id"]}),
            )
            .await
            .assert_ok(),
    );
    assert_eq!(
        owner.send(&second).await.status,
        http::StatusCode::SERVICE_UNAVAILABLE
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    town.notification.says(|says| says.away = false);
    owner
        .waited(&format!("/campaigns/{id}"), |state| state == "running")
        .await;
    assert_eq!(town.messages().await.len(), 1);
    assert_eq!(
        owner.get(&format!("/campaigns/{second}")).await.value()["state"],
        "draft"
    );
}

#[tokio::test]
async fn an_audience_can_be_one_import_or_one_country() {
    let town = Town::awake().await;
    let owner = town.owner();
    owner
        .import(b"phone,name,opted_in\n+4915117404120,Ada,yes\n+27828552984,Thabo,yes\n")
        .await;
    let import = owner
        .import(b"phone,name,opted_in\n+4915117404121,Bob,yes\n")
        .await;
    let template = owner.template().await;
    for (audience, numbers) in [
        (json!({"import_id": import["id"]}), vec!["+4915117404121"]),
        (json!({"country": "South Africa"}), vec!["+27828552984"]),
    ] {
        let body = json!({"name": "Some", "template_id": template, "audience": audience});
        let id = id_of(&owner.post("/campaigns", &body).await.assert_ok());
        owner.send(&id).await.assert_ok();
        owner
            .waited(&format!("/campaigns/{id}"), |state| state == "running")
            .await;
        let sent = town.sent().await;
        let to: Vec<&str> = sent
            .iter()
            .filter(|event| event.campaign_id.to_string() == id)
            .flat_map(|event| &event.messages)
            .map(|message| message.to.as_str())
            .collect();
        assert_eq!(to, numbers);
    }
    let unknown = plaza_kernel::Clock::system().uuid();
    let body = json!({"name": "Some", "template_id": template, "audience": {"import_id": unknown}});
    let reply = owner.post("/campaigns", &body).await;
    reply.assert_failed(http::StatusCode::NOT_FOUND, "IMPORT_NOT_FOUND");
}

#[tokio::test]
async fn the_reasons_of_notification_are_those_of_the_plan() {
    let town = Town::awake().await;
    let owner = town.owner();
    let mut file = String::from("phone,name,opted_in\n");
    for number in 0..4 {
        file += &format!("+491511740412{number},Ada,yes\n");
    }
    owner.import(file.as_bytes()).await;
    town.notification.says(|says| {
        says.suppressed.insert("+4915117404120".to_owned());
        let reasons = [
            ("+4915117404121", "frequency_cap"),
            ("+4915117404122", "wa_unreachable"),
        ];
        says.reasons = reasons
            .map(|(phone, reason)| (phone.to_owned(), reason.to_owned()))
            .into();
    });
    let id = owner.campaign().await;
    let expected = json!({"send": 1, "suppressed": 1, "frequency_cap": 1, "wa_unreachable": 1});
    let preview = owner.ask(&id, "preview").await.assert_ok().value();
    assert_eq!(preview["by_reason"], expected);
    owner.send(&id).await.assert_ok();
    assert_eq!(owner.until(&id, "running").await["planned"], expected);
    assert_eq!(town.messages().await[0].to, "+4915117404123");
}

#[tokio::test]
async fn one_person_in_two_spellings_gets_one_message() {
    // Each in a batch of their own.
    let town = Town::asleep(|config| config.planner_batch = 1).await.wake();
    let owner = town.owner();
    owner
        .import(b"phone,name,opted_in\n+5511987654321,Ana,yes\n+4915117404120,Ada,yes\n")
        .await;
    // By hand: a number that is dialled like this no more.
    let twin = "INSERT INTO broadcast.recipients (tenant_id, id, phone, name, consent, created_at, updated_at)
                SELECT tenant_id, 'ffffffff-ffff-7fff-bfff-ffffffffffff', '+551187654321', 'Ana', 'granted', now(), now()
                  FROM broadcast.recipients LIMIT 1";
    town.database.admin().await.batch_execute(twin).await.unwrap();
    let id = owner.campaign().await;
    let expected = json!({"send": 2, "duplicate": 1});
    let preview = owner.ask(&id, "preview").await.assert_ok().value();
    assert_eq!(preview["by_reason"], expected);
    owner.send(&id).await.assert_ok();
    assert_eq!(owner.until(&id, "running").await["planned"], expected);
    let mut to: Vec<String> = town
        .messages()
        .await
        .into_iter()
        .map(|message| message.to)
        .collect();
    to.sort();
    assert_eq!(to, ["+4915117404120", "+5511987654321"]);
}

#[tokio::test]
async fn whose_text_is_longer_than_an_sms_can_be_gets_none() {
    let town = Town::awake().await;
    let owner = town.owner();
    for (phone, long) in [
        ("+4915117404120", "x".repeat(500)),
        ("+4915117404121", "x".repeat(300)),
    ] {
        let person = json!({"phone": phone, "opted_in": true, "attrs": {"long": long}});
        owner.post("/recipients", &person).await.assert_ok();
    }
    let template = json!({"name": "long", "language": "en", "category": "MARKETING",
        "body": "{{1}}{{2}}{{3}}{{4}}", "variables": ["attrs.long", "attrs.long", "attrs.long", "attrs.long"]});
    let template = id_of(&owner.post("/templates", &template).await.assert_ok());
    let body = json!({"name": "Long", "template_id": template, "channel": "sms"});
    let id = id_of(&owner.post("/campaigns", &body).await.assert_ok());
    owner.send(&id).await.assert_ok();
    let running = owner.until(&id, "running").await;
    assert_eq!(running["planned"], json!({"send": 1, "too_long": 1}));
    let rows = owner.all(&format!("/campaigns/{id}/plan?reason=too_long")).await;
    assert_eq!(rows.len(), 1);
}

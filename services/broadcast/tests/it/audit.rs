//! What people do with campaigns is in the tenant's audit, and tells no number and no text.

use http::StatusCode;
use plaza_audit::{AuditFilter, list};
use plaza_contracts::services::BROADCAST;
use plaza_kernel::PageQuery;
use serde_json::{Value, json};

use crate::town::{Owner, Town, id_of};

/// What was done, oldest first.
async fn told(town: &Town, owner: &Owner) -> Vec<Value> {
    let database = town.database.of(BROADCAST);
    let all = list(
        &database,
        owner.tenant.into(),
        &AuditFilter::default(),
        PageQuery::default(),
    )
    .await;
    let items = all.unwrap().items;
    items.iter().rev().map(plaza_audit::AuditRow::to_json).collect()
}

fn actions(all: &[Value]) -> Vec<&str> {
    all.iter().map(|row| row["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_done_with_a_campaign_is_told_step_by_step() {
    let town = Town::awake().await;
    let owner = town.owner();
    let id = owner.running().await;
    owner.ask(&id, "cancel").await.assert_status(StatusCode::ACCEPTED);
    owner.until(&id, "cancelled").await;
    // A second time it is refused, and not told as done.
    owner
        .ask(&id, "cancel")
        .await
        .assert_failed(StatusCode::CONFLICT, "CAMPAIGN_STATE");
    let gone = owner.delete(&format!("/campaigns/{id}")).await;
    gone.assert_status(StatusCode::NO_CONTENT);

    let all = told(&town, &owner).await;
    let of_campaign: Vec<Value> = all
        .into_iter()
        .filter(|row| row["target"]["kind"] == "campaign")
        .collect();
    assert_eq!(
        actions(&of_campaign),
        [
            "campaigns.create",
            "campaigns.send",
            "campaigns.cancel",
            "campaigns.delete"
        ]
    );
    let states: Vec<&str> = of_campaign
        .iter()
        .map(|row| row["after"]["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["draft", "planning", "cancelling", "cancelled"]);
    assert!(of_campaign.iter().all(|row| row["target"]["id"] == json!(id)));
}

#[tokio::test]
async fn an_import_is_told_with_its_begin_and_its_end_and_no_number_of_its_rows() {
    let town = Town::awake().await;
    let owner = town.owner();
    let file = b"name,phone,opted_in\nAda,+4915117404120,yes\nBen,12,yes\n";
    let import = owner.import(file).await;
    assert_eq!(import["state"], "done_with_errors");
    let broken = owner.import(b"name\nAda\n").await;
    assert_eq!(broken["state"], "failed");

    let all = told(&town, &owner).await;
    let imports: Vec<&Value> = all
        .iter()
        .filter(|row| row["target"]["kind"] == "import")
        .collect();
    let steps: Vec<(&str, &Value)> = imports
        .iter()
        .map(|row| (row["action"].as_str().unwrap(), &row["target"]["id"]))
        .collect();
    assert_eq!(
        steps,
        [
            ("imports.create", &import["id"]),
            ("imports.end", &import["id"]),
            ("imports.create", &broken["id"]),
            ("imports.end", &broken["id"]),
        ]
    );
    let end = json!({"state": "done_with_errors", "dry_run": false, "valid": 1, "errors": 1});
    assert_eq!(imports[1]["after"], end);
    assert_eq!(
        (&imports[1]["actor"]["kind"], &imports[1]["actor"]["role"]),
        (&json!("service"), &json!("broadcast"))
    );
    assert_eq!(imports[3]["after"]["state"], "failed");
    let text = Value::from(all).to_string();
    assert!(!text.contains("4915117404120") && !text.contains("Ada"), "{text}");
}

#[tokio::test]
async fn of_people_and_texts_only_ids_are_told() {
    let town = Town::awake().await;
    let owner = town.owner();
    let person = json!({"phone": "+4915112345678", "name": "Ada Canary"});
    let made = owner
        .post("/recipients", &person)
        .await
        .assert_status(StatusCode::CREATED);
    let id = id_of(&made);
    let again = owner.post("/recipients", &person).await;
    again.assert_failed(StatusCode::CONFLICT, "RECIPIENT_EXISTS");
    owner.template().await;
    let gone = owner.delete(&format!("/recipients/{id}")).await;
    gone.assert_status(StatusCode::NO_CONTENT);

    let all = told(&town, &owner).await;
    assert_eq!(
        actions(&all),
        ["recipients.create", "templates.create", "recipients.delete"]
    );
    assert_eq!(all[0]["target"], json!({"kind": "recipient", "id": id}));
    let text = Value::from(all).to_string();
    assert!(
        !text.contains("12345678") && !text.contains("Canary") && !text.contains("Hello"),
        "{text}"
    );
}

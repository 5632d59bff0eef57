//! Logs: notification's messages with our recipients' names.

use http::StatusCode;
use plaza_contracts::proto::notification::Message;
use serde_json::json;

use crate::town::Town;

fn message(id: &str, campaign: &str) -> Message {
    Message {
        message_id: id.to_owned(),
        source: format!("campaign:{campaign}"),
        channel: "whatsapp".to_owned(),
        to: "+4915117404120".to_owned(),
        state: "delivered".to_owned(),
        provider_id: "wamid.1".to_owned(),
        attempts: 1,
        created_at: "2027-01-15T08:00:00Z".to_owned(),
        updated_at: "2027-01-15T08:00:00Z".to_owned(),
        ..Message::default()
    }
}

#[tokio::test]
async fn a_log_entry_knows_whose_message_it_was() {
    let town = Town::awake().await;
    let owner = town.owner();
    let ada = json!({"phone": "+4915117404120", "name": "Ada", "opted_in": true});
    owner.post("/recipients", &ada).await.assert_ok();
    let id = owner.campaign().await;
    owner.send(&id).await.assert_ok();
    owner
        .waited(&format!("/campaigns/{id}"), |state| state == "running")
        .await;
    let sent = town.messages().await[0].message_id.to_string();
    let other = plaza_kernel::Clock::system().uuid().to_string();
    let cursor = plaza_kernel::Cursor::after(other.parse::<uuid::Uuid>().unwrap()).to_string();
    town.notification.says(|says| {
        says.messages = vec![message(&other, &id)];
        says.next_cursor = cursor.clone();
    });

    let query = format!("/logs?campaign_id={id}&state=delivered&limit=1");
    let page = owner.get(&query).await.assert_ok().value();
    assert_eq!(page["items"][0]["message_id"], other);
    assert_eq!(page["items"][0].get("recipient_name"), None);
    let next = format!("{query}&cursor={}", page["next_cursor"].as_str().unwrap());
    town.notification.says(|says| {
        says.messages = vec![message(&sent, &id)];
        says.next_cursor = String::new();
    });
    let page = owner.get(&next).await.assert_ok().value();
    let entry = &page["items"][0];
    assert_eq!(
        (&entry["recipient_name"], &entry["state"]),
        (&json!("Ada"), &json!("delivered"))
    );
    assert_eq!(
        (&entry["campaign_id"], entry.get("error_code")),
        (&json!(id), None)
    );

    town.notification.says(|says| {
        let asked = &says.asked[1];
        assert_eq!(
            (asked.tenant_id.as_str(), asked.cursor.as_str()),
            (&*owner.tenant.to_string(), &*cursor)
        );
        assert_eq!(
            (asked.source.as_str(), asked.state.as_str(), asked.limit),
            (&*format!("campaign:{id}"), "delivered", 1)
        );
        says.away = true;
    });
    assert_eq!(owner.get("/logs").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let unknown = owner.get("/logs?state=lost").await;
    unknown.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
}

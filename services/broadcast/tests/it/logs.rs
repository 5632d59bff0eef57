//! Logs: notification's messages with our recipients' names.

use http::StatusCode;
use plaza_contracts::proto::notification::Message;
use serde_json::json;

use crate::town::{Town, id_of};

pub(crate) fn message(id: &str, campaign: &str) -> Message {
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

#[tokio::test]
async fn a_log_is_narrowed_by_everything_that_a_message_is_known_by() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let query = "/logs?source=order:1&state=failed&to=%2B4915117404120&error_code=131026&channel=sms\
                 &from=2027-01-15T08:00:00Z&until=2027-01-16T08:00:00.5Z";
    owner.get(query).await.assert_ok();
    owner.get("/logs?to=+4915117404120").await.assert_ok();
    town.notification.says(|says| {
        let asked = &says.asked[0];
        assert_eq!(
            (
                asked.source.as_str(),
                asked.state.as_str(),
                asked.channel.as_str()
            ),
            ("order:1", "failed", "sms")
        );
        assert_eq!(
            (asked.to.as_str(), asked.error_code.as_str()),
            ("+4915117404120", "131026")
        );
        assert_eq!(
            (asked.from.as_str(), asked.until.as_str()),
            ("2027-01-15T08:00:00Z", "2027-01-16T08:00:00.500Z")
        );
        assert!(asked.message_ids.is_empty());
        assert_eq!(says.asked[1].to, "+4915117404120", "a plus that nobody encoded");
    });
    let id = uuid::Uuid::nil();
    for wrong in [
        "from=yesterday",
        &format!("source=order:1&campaign_id={id}"),
        &format!("source={}", "x".repeat(201)),
        "source=a%20b",
        "to=Ada",
        "to=015117404120",
        "error_code=a%20b",
        &format!("error_code={}", "1".repeat(65)),
        "channel=pigeon",
        "recipient_id=7",
    ] {
        let refused = owner.get(&format!("/logs?{wrong}")).await;
        refused.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
    }
}

#[tokio::test]
async fn a_log_is_narrowed_to_a_recipient_whatever_number_and_campaign_it_was() {
    let town = Town::awake().await;
    let owner = town.owner();
    let mut recipients = Vec::new();
    for (phone, name) in [("+4915117404120", "Ada"), ("+4915117404121", "Bob")] {
        let person = json!({"phone": phone, "name": name, "opted_in": true});
        let made = owner.post("/recipients", &person).await.assert_ok().value();
        recipients.push(made["id"].as_str().unwrap().to_owned());
    }
    let template = owner.template().await;
    for _ in 0..2 {
        let body = json!({"name": "Spring", "template_id": template});
        let id = id_of(&owner.post("/campaigns", &body).await.assert_ok());
        owner.send(&id).await.assert_ok();
        owner
            .waited(&format!("/campaigns/{id}"), |state| state == "running")
            .await;
    }
    let to_ada: Vec<String> = town
        .messages()
        .await
        .iter()
        .filter(|message| message.to == "+4915117404120")
        .map(|message| message.message_id.to_string())
        .collect();
    assert_eq!(to_ada.len(), 2);
    owner
        .get(&format!("/logs?recipient_id={}&state=delivered", recipients[0]))
        .await
        .assert_ok();
    let stranger = plaza_kernel::Clock::system().uuid();
    let page = owner
        .get(&format!("/logs?recipient_id={stranger}"))
        .await
        .assert_ok()
        .value();
    assert_eq!(page, json!({"items": []}));
    let rival = town.owner();
    let page = rival
        .get(&format!("/logs?recipient_id={}", recipients[0]))
        .await
        .assert_ok()
        .value();
    assert_eq!(page, json!({"items": []}), "who is another tenant's is nobody");
    town.notification.says(|says| {
        assert_eq!(says.asked.len(), 1, "there was nothing to ask for the others");
        let mut asked = says.asked[0].message_ids.clone();
        let mut expected = to_ada;
        asked.sort();
        expected.sort();
        assert_eq!((asked, says.asked[0].state.as_str()), (expected, "delivered"));
    });
}

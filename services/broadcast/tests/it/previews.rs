//! What a campaign would do: the same as it then does, and nothing of it is written.

use http::StatusCode;
use serde_json::json;

use crate::planning::people;
use crate::town::{Town, id_of};

#[tokio::test]
async fn a_preview_says_what_the_plan_will_say_and_writes_nothing() {
    let town = Town::awake().await;
    let owner = town.owner();
    people(&town, &owner).await;
    for number in 0..2 {
        let body = json!({"phone": format!("+491511740413{number}"), "name": "Max", "opted_in": true});
        owner.post("/recipients", &body).await.assert_ok();
    }
    town.notification.says(|says| {
        says.reasons
            .insert("+4915117404130".to_owned(), "frequency_cap".to_owned());
        says.reasons
            .insert("+4915117404131".to_owned(), "of_a_later_release".to_owned());
    });
    let id = owner.campaign().await;
    let before = owner.get(&format!("/campaigns/{id}")).await.value();
    let preview = owner
        .ask(&id, "preview")
        .await
        .assert_status(StatusCode::OK)
        .value();
    assert_eq!(
        (
            &preview["complete"],
            &preview["recipients"],
            preview.get("segments")
        ),
        (&json!(true), &json!(8), None)
    );
    assert_eq!(preview["by_reason"]["frequency_cap"], 1);
    assert_eq!(
        preview["by_reason"]["suppressed"], 2,
        "an unknown reason is one all the same"
    );
    let samples = preview["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 1);
    assert_eq!(
        (&samples[0]["to"], &samples[0]["text"]),
        (&json!("+49*********20"), &json!("Hello Ada {{2}} Lovelace!"))
    );
    assert_eq!(town.count("SELECT count(*) FROM broadcast.plan").await, 0);
    assert_eq!(owner.get(&format!("/campaigns/{id}")).await.value(), before);

    owner.send(&id).await.assert_ok();
    let running = owner.until(&id, "running").await;
    assert_eq!(running["planned"], preview["by_reason"]);
}

#[tokio::test]
async fn an_estimate_needs_no_campaign_and_counts_segments() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    for (number, name) in [
        (0, "Ada".to_owned()),
        (1, "x".repeat(170)),
        (2, "Zoë ☺".to_owned()),
    ] {
        let body = json!({"phone": format!("+491511740412{number}"), "name": name, "opted_in": true});
        owner.post("/recipients", &body).await.assert_ok();
    }
    let template = owner.template().await;
    let estimate = async |change: serde_json::Value| {
        let mut body = json!({"template_id": template});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        owner.post("/estimate", &body).await
    };
    let sms = estimate(json!({"channel": "sms"})).await.assert_ok().value();
    assert_eq!(
        (&sms["segments"], &sms["by_reason"]),
        (&json!(4), &json!({"send": 3}))
    );
    assert_eq!(sms["samples"].as_array().unwrap().len(), 3);
    let nobody = estimate(json!({"audience": {"country": "IS"}}))
        .await
        .assert_ok()
        .value();
    assert_eq!(
        (&nobody["recipients"], &nobody["by_reason"]),
        (&json!(0), &json!({}))
    );
    assert_eq!(nobody["complete"], true);

    let refused = estimate(json!({"class": "utility"})).await;
    refused.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
    let random = plaza_kernel::Clock::system().uuid();
    let refused = estimate(json!({"audience": {"import_id": random}})).await;
    refused.assert_failed(StatusCode::NOT_FOUND, "IMPORT_NOT_FOUND");
    let refused = town
        .owner()
        .post("/estimate", &json!({"template_id": template}))
        .await;
    refused.assert_failed(StatusCode::NOT_FOUND, "TEMPLATE_NOT_FOUND");
    town.notification.says(|says| says.away = true);
    assert_eq!(estimate(json!({})).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_number_is_hidden_wherever_it_stands() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let ada = json!({"phone": "+4915117404120", "opted_in": true});
    owner.post("/recipients", &ada).await.assert_ok();
    let template = json!({"name": "number", "language": "en", "category": "UTILITY", "body": "You are {{1}}",
        "variables": ["phone"]});
    let template = id_of(&owner.post("/templates", &template).await.assert_ok());
    let preview = owner
        .post("/estimate", &json!({"template_id": template}))
        .await
        .assert_ok();
    assert_eq!(preview.value()["samples"][0]["text"], "You are +49*********20");
    assert!(!preview.text().contains("4915117404120"));
}

#[tokio::test]
async fn a_tenant_asks_for_two_at_once_and_others_are_not_kept_waiting() {
    let town = Town::asleep(|_| {}).await;
    let (owner, other) = (town.owner(), town.owner());
    crate::campaigns::add_ada(&owner).await;
    town.notification
        .says(|says| says.looking_up = std::time::Duration::from_millis(500));
    let body = json!({"template_id": owner.template().await});
    let theirs = json!({"template_id": other.template().await});
    let ask = || owner.post("/estimate", &body);
    let (one, two, three, others) = tokio::join!(ask(), ask(), ask(), other.post("/estimate", &theirs));
    others.assert_ok();
    let mut statuses = [one, two, three].map(|reply| reply.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 429]);
    ask().await.assert_ok();
}

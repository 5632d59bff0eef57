//! Recipients by hand.

use http::StatusCode;
use serde_json::json;

use crate::town::{Town, id_of};

#[tokio::test]
async fn a_recipient_is_added_found_and_removed() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let new = json!({"phone": "01511 7404120", "country": "Deutschland", "name": "Ada", "opted_in": true});
    let reply = owner
        .post("/recipients", &new)
        .await
        .assert_status(StatusCode::CREATED);
    let ada = reply.value();
    assert_eq!(
        (&ada["phone"], &ada["country"]),
        (&json!("+4915117404120"), &json!("DE"))
    );
    assert_eq!(
        (&ada["consent"], &ada["consent_source"]),
        (&json!("granted"), &json!("api"))
    );

    let path = format!("/recipients/{}", id_of(&reply));
    assert_eq!(owner.get(&path).await.assert_ok().value()["name"], "Ada");
    assert_eq!(owner.all("/recipients?phone=%2B4915117404120").await.len(), 1);
    assert!(owner.all("/recipients?phone=%2B4915117404121").await.is_empty());

    let again = owner
        .post("/recipients", &json!({"phone": "+49 1511 7404120"}))
        .await;
    again.assert_failed(StatusCode::CONFLICT, "RECIPIENT_EXISTS");
    owner.delete(&path).await.assert_status(StatusCode::NO_CONTENT);
    owner
        .delete(&path)
        .await
        .assert_failed(StatusCode::NOT_FOUND, "RECIPIENT_NOT_FOUND");
    owner
        .post("/recipients", &new)
        .await
        .assert_status(StatusCode::CREATED);
}

#[tokio::test]
async fn a_recipient_of_somebody_else_is_not_there() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let new = json!({"phone": "+4915117404120"});
    let theirs = id_of(&owner.post("/recipients", &new).await.assert_ok());
    let random = plaza_kernel::Clock::system().uuid().to_string();
    let mut bodies = Vec::new();
    for id in [theirs.clone(), random] {
        let path = format!("/recipients/{id}");
        rival
            .delete(&path)
            .await
            .assert_failed(StatusCode::NOT_FOUND, "RECIPIENT_NOT_FOUND");
        let reply = rival
            .get(&path)
            .await
            .assert_failed(StatusCode::NOT_FOUND, "RECIPIENT_NOT_FOUND");
        let mut body = reply.value();
        body["request_id"].take();
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1], "a foreign id and a random one answer alike");
    rival
        .post("/recipients", &new)
        .await
        .assert_status(StatusCode::CREATED);
    owner.get(&format!("/recipients/{theirs}")).await.assert_ok();
}

#[tokio::test]
async fn what_is_not_acceptable_says_where() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let long = "x".repeat(201);
    for (body, pointer, code) in [
        (json!({}), "/phone", "MISSING_PHONE"),
        (json!({"phone": "call office"}), "/phone", "INVALID_PHONE"),
        (json!({"phone": "4.91517E+11"}), "/phone", "INVALID_PHONE"),
        (
            json!({"phone": "01511 7404120", "country": "Atlantis"}),
            "/country",
            "INVALID_COUNTRY",
        ),
        (
            json!({"external_id": "C1", "name": long}),
            "/name",
            "INVALID_LENGTH",
        ),
        (
            json!({"external_id": "C1", "name": "A\u{7}da"}),
            "/name",
            "INVALID_CHARACTER",
        ),
        (
            json!({"external_id": "C1", "attrs": {"city": "\u{1}"}}),
            "/attrs/city",
            "INVALID_CHARACTER",
        ),
    ] {
        let reply = owner.post("/recipients", &body).await;
        let errors = reply
            .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY")
            .value()["errors"]
            .clone();
        let found = errors.as_array().unwrap().iter();
        assert!(
            found
                .clone()
                .any(|e| e["pointer"] == pointer && e["code"] == code),
            "{body}: {errors:#}"
        );
    }
    let unknown = owner
        .post(
            "/recipients",
            &json!({"phone": "+4915117404120", "tenant_id": "x"}),
        )
        .await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    for query in [
        "limit=0",
        "limit=1000000000",
        "limit=-1",
        "cursor=x",
        "page=0",
        "page=999999999",
        "phone=x",
    ] {
        let reply = owner.get(&format!("/recipients?{query}")).await;
        reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
    }
}

#[tokio::test]
async fn pages_are_read_by_cursor_and_by_number() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    for n in 0..5 {
        let new = json!({"external_id": format!("C{n}")});
        owner.post("/recipients", &new).await.assert_ok();
    }
    let first = owner.get("/recipients?limit=2").await.assert_ok().value();
    let second = owner.get("/recipients?limit=2&page=2").await.assert_ok().value();
    let by_cursor = format!(
        "/recipients?limit=2&cursor={}",
        first["next_cursor"].as_str().unwrap()
    );
    assert_eq!(
        owner.get(&by_cursor).await.assert_ok().value()["items"],
        second["items"]
    );
    assert_eq!(first["items"][0]["external_id"], "C4", "newest first");
    let last = owner.get("/recipients?limit=2&page=3").await.assert_ok().value();
    assert_eq!(
        (last["items"].as_array().unwrap().len(), last.get("next_cursor")),
        (1, None)
    );
}

#[tokio::test]
async fn what_cannot_be_a_time_zone_is_none() {
    let town = Town::awake().await;
    let owner = town.owner();
    let long = "x".repeat(41);
    for zone in ["Z", "-", "Europe Berlin", "Zürich/See", &long] {
        let new = json!({"phone": "+4915117404120", "timezone": zone});
        let reply = owner.post("/recipients", &new).await;
        let reply = reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BODY");
        let error = &reply.value()["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!("/timezone"), &json!("INVALID_TIMEZONE"))
        );
    }
    let file = format!(
        "phone,timezone\n+4915117404120,Z\n+4915117404121,-\n+4915117404122,{long}\n+4915117404123,Europe/Berlin\n"
    );
    let import = owner.import(file.as_bytes()).await;
    assert_eq!(import["counts"]["valid"], 4);
    let zones: Vec<_> = owner
        .all("/recipients")
        .await
        .into_iter()
        .filter_map(|recipient| recipient.get("timezone").cloned())
        .collect();
    assert_eq!(zones, ["Europe/Berlin"]);
}

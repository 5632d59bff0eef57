//! Senders and their secrets.

use http::StatusCode;
use plaza_testkit::callers;
use serde_json::{Value, json};

use crate::stage::{ACCOUNT, Stage, create_sender, owner, quick};

const PATH: &str = "/api/v1/notifications/senders";
const SECRET: &str = "EAAG-secret-token";

#[tokio::test]
async fn a_secret_is_in_no_answer_and_sealed_in_the_database() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let body = json!({"name": " Second ", "phone_number_id": "42", "access_token": SECRET, "rate": 5});
    let made = stage
        .owner()
        .post(PATH, &body)
        .await
        .assert_status(StatusCode::CREATED);
    assert_eq!(
        (&made.value()["name"], &made.value()["rate"]),
        (&json!("Second"), &json!(5))
    );
    let one = stage
        .owner()
        .get(&format!("{PATH}/{}", made.value()["id"].as_str().unwrap()))
        .await
        .assert_ok();
    let list = stage.owner().get(PATH).await.assert_ok();
    let wrong = stage
        .owner()
        .post(
            PATH,
            &json!({"name": "", "phone_number_id": "x", "access_token": SECRET}),
        )
        .await;
    let taken = stage.owner().post(PATH, &body).await;
    for reply in [&made, &one, &list, &wrong, &taken] {
        assert!(
            !reply.text().contains(SECRET) && !reply.text().contains("access_token\":\"v"),
            "{reply}"
        );
    }
    let rows = stage.database.admin().await;
    for row in rows
        .query("SELECT access_token, s::text FROM notification.senders s", &[])
        .await
        .unwrap()
    {
        let (sealed, all): (String, String) = (row.get(0), row.get(1));
        assert!(sealed.starts_with("v2.") && !all.contains(SECRET), "{all}");
    }
}

#[tokio::test]
async fn making_a_sender_twice_under_one_key_makes_one() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let owner = stage.owner();
    let make = async |name: &str| {
        let body = json!({"name": name, "phone_number_id": "42", "access_token": SECRET});
        let mut request = http::Request::post(PATH).header("content-type", "application/json");
        request = request.header("idempotency-key", "k");
        owner.send(request.body(body.to_string().into()).unwrap()).await
    };
    let first = make("Second").await.assert_status(StatusCode::CREATED);
    let again = make("Second").await.assert_status(StatusCode::CREATED);
    assert_eq!(first.body, again.body);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = make("Third").await;
    other.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_MISMATCH");
}

#[tokio::test]
async fn a_sealed_secret_opens_in_its_own_row_only() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let other = create_sender(&stage.owner(), "Other", "42").await;
    stage
        .sql(&format!(
            "UPDATE notification.senders SET access_token =
               (SELECT access_token FROM notification.senders WHERE id = '{other}') WHERE id = '{}'",
            stage.sender
        ))
        .await;
    let id = stage.queue_one("+4915117404120").await;
    stage.start();
    let path = format!("{PATH}/{}", stage.sender);
    plaza_testkit::eventually(crate::stage::PATIENCE, || async {
        stage.owner().get(&path).await.value()["status"] == "needs_auth"
    })
    .await;
    assert_eq!(stage.state(id).await, "queued");
    let row = stage.database.admin().await;
    let leases: i64 = row
        .query_one("SELECT count(*) FROM notification.sender_leases", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(leases, 0, "nobody has to wait for the end of a lease");
}

#[tokio::test]
async fn an_account_has_one_sender_in_a_tenant_and_no_tenant_keeps_another_out() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let body =
        |name: &str, account: &str| json!({"name": name, "phone_number_id": account, "access_token": SECRET});
    let again = stage.owner().post(PATH, &body("Another", ACCOUNT)).await;
    again.assert_failed(StatusCode::CONFLICT, "ACCOUNT_TAKEN");
    let rival = owner(&stage.mounted, callers::tenant());
    let theirs = rival.post(PATH, &body("Shop", ACCOUNT)).await;
    let theirs = theirs.assert_status(StatusCode::CREATED).value();
    for (client, sender) in [(&rival, &theirs["id"]), (&stage.owner(), &json!(stage.sender))] {
        let list = client.get(PATH).await.assert_ok().value();
        let items = list["items"].as_array().unwrap();
        assert_eq!(items.iter().map(|item| &item["id"]).collect::<Vec<_>>(), [sender]);
    }
    stage
        .owner()
        .post(PATH, &body("Shop", "44"))
        .await
        .assert_failed(StatusCode::CONFLICT, "SENDER_NAME_TAKEN");
    create_sender(&stage.owner(), "Another", "44").await;
}

#[tokio::test]
async fn what_is_not_acceptable_is_named() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let good = json!({"name": "Shop 2", "phone_number_id": "42", "access_token": SECRET});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, pointer) in [
        (with("name", json!("  ")), "/name"),
        (with("name", json!("a\tb")), "/name"),
        (with("name", json!("x".repeat(101))), "/name"),
        (with("phone_number_id", json!("../4")), "/phone_number_id"),
        (with("phone_number_id", json!("")), "/phone_number_id"),
        (with("access_token", json!("a\r\nX-Evil: 1")), "/access_token"),
        (with("access_token", json!("")), "/access_token"),
        (with("rate", json!(100_001)), "/rate"),
    ] {
        let reply = stage.owner().post(PATH, &body).await;
        let reply = reply.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_SENDER");
        assert_eq!(reply.value()["errors"][0]["pointer"], pointer, "{reply}");
    }
    let padded = with("name", json!(format!("{}{}", " ".repeat(60), "x".repeat(100))));
    stage
        .owner()
        .post(PATH, &padded)
        .await
        .assert_status(StatusCode::CREATED);
}

#[tokio::test]
async fn a_token_is_renewed_without_being_seen_and_a_pause_stays_a_pause() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let path = format!("{PATH}/{}", stage.sender);
    let renew = format!("{path}/access-token");
    let sealed = || async {
        let sql = "SELECT access_token FROM notification.senders";
        stage
            .database
            .admin()
            .await
            .query_one(sql, &[])
            .await
            .unwrap()
            .get::<_, String>(0)
    };
    let before = sealed().await;
    stage
        .owner()
        .put(&renew, &json!({"access_token": "a b"}))
        .await
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_SENDER");
    assert_eq!(sealed().await, before);
    for (status, expected) in [
        ("needs_auth", "active"),
        ("paused", "paused"),
        ("active", "active"),
    ] {
        stage
            .sql(&format!(
                "UPDATE notification.senders SET status = '{status}', status_reason = 'x'"
            ))
            .await;
        stage
            .owner()
            .put(&renew, &json!({"access_token": "EAAG-new"}))
            .await
            .assert_status(StatusCode::NO_CONTENT);
        assert_eq!(stage.owner().get(&path).await.value()["status"], expected);
    }
    assert_ne!(sealed().await, before);
}

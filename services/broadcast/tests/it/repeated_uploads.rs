//! Uploads that a client repeats.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};

use crate::town::{API, Owner, Town};

async fn upload(owner: &Owner, key: &str, content: &[u8]) -> plaza_testkit::Reply {
    upload_saying(owner, key, content, &[]).await
}

async fn upload_saying(
    owner: &Owner,
    key: &str,
    content: &[u8],
    said: &[(&str, &str)],
) -> plaza_testkit::Reply {
    let path = format!("{API}/recipients/import");
    let mut request = plaza_testkit::upload(&path, "people.csv", content, said);
    let key = HeaderValue::from_str(key).unwrap();
    request.headers_mut().insert("idempotency-key", key);
    owner.client.send(request).await
}

#[tokio::test]
async fn an_upload_that_is_repeated_is_one_import() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (Arc::new(town.owner()), town.owner());
    let file = b"phone\n+4915117404120\n";
    let first = upload(&owner, "spring", file)
        .await
        .assert_status(StatusCode::ACCEPTED);
    let again = upload(&owner, "spring", file)
        .await
        .assert_status(StatusCode::ACCEPTED);
    assert_eq!(again.value(), first.value());
    assert_eq!(again.headers[header::LOCATION], first.headers[header::LOCATION]);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert!(!first.headers.contains_key("idempotency-replayed"));

    for other in [&b"phone\n"[..], b"phone\n+4915117404121\n"] {
        let other = upload(&owner, "spring", other).await;
        other.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_MISMATCH");
    }
    for said in [("dry_run", "true"), ("mapping", r#"{"country": "DE"}"#)] {
        let other = upload_saying(&owner, "spring", file, &[said]).await;
        other.assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_MISMATCH");
    }
    upload(&owner, "summer", file)
        .await
        .assert_status(StatusCode::ACCEPTED);
    let theirs = upload(&rival, "spring", file)
        .await
        .assert_status(StatusCode::ACCEPTED);
    assert_ne!(
        theirs.value()["id"],
        first.value()["id"],
        "keys are everybody's own"
    );
    assert_eq!(town.count("SELECT count(*) FROM broadcast.imports").await, 3);
    let folder = town.objects.path().join("imports").join(owner.tenant.to_string());
    assert_eq!(
        std::fs::read_dir(folder).unwrap().count(),
        2,
        "a file that came again is not kept"
    );
}

#[tokio::test]
async fn of_twenty_at_once_one_is_imported() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let file = b"phone\n+4915117404120\n";
    let replies = futures_util::future::join_all((0..20).map(|_| upload(&owner, "once", file))).await;
    let accepted: Vec<_> = replies
        .iter()
        .filter(|reply| reply.status == StatusCode::ACCEPTED)
        .collect();
    assert!(!accepted.is_empty());
    assert!(accepted.iter().all(|reply| reply.value() == accepted[0].value()));
    for reply in &replies {
        // Waiting for the first one has an end, and so have the connections.
        let known = [
            StatusCode::ACCEPTED,
            StatusCode::CONFLICT,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        assert!(known.contains(&reply.status), "{}", reply.text());
    }
    assert_eq!(town.count("SELECT count(*) FROM broadcast.imports").await, 1);
}

//! Who may do what, and what a stranger finds out: nothing.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use plaza_contracts::ids::SenderId;
use plaza_contracts::permissions::{
    ManageSenders, ManageSuppressions, ReplyConversations, SendMessages, ViewConversations, ViewLogs,
    ViewSenders, ViewSuppressions,
};
use plaza_kernel::{Caller, Clock, Permission, PermissionSet};
use plaza_testkit::{Client, Mounted, Permit, Reply, callers};

use crate::stage::{Stage, quick};

const ROOT: &str = "/api/v1/notifications";

/// Every operation that needs a permission, with a body that would do.
fn operations(stage: &Stage, message: &str) -> Vec<(Method, String, &'static str, u16)> {
    let sender = format!("{ROOT}/senders/{}", stage.sender);
    let conversation = format!("{ROOT}/conversations/{message}");
    let new = r#"{"name":"N","phone_number_id":"7","access_token":"t"}"#;
    vec![
        (Method::GET, format!("{ROOT}/senders"), "", ViewSenders::BIT),
        (Method::POST, format!("{ROOT}/senders"), new, ManageSenders::BIT),
        (Method::GET, sender.clone(), "", ViewSenders::BIT),
        (Method::POST, format!("{sender}/resume"), "", ManageSenders::BIT),
        (
            Method::PUT,
            format!("{sender}/access-token"),
            r#"{"access_token":"t"}"#,
            ManageSenders::BIT,
        ),
        (
            Method::POST,
            format!("{ROOT}/messages"),
            r#"{"channel":"whatsapp","to":"+4915117404120","template":{"name":"n","language":"en_US"}}"#,
            SendMessages::BIT,
        ),
        (Method::GET, format!("{ROOT}/messages"), "", ViewLogs::BIT),
        (
            Method::GET,
            format!("{ROOT}/conversations"),
            "",
            ViewConversations::BIT,
        ),
        (Method::GET, conversation.clone(), "", ViewConversations::BIT),
        (
            Method::GET,
            format!("{conversation}/messages"),
            "",
            ViewConversations::BIT,
        ),
        (
            Method::POST,
            format!("{conversation}/messages"),
            r#"{"text":"Hello"}"#,
            ReplyConversations::BIT,
        ),
        (
            Method::POST,
            format!("{conversation}/read"),
            "",
            ReplyConversations::BIT,
        ),
        (
            Method::GET,
            format!("{ROOT}/messages/{message}"),
            "",
            ViewLogs::BIT,
        ),
        (
            Method::GET,
            format!("{ROOT}/suppressions"),
            "",
            ViewSuppressions::BIT,
        ),
        (
            Method::POST,
            format!("{ROOT}/suppressions"),
            r#"{"address":"+4915117404120"}"#,
            ManageSuppressions::BIT,
        ),
        (
            Method::DELETE,
            format!("{ROOT}/suppressions/{message}"),
            "",
            ManageSuppressions::BIT,
        ),
    ]
}

async fn ask(client: &Client, method: &Method, path: &str, body: &'static str) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    client.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn every_operation_needs_its_own_permission_and_no_other_does() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let message = stage.queue_one("+4915117404120").await.to_string();
    let operations = operations(&stage, &message);
    assert_eq!(
        operations.len() + 7,
        stage.mounted.routes().len(),
        "a new operation belongs into this table"
    );
    let member: Caller = callers::member(stage.tenant);
    for bit in 0..31 {
        let permit = Permit::exactly(PermissionSet::none().with(bit));
        let mounted = Mounted::new(stage.notification.http(permit));
        for (method, path, body, needed) in &operations {
            let reply = ask(&mounted.as_caller(&member), method, path, body).await;
            if bit == *needed {
                assert_ne!(reply.status, StatusCode::FORBIDDEN, "{reply}");
            } else {
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{reply}");
            }
        }
    }
    for (method, path, body, _) in &operations {
        let nobody = ask(&stage.mounted.anonymous(), method, path, body).await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{nobody}");
        let mounted = Mounted::new(stage.notification.http(Permit::none()));
        let admin = ask(&mounted.as_caller(&callers::platform_admin()), method, path, body).await;
        assert!(admin.status.is_client_error(), "{admin}");
    }
}

#[tokio::test]
async fn another_tenants_rows_answer_like_rows_that_do_not_exist() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let message = stage.queue_one("+4915117404120").await.to_string();
    let conversation = crate::inbound::conversation_with(&stage, "12015550123").await;
    let stranger = stage.mounted.as_caller(&callers::owner(callers::tenant()));
    let random = SenderId::generate(&Clock::system()).to_string();
    for (method, path, body) in [
        (Method::GET, format!("{ROOT}/senders/{}", stage.sender), ""),
        (
            Method::POST,
            format!("{ROOT}/senders/{}/resume", stage.sender),
            "",
        ),
        (
            Method::PUT,
            format!("{ROOT}/senders/{}/access-token", stage.sender),
            r#"{"access_token":"t"}"#,
        ),
        (Method::GET, format!("{ROOT}/messages/{message}"), ""),
        (Method::GET, format!("{ROOT}/conversations/{conversation}"), ""),
        (
            Method::GET,
            format!("{ROOT}/conversations/{conversation}/messages"),
            "",
        ),
        (
            Method::POST,
            format!("{ROOT}/conversations/{conversation}/messages"),
            r#"{"text":"Hello"}"#,
        ),
        (
            Method::POST,
            format!("{ROOT}/conversations/{conversation}/read"),
            "",
        ),
    ] {
        let foreign = ask(&stranger, &method, &path, body).await;
        let nothing = path
            .replace(&stage.sender.to_string(), &random)
            .replace(&message, &random)
            .replace(&conversation, &random);
        let nothing = ask(&stranger, &method, &nothing, body).await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{foreign}");
        let (mut one, mut other) = (foreign.value(), nothing.value());
        for value in [&mut one, &mut other] {
            value.as_object_mut().unwrap().remove("request_id");
            value.as_object_mut().unwrap().remove("instance");
        }
        assert_eq!(one, other);
    }
    for list in ["senders", "messages", "suppressions", "conversations"] {
        let found = stranger.get(&format!("{ROOT}/{list}")).await.assert_ok().value();
        assert_eq!(found["items"].as_array().unwrap().len(), 0);
    }
}

#[tokio::test]
async fn messages_are_listed_by_source_and_state() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let campaign = crate::stage::campaign();
    let ids = stage.queue(campaign, &crate::stage::people(5)).await;
    stage
        .queue(crate::stage::campaign(), &crate::stage::people(3))
        .await;
    stage
        .sql(&format!(
            "UPDATE notification.messages SET state = 'read' WHERE id = '{}'",
            ids[4]
        ))
        .await;
    let owner = stage.owner();
    let list = |query: String| {
        let owner = owner.clone();
        async move {
            owner
                .get(&format!("{ROOT}/messages?{query}"))
                .await
                .assert_ok()
                .value()
        }
    };
    let of_page = |page: &serde_json::Value| page["items"].as_array().unwrap().len();
    assert_eq!(of_page(&list(String::new()).await), 8);
    let source = format!("source=campaign:{campaign}");
    let first = list(format!("{source}&limit=3")).await;
    assert_eq!(first["items"][0]["id"], ids[4].to_string(), "newest first");
    let next = first["next_cursor"].as_str().unwrap();
    let second = list(format!("{source}&limit=3&cursor={next}")).await;
    assert_eq!(
        (of_page(&second), &second["items"][1]["id"]),
        (2, &ids[0].to_string().into())
    );
    assert_eq!(of_page(&list(format!("{source}&state=queued")).await), 4);
    assert_eq!(of_page(&list("state=read".to_owned()).await), 1);
    assert_eq!(of_page(&list(format!("{source}&limit=2&page=3")).await), 1);
    owner
        .get(&format!("{ROOT}/messages?state=lost"))
        .await
        .assert_failed(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_QUERY");
}

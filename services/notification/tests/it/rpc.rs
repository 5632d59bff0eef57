//! The gRPC API, asked through the transport that other services use.

use std::time::Duration;

use plaza_contracts::ids::SenderId;
use plaza_contracts::proto::notification::notification_client::NotificationClient;
use plaza_contracts::proto::notification::{
    CountsRequest, MessagesRequest, OpenRequest, SenderRequest, SuppressedRequest,
};
use plaza_kernel::{Clock, Failure, Kind};
use plaza_rpc::{RpcError, Transport};
use plaza_testkit::callers;
use serde_json::json;
use tonic::Status;

use crate::stage::{Stage, campaign, create_sender, people, quick};

pub(crate) async fn asked() -> (Stage, NotificationClient<Transport>) {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let client = NotificationClient::new(stage.transport());
    (stage, client)
}

#[track_caller]
pub(crate) fn assert_failed<T: std::fmt::Debug>(answer: Result<T, Status>, kind: Kind, code: &str) {
    let error = RpcError::from(answer.unwrap_err());
    assert_eq!((error.kind(), error.code()), (kind, code));
}

#[tokio::test]
async fn counts_are_by_state_and_of_one_source_and_tenant() {
    let (stage, mut client) = asked().await;
    let campaign = campaign();
    let ids = stage.queue(campaign, &people(600)).await;
    stage.queue_one("+4915117404120").await;
    let some: Vec<String> = ids[..100].iter().map(|id| format!("'{id}'")).collect();
    stage
        .sql(&format!(
            "UPDATE notification.messages SET state = 'read' WHERE id IN ({})",
            some.join(",")
        ))
        .await;
    let ask = |tenant: String| CountsRequest {
        tenant_id: tenant,
        source: format!("campaign:{campaign}"),
    };
    let counts = client
        .counts(ask(stage.tenant.to_string()))
        .await
        .unwrap()
        .into_inner()
        .by_state;
    assert_eq!(
        counts,
        [("queued".to_owned(), 500), ("read".to_owned(), 100)].into()
    );
    let rival = client
        .counts(ask(callers::tenant().to_string()))
        .await
        .unwrap()
        .into_inner();
    assert!(rival.by_state.is_empty());
    for nobody in ["", "x", "00000000-0000-0000-0000-000000000000"] {
        assert_failed(
            client.counts(ask(nobody.to_owned())).await,
            Kind::Invalid,
            "INVALID_ID",
        );
    }
}

#[tokio::test]
async fn counting_may_take_longer_than_other_statements() {
    let (stage, mut client) = asked().await;
    let campaign = campaign();
    stage.queue(campaign, &people(3)).await;
    let request = CountsRequest {
        tenant_id: stage.tenant.to_string(),
        source: format!("campaign:{campaign}"),
    };
    let admin = stage.database.admin().await;
    let lock = "BEGIN; LOCK TABLE notification.messages IN ACCESS EXCLUSIVE MODE";
    admin.batch_execute(lock).await.unwrap();
    let release = async {
        tokio::time::sleep(Duration::from_millis(3_400)).await;
        admin.batch_execute("COMMIT").await.unwrap();
    };
    let (counts, ()) = tokio::join!(client.counts(request), release);
    assert_eq!(counts.unwrap().into_inner().by_state["queued"], 3);
}

#[tokio::test]
async fn a_source_is_open_as_long_as_anything_of_it_may_be_sent() {
    let (stage, mut client) = asked().await;
    let campaign = campaign();
    let ids = stage.queue(campaign, &people(3)).await;
    stage.queue_one("+4915117404120").await;
    let ask = |tenant: String| OpenRequest {
        tenant_id: tenant,
        source: format!("campaign:{campaign}"),
    };
    for (state, open) in [
        ("queued", true),
        ("leased", true),
        ("unknown", true),
        ("accepted", false),
        ("failed", false),
    ] {
        let told = format!(
            "UPDATE notification.messages SET state = 'read';
             UPDATE notification.messages SET state = '{state}' WHERE id = '{}'",
            ids[1]
        );
        stage.sql(&told).await;
        let reply = client.open(ask(stage.tenant.to_string())).await.unwrap();
        assert_eq!(reply.into_inner().open, open, "{state}");
    }
    stage
        .sql("UPDATE notification.messages SET state = 'queued'")
        .await;
    let rival = client.open(ask(callers::tenant().to_string())).await.unwrap();
    assert!(!rival.into_inner().open);
    assert_failed(
        client.open(ask("x".to_owned())).await,
        Kind::Invalid,
        "INVALID_ID",
    );
}

#[tokio::test]
async fn a_state_narrows_a_list_with_a_source_and_without() {
    let (stage, mut client) = asked().await;
    let (first, second) = (campaign(), campaign());
    let ids = stage.queue(first, &people(3)).await;
    let others = stage.queue(second, &people(2)).await;
    let failed = format!(
        "UPDATE notification.messages SET state = 'failed' WHERE id IN ('{}', '{}')",
        ids[2], others[0]
    );
    stage.sql(&failed).await;
    let of_first = format!("campaign:{first}");
    for (source, state, expected) in [
        ("", "", vec![others[1], others[0], ids[2], ids[1], ids[0]]),
        ("", "failed", vec![others[0], ids[2]]),
        (&of_first, "", vec![ids[2], ids[1], ids[0]]),
        (&of_first, "failed", vec![ids[2]]),
    ] {
        let request = MessagesRequest {
            tenant_id: stage.tenant.to_string(),
            source: source.to_owned(),
            state: state.to_owned(),
            limit: 10,
            ..MessagesRequest::default()
        };
        let page = client.messages(request).await.unwrap().into_inner().messages;
        let found: Vec<String> = page.into_iter().map(|message| message.message_id).collect();
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{source} {state}");
    }
}

#[tokio::test]
async fn a_list_is_narrowed_by_everything_that_a_message_is_known_by() {
    let (stage, mut client) = asked().await;
    let (first, second) = (campaign(), campaign());
    let to = ["+5511987654321", "+551187654321", "+4915117404120"].map(str::to_owned);
    let ids = stage.queue(first, &to).await;
    let other = stage.queue(second, &to[..1]).await[0];
    let failed = format!(
        "UPDATE notification.messages SET state = 'failed', error_code = '131026' WHERE id IN ('{}', '{other}');
         UPDATE notification.messages SET channel = 'sms' WHERE id = '{}'",
        ids[2], ids[1]
    );
    stage.sql(&failed).await;
    let now = plaza_kernel::Clock::system().now();
    let at = |days: i64| (now + chrono::TimeDelta::days(days)).to_rfc3339();
    let none = MessagesRequest::default;
    let of_first = || MessagesRequest {
        source: format!("campaign:{first}"),
        ..none()
    };
    let to_brazil = || MessagesRequest {
        to: to[1].clone(),
        ..none()
    };
    let unreachable = || MessagesRequest {
        error_code: "131026".to_owned(),
        ..none()
    };
    let (sms, whatsapp) = ("sms".to_owned(), "whatsapp".to_owned());
    let picked = || MessagesRequest {
        message_ids: [ids[0], ids[2], other].map(|id| id.to_string()).to_vec(),
        ..none()
    };
    for (narrowed, expected) in [
        // In every spelling of the number.
        (to_brazil(), vec![other, ids[1], ids[0]]),
        (
            MessagesRequest {
                to: to[0].clone(),
                ..of_first()
            },
            vec![ids[1], ids[0]],
        ),
        (
            MessagesRequest {
                state: "failed".to_owned(),
                ..to_brazil()
            },
            vec![other],
        ),
        (
            MessagesRequest {
                channel: sms.clone(),
                ..to_brazil()
            },
            vec![ids[1]],
        ),
        (
            MessagesRequest {
                error_code: "131026".to_owned(),
                ..to_brazil()
            },
            vec![other],
        ),
        (unreachable(), vec![other, ids[2]]),
        (
            MessagesRequest {
                error_code: "131026".to_owned(),
                ..of_first()
            },
            vec![ids[2]],
        ),
        (
            MessagesRequest {
                channel: sms.clone(),
                ..unreachable()
            },
            vec![],
        ),
        (
            MessagesRequest {
                state: "queued".to_owned(),
                ..unreachable()
            },
            vec![],
        ),
        (
            MessagesRequest {
                channel: sms.clone(),
                ..none()
            },
            vec![ids[1]],
        ),
        (
            MessagesRequest {
                channel: whatsapp.clone(),
                ..of_first()
            },
            vec![ids[2], ids[0]],
        ),
        (
            MessagesRequest {
                channel: whatsapp,
                state: "failed".to_owned(),
                ..of_first()
            },
            vec![ids[2]],
        ),
        (
            MessagesRequest {
                from: at(-1),
                until: at(1),
                ..of_first()
            },
            vec![ids[2], ids[1], ids[0]],
        ),
        (
            MessagesRequest {
                from: at(1),
                ..of_first()
            },
            vec![],
        ),
        (
            MessagesRequest {
                until: at(-1),
                ..to_brazil()
            },
            vec![],
        ),
        (picked(), vec![other, ids[2], ids[0]]),
        (
            MessagesRequest {
                to: to[0].clone(),
                ..picked()
            },
            vec![other, ids[0]],
        ),
        (
            MessagesRequest {
                state: "failed".to_owned(),
                source: of_first().source,
                ..picked()
            },
            vec![ids[2]],
        ),
        (
            MessagesRequest {
                channel: sms,
                ..picked()
            },
            vec![],
        ),
    ] {
        let asked = format!("{narrowed:?}");
        let request = MessagesRequest {
            tenant_id: stage.tenant.to_string(),
            ..narrowed
        };
        let page = client.messages(request).await.unwrap().into_inner().messages;
        let found: Vec<String> = page.into_iter().map(|message| message.message_id).collect();
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{asked}");
    }
    let foreign = MessagesRequest {
        tenant_id: callers::tenant().to_string(),
        ..picked()
    };
    let found = client.messages(foreign).await.unwrap().into_inner().messages;
    assert!(found.is_empty(), "an id opens nothing of another tenant's");
}

#[tokio::test]
async fn a_number_is_looked_for_among_the_last_days_unless_more_is_said() {
    let (stage, mut client) = asked().await;
    let source = campaign();
    let id = stage.queue(source, &people(1)).await[0];
    // Asked for 40 days ago, which its id says.
    let ago = plaza_kernel::Clock::system().now() - chrono::TimeDelta::days(40);
    let old = uuid::Uuid::from_u128(
        (u128::try_from(ago.timestamp_millis()).unwrap() << 80) | (0x7 << 76) | (0x8 << 60) | 1,
    );
    stage
        .sql(&format!(
            "UPDATE notification.messages SET id = '{old}' WHERE id = '{id}'"
        ))
        .await;
    let to = MessagesRequest {
        tenant_id: stage.tenant.to_string(),
        to: people(1)[0].clone(),
        ..MessagesRequest::default()
    };
    let (since, of_source, picked) = (
        (ago - chrono::TimeDelta::days(1)).to_rfc3339(),
        format!("campaign:{source}"),
        vec![old.to_string()],
    );
    for (request, expected) in [
        (to.clone(), 0),
        (
            MessagesRequest {
                from: since,
                ..to.clone()
            },
            1,
        ),
        (
            MessagesRequest {
                source: of_source,
                ..to.clone()
            },
            1,
        ),
        (
            MessagesRequest {
                message_ids: picked,
                ..to
            },
            1,
        ),
    ] {
        let asked = format!("{request:?}");
        let found = client.messages(request).await.unwrap().into_inner().messages;
        assert_eq!(found.len(), expected, "{asked}");
    }
}

#[tokio::test]
async fn what_narrows_to_nothing_that_can_be_is_named() {
    let (stage, mut client) = asked().await;
    let none = || MessagesRequest {
        tenant_id: stage.tenant.to_string(),
        ..MessagesRequest::default()
    };
    let many = vec![stage.tenant.to_string(); 501];
    for wrong in [
        MessagesRequest {
            to: "4915117404120".to_owned(),
            ..none()
        },
        MessagesRequest {
            channel: "pigeon".to_owned(),
            ..none()
        },
        MessagesRequest {
            error_code: "13\n".to_owned(),
            ..none()
        },
        MessagesRequest {
            from: "yesterday".to_owned(),
            ..none()
        },
        MessagesRequest {
            until: "2026-13-01".to_owned(),
            ..none()
        },
        MessagesRequest {
            message_ids: many,
            ..none()
        },
    ] {
        assert_failed(client.messages(wrong).await, Kind::Invalid, "INVALID_REQUEST");
    }
    let no_id = MessagesRequest {
        message_ids: vec!["7".to_owned()],
        ..none()
    };
    assert_failed(client.messages(no_id).await, Kind::Invalid, "INVALID_ID");
}

#[tokio::test]
async fn messages_come_in_pages_newest_first() {
    let (stage, mut client) = asked().await;
    let campaign = campaign();
    let mut ids: Vec<String> = stage
        .queue(campaign, &people(25))
        .await
        .iter()
        .map(ToString::to_string)
        .collect();
    ids.reverse();
    stage.queue_one("+4915117404120").await;
    let ask = |cursor: String, state: &str| MessagesRequest {
        tenant_id: stage.tenant.to_string(),
        source: format!("campaign:{campaign}"),
        state: state.to_owned(),
        cursor,
        limit: 10,
        ..MessagesRequest::default()
    };
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.messages(ask(cursor, "")).await.unwrap().into_inner();
        found.extend(page.messages.into_iter().map(|message| message.message_id));
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(found, ids);
    let read = client
        .messages(ask(String::new(), "read"))
        .await
        .unwrap()
        .into_inner()
        .messages;
    assert!(read.is_empty());
    assert_failed(
        client.messages(ask(String::new(), "lost")).await,
        Kind::Invalid,
        "INVALID_REQUEST",
    );
    assert_failed(
        client.messages(ask("x".to_owned(), "")).await,
        Kind::Invalid,
        "INVALID_PAGE",
    );
    let mut foreign = ask(String::new(), "");
    foreign.tenant_id = callers::tenant().to_string();
    assert!(
        client
            .messages(foreign)
            .await
            .unwrap()
            .into_inner()
            .messages
            .is_empty()
    );
}

#[tokio::test]
async fn suppressed_addresses_are_told_apart() {
    let (stage, mut client) = asked().await;
    let people = people(1_000);
    for to in &people[..3] {
        stage
            .owner()
            .post("/api/v1/notifications/suppressions", &json!({"address": to}))
            .await
            .assert_ok();
    }
    let ask = |tenant: String, addresses: Vec<String>| SuppressedRequest {
        tenant_id: tenant,
        channel: "whatsapp".to_owned(),
        addresses,
        class: String::new(),
    };
    let answer = client
        .suppressed(ask(stage.tenant.to_string(), people.clone()))
        .await
        .unwrap();
    let mut found = answer.into_inner().addresses;
    found.sort();
    assert_eq!(found, people[..3]);
    let rival = client
        .suppressed(ask(callers::tenant().to_string(), people.clone()))
        .await
        .unwrap();
    assert!(rival.into_inner().addresses.is_empty());
    let too_many = vec!["+4915117404120".to_owned(); 1_001];
    let answer = client.suppressed(ask(stage.tenant.to_string(), too_many)).await;
    assert_failed(answer, Kind::Invalid, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_sender_is_the_named_one_or_the_oldest_active_one() {
    let (stage, mut client) = asked().await;
    let second = create_sender(&stage.owner(), "Second", "42").await;
    let ask = |tenant: String, sender: String, channel: &str| SenderRequest {
        tenant_id: tenant,
        channel: channel.to_owned(),
        sender_id: sender,
    };
    let tenant = stage.tenant.to_string();
    let default = client
        .sender(ask(tenant.clone(), String::new(), "whatsapp"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (default.sender_id, default.name),
        (stage.sender.to_string(), "Shop".to_owned())
    );
    let named = client
        .sender(ask(tenant.clone(), second.to_string(), "whatsapp"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(named.name, "Second");
    stage
        .sql(&format!(
            "UPDATE notification.senders SET status = 'paused' WHERE id = '{}'",
            stage.sender
        ))
        .await;
    let default = client
        .sender(ask(tenant.clone(), String::new(), "whatsapp"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        default.sender_id,
        second.to_string(),
        "a stopped one is no default"
    );
    let random = SenderId::generate(&Clock::system()).to_string();
    for (tenant, sender, channel) in [
        (tenant.clone(), random, "whatsapp"),
        (tenant.clone(), second.to_string(), "sms"),
        (tenant, String::new(), "sms"),
        (callers::tenant().to_string(), second.to_string(), "whatsapp"),
        (callers::tenant().to_string(), String::new(), "whatsapp"),
    ] {
        let answer = client.sender(ask(tenant, sender, channel)).await;
        assert_failed(answer, Kind::NotFound, "SENDER_NOT_FOUND");
    }
}

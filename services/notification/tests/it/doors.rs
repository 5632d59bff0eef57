//! What gRPC offers besides: the same verbs as HTTP, for whoever may.

use http::StatusCode;
use plaza_contracts::ids::{MessageId, SenderId};
use plaza_contracts::proto::notification::senders_client::SendersClient;
use plaza_contracts::proto::notification::suppressions_client::SuppressionsClient;
use plaza_contracts::proto::notification::{
    CountsRequest, CreateSenderRequest, GetMessageRequest, GetSenderRequest, LiftSuppressionRequest,
    ListSendersRequest, ListSuppressionsRequest, OutgoingMessage, ReceiptsRequest, RenewSenderTokenRequest,
    ResumeSenderRequest, SendRequest, SuppressRequest, SuppressedRequest, Template,
};
use plaza_kernel::{Caller, Clock, Kind};
use plaza_rpc::{Carried, carry};
use plaza_testkit::callers;
use serde_json::Value;

use crate::rpc::{asked, assert_failed};
use crate::stage::{Stage, campaign, people, quick};

fn to(number: &str) -> OutgoingMessage {
    OutgoingMessage {
        message_id: MessageId::generate(&Clock::system()).to_string(),
        channel: "whatsapp".to_owned(),
        to: number.to_owned(),
        template: Some(Template {
            name: "order_update_v1".to_owned(),
            language: "en_US".to_owned(),
            body: vec!["Zoë".to_owned()],
        }),
        ..OutgoingMessage::default()
    }
}

fn batch(stage: &Stage, messages: Vec<OutgoingMessage>) -> SendRequest {
    SendRequest {
        tenant_id: stage.tenant.to_string(),
        source: "reminder:7".to_owned(),
        sender_id: stage.sender.to_string(),
        messages,
    }
}

#[tokio::test]
async fn a_batch_that_is_sent_again_is_queued_once() {
    let (stage, mut client) = asked().await;
    let mut request = batch(&stage, people(3).iter().map(|number| to(number)).collect());
    let sent = client.send(request.clone()).await.unwrap().into_inner();
    assert_eq!(sent.queued, 3);
    request.messages.push(to("+4915117404120"));
    let sent = client.send(request.clone()).await.unwrap().into_inner();
    assert_eq!(sent.queued, 1);
    assert_eq!(stage.states().await["queued"], 4);
    let message = stage
        .message(request.messages[0].message_id.parse().unwrap())
        .await;
    assert_eq!(
        (&message["source"], &message["to"]),
        (&Value::from("reminder:7"), &Value::from("+4915117000000"))
    );
}

#[tokio::test]
async fn a_batch_with_anything_wrong_is_queued_by_nobody() {
    let (stage, mut client) = asked().await;
    let known = stage.queue_one("+4915117404120").await;
    let good = || batch(&stage, vec![to("+4915117404120"), to("+4915117404121")]);
    let mut stranger = good();
    stranger.sender_id = SenderId::generate(&Clock::system()).to_string();
    assert_failed(client.send(stranger).await, Kind::NotFound, "SENDER_NOT_FOUND");
    let mut taken = good();
    taken.messages[1].message_id = known.to_string();
    assert_failed(client.send(taken).await, Kind::Conflict, "MESSAGE_ID_TAKEN");
    let breaks: [fn(&mut SendRequest); 9] = [
        |request| request.messages.clear(),
        |request| request.messages = vec![request.messages[0].clone(); 501],
        |request| request.source = "campaign".to_owned(),
        |request| request.source = "campaign:".to_owned(),
        |request| request.source = "campaign:\0".to_owned(),
        |request| request.messages[1].channel = "pigeon".to_owned(),
        |request| request.messages[1].to = "015117404120".to_owned(),
        |request| request.messages[1].template = None,
        |request| request.messages[1].template.as_mut().unwrap().name = "Hello!".to_owned(),
    ];
    for (at, spoil) in breaks.into_iter().enumerate() {
        let mut request = good();
        spoil(&mut request);
        let answer = client.send(request).await;
        assert!(answer.is_err(), "{at}");
        assert_failed(answer, Kind::Invalid, "INVALID_REQUEST");
    }
    let mut nameless = good();
    nameless.messages[0].message_id = "7".to_owned();
    assert_failed(client.send(nameless).await, Kind::Invalid, "INVALID_ID");
    assert_eq!(stage.states().await["queued"], 1, "the one there was");
}

#[tokio::test]
async fn one_message_is_told_with_all_that_was_told_of_it() {
    let (stage, mut client) = asked().await;
    let id = stage.queue_one("+4915117404120").await;
    let told = format!(
        "INSERT INTO notification.receipts (tenant_id, message_id, provider_id, status, at, error_code, received_at)
         VALUES ('{0}', '{id}', 'wamid.1', 'delivered', '2026-01-01 10:00:02Z', NULL, '2026-01-01 10:00:05Z'),
                ('{0}', '{id}', 'wamid.1', 'sent', '2026-01-01 10:00:01Z', NULL, '2026-01-01 10:00:05Z'),
                ('{0}', '{id}', 'wamid.0', 'failed', '2026-01-01 10:00:00Z', '131026', '2026-01-01 10:00:04Z')",
        stage.tenant
    );
    stage.sql(&told).await;
    let (tenant_id, message_id) = (stage.tenant.to_string(), id.to_string());
    let ask = GetMessageRequest {
        tenant_id: tenant_id.clone(),
        message_id: message_id.clone(),
    };
    let message = client.get_message(ask.clone()).await.unwrap().into_inner();
    let over_http = stage.message(id).await;
    assert_eq!(message.to, "+4915117404120");
    assert_eq!(over_http["created_at"], message.created_at);
    let ask_receipts = ReceiptsRequest {
        tenant_id,
        message_id,
    };
    let receipts = client
        .receipts(ask_receipts.clone())
        .await
        .unwrap()
        .into_inner()
        .receipts;
    let told: Vec<(&str, &str)> = receipts
        .iter()
        .map(|receipt| (receipt.status.as_str(), receipt.error_code.as_str()))
        .collect();
    assert_eq!(told, [("failed", "131026"), ("sent", ""), ("delivered", "")]);
    assert_eq!(receipts[1].at, "2026-01-01T10:00:01Z");
    let rival = callers::tenant().to_string();
    let foreign = GetMessageRequest {
        tenant_id: rival.clone(),
        ..ask
    };
    assert_failed(
        client.get_message(foreign).await,
        Kind::NotFound,
        "MESSAGE_NOT_FOUND",
    );
    let foreign = ReceiptsRequest {
        tenant_id: rival,
        ..ask_receipts
    };
    assert_failed(
        client.receipts(foreign).await,
        Kind::NotFound,
        "MESSAGE_NOT_FOUND",
    );
}

#[tokio::test]
async fn senders_are_made_listed_and_set_going() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let mut client = SendersClient::new(stage.transport());
    let tenant_id = stage.tenant.to_string();
    let new = CreateSenderRequest {
        tenant_id: tenant_id.clone(),
        name: "Second".to_owned(),
        phone_number_id: "42".to_owned(),
        access_token: "EAAG".to_owned(),
        ..CreateSenderRequest::default()
    };
    let made = client.create_sender(new.clone()).await.unwrap().into_inner();
    assert_eq!((made.status.as_str(), made.rate), ("active", 0));
    assert_failed(
        client.create_sender(new.clone()).await,
        Kind::Conflict,
        "SENDER_NAME_TAKEN",
    );
    let spoilt = CreateSenderRequest {
        access_token: "two words".to_owned(),
        ..new
    };
    assert_failed(
        client.create_sender(spoilt).await,
        Kind::Invalid,
        "INVALID_SENDER",
    );

    let list = |cursor: String| ListSendersRequest {
        tenant_id: tenant_id.clone(),
        cursor,
        limit: 1,
    };
    let first = client
        .list_senders(list(String::new()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.senders[0].sender_id, stage.sender.to_string());
    let last = client
        .list_senders(list(first.next_cursor))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (&last.senders[0].sender_id, last.next_cursor.as_str()),
        (&made.sender_id, "")
    );

    let (tenant_id, sender_id) = (tenant_id.clone(), made.sender_id.clone());
    let get = GetSenderRequest {
        tenant_id: tenant_id.clone(),
        sender_id: sender_id.clone(),
    };
    let status = async |client: &mut SendersClient<_>| {
        client.get_sender(get.clone()).await.unwrap().into_inner().status
    };
    stage
        .sql("UPDATE notification.senders SET status = 'paused'")
        .await;
    let resume = ResumeSenderRequest {
        tenant_id: tenant_id.clone(),
        sender_id: sender_id.clone(),
    };
    client.resume_sender(resume.clone()).await.unwrap();
    assert_eq!(status(&mut client).await, "active");
    stage
        .sql("UPDATE notification.senders SET status = 'needs_auth'")
        .await;
    let renew = RenewSenderTokenRequest {
        tenant_id,
        sender_id,
        access_token: "EAAH".to_owned(),
    };
    client.renew_sender_token(renew.clone()).await.unwrap();
    assert_eq!(status(&mut client).await, "active");

    let rival = callers::tenant().to_string();
    let foreign = GetSenderRequest {
        tenant_id: rival.clone(),
        ..get.clone()
    };
    assert_failed(
        client.get_sender(foreign).await,
        Kind::NotFound,
        "SENDER_NOT_FOUND",
    );
    let foreign = ResumeSenderRequest {
        tenant_id: rival.clone(),
        ..resume
    };
    assert_failed(
        client.resume_sender(foreign).await,
        Kind::NotFound,
        "SENDER_NOT_FOUND",
    );
    let foreign = RenewSenderTokenRequest {
        tenant_id: rival,
        ..renew
    };
    let answer = client.renew_sender_token(foreign).await;
    assert_failed(answer, Kind::NotFound, "SENDER_NOT_FOUND");
}

#[tokio::test]
async fn an_address_is_suppressed_and_lifted_by_either_door() {
    let (stage, mut client) = asked().await;
    let mut suppressions = SuppressionsClient::new(stage.transport());
    let tenant_id = stage.tenant.to_string();
    let suppress = |address: &str| SuppressRequest {
        tenant_id: tenant_id.clone(),
        address: address.to_owned(),
        reason: String::new(),
        scope: String::new(),
    };
    let made = suppressions
        .suppress(suppress("+4915117404120"))
        .await
        .unwrap()
        .into_inner();
    let again = suppressions
        .suppress(suppress("+4915117404120"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, made, "what stands, stands");
    let answer = suppressions.suppress(suppress("4915117404120")).await;
    assert_failed(answer, Kind::Invalid, "INVALID_SUPPRESSION");
    let over_http = stage
        .owner()
        .get("/api/v1/notifications/suppressions")
        .await
        .assert_ok()
        .value();
    assert_eq!(over_http["items"][0]["id"], made.suppression_id);
    let list = ListSuppressionsRequest {
        tenant_id: tenant_id.clone(),
        cursor: String::new(),
        limit: 0,
    };
    let listed = suppressions.list_suppressions(list).await.unwrap().into_inner();
    assert_eq!(listed.suppressions, std::slice::from_ref(&made));

    let path = format!("/api/v1/notifications/suppressions/{}", made.suppression_id);
    stage
        .owner()
        .delete(&path)
        .await
        .assert_status(StatusCode::NO_CONTENT);
    let check = SuppressedRequest {
        tenant_id: tenant_id.clone(),
        channel: "whatsapp".to_owned(),
        addresses: vec!["+4915117404120".to_owned()],
        class: String::new(),
    };
    assert!(
        client
            .suppressed(check)
            .await
            .unwrap()
            .into_inner()
            .addresses
            .is_empty()
    );
    let lift = LiftSuppressionRequest {
        tenant_id,
        suppression_id: made.suppression_id,
    };
    let answer = suppressions.lift_suppression(lift).await;
    assert_failed(answer, Kind::NotFound, "SUPPRESSION_NOT_FOUND");
}

#[tokio::test]
async fn who_asks_for_a_person_asks_for_that_persons_tenant_and_no_more_than_the_person_may() {
    let (stage, client) = asked().await;
    let senders = SendersClient::new(stage.transport());
    let for_person = |caller: Caller| {
        let (mut client, mut senders) = (client.clone(), senders.clone());
        let (tenant_id, source) = (stage.tenant.to_string(), format!("campaign:{}", campaign()));
        let count = CountsRequest {
            tenant_id: tenant_id.clone(),
            source,
        };
        let list = ListSendersRequest {
            tenant_id,
            cursor: String::new(),
            limit: 0,
        };
        let carried = Carried {
            caller: Some(caller),
            ..Carried::default()
        };
        let work = async move { (client.counts(count).await, senders.list_senders(list).await) };
        carry(carried, work)
    };
    let (counts, list) = for_person(callers::owner(stage.tenant)).await;
    assert!(counts.is_ok() && list.is_ok());
    for stranger in [callers::owner(callers::tenant()), callers::platform_admin()] {
        let (counts, list) = for_person(stranger).await;
        assert_failed(counts, Kind::Forbidden, "OTHER_TENANT");
        assert_failed(list, Kind::Forbidden, "OTHER_TENANT");
    }
    // Access is not here: what a member may do is not known.
    let (counts, list) = for_person(callers::member(stage.tenant)).await;
    assert!(counts.is_ok(), "counting needs no right of its own");
    assert_failed(list, Kind::Unavailable, "SERVICE_UNAVAILABLE");
}

//! What travels: every event as other programs read it. A change here is a change of a public contract.

use std::collections::BTreeMap;
use std::fmt::Debug;

use plaza_contracts::events::{
    BroadcastSend, CampaignStateChanged, ImportCompleted, MessageContent, OutgoingMessage, OwnerProvisioned,
    SourceSettled, TenantCreated, UserRegistered, WebhookReceived,
};
use plaza_kernel::{Event, SystemRole};
use serde_json::{Value, json};
use uuid::Uuid;

/// An id with this ending.
fn id<T: From<Uuid>>(ending: u64) -> T {
    uuid(ending).into()
}

fn uuid(ending: u64) -> Uuid {
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + u128::from(ending))
}

/// The event with its attributes, as it travels. What travels is read back as it was.
fn travelling<E: Event + PartialEq + Debug>(event: &E) -> Value {
    let body = serde_json::to_value(event).unwrap();
    assert_eq!(&serde_json::from_value::<E>(body.clone()).unwrap(), event);
    json!({"name": E::NAME, "version": E::VERSION, "key": event.order_key().as_str(), "body": body})
}

#[test]
fn tenant_created() {
    let event = TenantCreated {
        tenant_id: uuid(1).to_string().parse().unwrap(),
        slug: "acme".to_owned(),
        name: "Acme".to_owned(),
        admin_email: "owner@acme.example".to_owned(),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "admin_email": "owner@acme.example",
        "name": "Acme",
        "slug": "acme",
        "tenant_id": "01990000-0000-7000-8000-000000000001"
      },
      "key": "01990000-0000-7000-8000-000000000001",
      "name": "tenant.created",
      "version": 1
    }
    "#);
}

#[test]
fn user_registered() {
    let event = UserRegistered {
        user_id: id(2),
        email: "ada@acme.example".to_owned(),
        role: SystemRole::Member,
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "email": "ada@acme.example",
        "role": "member",
        "user_id": "01990000-0000-7000-8000-000000000002"
      },
      "key": "01990000-0000-7000-8000-000000000002",
      "name": "user.registered",
      "version": 1
    }
    "#);
}

#[test]
fn owner_provisioned() {
    let event = OwnerProvisioned {
        tenant_id: uuid(1).to_string().parse().unwrap(),
        user_id: id(2),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "tenant_id": "01990000-0000-7000-8000-000000000001",
        "user_id": "01990000-0000-7000-8000-000000000002"
      },
      "key": "01990000-0000-7000-8000-000000000001",
      "name": "identity.owner.provisioned",
      "version": 1
    }
    "#);
}

#[test]
fn broadcast_send() {
    let event = BroadcastSend {
        campaign_id: id(3),
        sender_id: id(4),
        shard: 7,
        messages: vec![OutgoingMessage {
            message_id: id(5),
            channel: "whatsapp".to_owned(),
            to: "+12025550111".to_owned(),
            content: MessageContent::Template {
                name: "spring_sale".to_owned(),
                language: "en".to_owned(),
                body: vec!["Ada".to_owned()],
            },
        }],
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "campaign_id": "01990000-0000-7000-8000-000000000003",
        "messages": [
          {
            "channel": "whatsapp",
            "content": {
              "body": [
                "Ada"
              ],
              "language": "en",
              "name": "spring_sale",
              "type": "template"
            },
            "message_id": "01990000-0000-7000-8000-000000000005",
            "to": "+12025550111"
          }
        ],
        "sender_id": "01990000-0000-7000-8000-000000000004",
        "shard": 7
      },
      "key": "01990000-0000-7000-8000-000000000003:01990000-0000-7000-8000-000000000004:7",
      "name": "broadcast.send",
      "version": 1
    }
    "#);
}

#[test]
fn webhook_received() {
    let event = WebhookReceived {
        inbox_id: id(6),
        provider: "meta".to_owned(),
        account_id: "100000000000001".to_owned(),
        kind: "receipts".to_owned(),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "account_id": "100000000000001",
        "inbox_id": "01990000-0000-7000-8000-000000000006",
        "kind": "receipts",
        "provider": "meta"
      },
      "key": "meta:100000000000001",
      "name": "webhook.received",
      "version": 1
    }
    "#);
}

#[test]
fn campaign_state_changed() {
    let event = CampaignStateChanged {
        campaign_id: id(3),
        from: "planning".to_owned(),
        to: "sending".to_owned(),
        planned: BTreeMap::from([("send".to_owned(), 2), ("suppressed".to_owned(), 1)]),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "campaign_id": "01990000-0000-7000-8000-000000000003",
        "from": "planning",
        "planned": {
          "send": 2,
          "suppressed": 1
        },
        "to": "sending"
      },
      "key": "01990000-0000-7000-8000-000000000003",
      "name": "broadcast.campaign.state_changed",
      "version": 1
    }
    "#);
}

/// Before it is planned a campaign has no counts, and none are sent: not an empty object either.
#[test]
fn campaign_state_changed_before_it_is_planned() {
    let event = CampaignStateChanged {
        campaign_id: id(3),
        from: "draft".to_owned(),
        to: "planning".to_owned(),
        planned: BTreeMap::new(),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "campaign_id": "01990000-0000-7000-8000-000000000003",
        "from": "draft",
        "to": "planning"
      },
      "key": "01990000-0000-7000-8000-000000000003",
      "name": "broadcast.campaign.state_changed",
      "version": 1
    }
    "#);
}

#[test]
fn source_settled() {
    let event = SourceSettled {
        source: format!("campaign:{}", uuid(3)),
        by_state: BTreeMap::from([("accepted".to_owned(), 2), ("failed".to_owned(), 1)]),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "by_state": {
          "accepted": 2,
          "failed": 1
        },
        "source": "campaign:01990000-0000-7000-8000-000000000003"
      },
      "key": "campaign:01990000-0000-7000-8000-000000000003",
      "name": "notification.source.settled",
      "version": 1
    }
    "#);
}

#[test]
fn import_completed() {
    let event = ImportCompleted {
        import_id: uuid(8),
        counts: BTreeMap::from([("duplicate".to_owned(), 1), ("valid".to_owned(), 9)]),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "counts": {
          "duplicate": 1,
          "valid": 9
        },
        "import_id": "01990000-0000-7000-8000-000000000008"
      },
      "key": "01990000-0000-7000-8000-000000000008",
      "name": "broadcast.import.completed",
      "version": 1
    }
    "#);
}

/// By the text of both files: whoever adds an event adds its snapshot.
#[test]
fn no_event_is_missing() {
    let (events, this) = (include_str!("../../src/events.rs"), include_str!("events.rs"));
    let declared: Vec<&str> = events
        .lines()
        .filter_map(|line| line.strip_prefix("impl Event for ")?.strip_suffix(" {"))
        .collect();
    assert!(declared.len() >= 8, "events are not recognised: {declared:?}");
    for name in declared {
        assert!(
            this.contains(&format!("let event = {name} {{")),
            "{name} has no snapshot"
        );
    }
}

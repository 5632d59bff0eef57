//! What travels: every event as other programs read it. A change here is a change of a public contract.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::{DateTime, Utc};
use plaza_contracts::events::{
    BroadcastSend, ButtonValue, CampaignStateChanged, ConfigChanged, ImportCompleted, InboundReceived, Media,
    MemberRemoved, MemberRoleChanged, MessageContent, NotificationRequested, OptOutRecorded, OutgoingMessage,
    OwnerProvisioned, SenderDegraded, SourceSettled, SourceTripped, TemplateButton, TemplateHeader,
    TemplateStateChanged, TenantCreated, TenantDeleted, TenantStateChanged, UserRegistered, WebhookReceived,
};
use plaza_kernel::{Event, SystemRole};
use serde_json::{Value, json};
use uuid::Uuid;

/// Where they are declared.
const EVENTS: [&str; 3] = [
    include_str!("../../src/events.rs"),
    include_str!("../../src/events/life.rs"),
    include_str!("../../src/events/outcomes.rs"),
];

/// A time of its own.
fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

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
                header: None,
                buttons: Vec::new(),
            },
            class: None,
            zone: None,
            expires_at: None,
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

/// All that a message can say, and nothing that it does not: old readers and old rows know the shortest form.
#[test]
fn every_content_is_read_as_it_was_written() {
    let template = |header, buttons| MessageContent::Template {
        name: "order_ready".to_owned(),
        language: "de".to_owned(),
        body: Vec::new(),
        header,
        buttons,
    };
    let link = || Media::Link("https://acme.example/a.pdf".to_owned());
    let button = |index, value| TemplateButton { index, value };
    let text = |preview_url, reply_to| MessageContent::Text {
        body: "Hello".to_owned(),
        preview_url,
        reply_to,
    };
    for (content, written) in [
        (
            template(
                Some(TemplateHeader::Text {
                    text: "Ada".to_owned(),
                }),
                Vec::new(),
            ),
            json!({"type": "template", "name": "order_ready", "language": "de", "body": [],
                   "header": {"type": "text", "text": "Ada"}}),
        ),
        (
            template(
                Some(TemplateHeader::Image {
                    media: Media::Id("17".to_owned()),
                }),
                Vec::new(),
            ),
            json!({"type": "template", "name": "order_ready", "language": "de", "body": [],
                   "header": {"type": "image", "media": {"id": "17"}}}),
        ),
        (
            template(Some(TemplateHeader::Video { media: link() }), Vec::new()),
            json!({"type": "template", "name": "order_ready", "language": "de", "body": [],
                   "header": {"type": "video", "media": {"link": "https://acme.example/a.pdf"}}}),
        ),
        (
            template(
                Some(TemplateHeader::Document {
                    media: link(),
                    filename: Some("a.pdf".to_owned()),
                }),
                vec![
                    button(0, ButtonValue::Url("o/1".to_owned())),
                    button(1, ButtonValue::QuickReply("later".to_owned())),
                    button(2, ButtonValue::Code("1234".to_owned())),
                ],
            ),
            json!({"type": "template", "name": "order_ready", "language": "de", "body": [],
                   "header": {"type": "document", "media": {"link": "https://acme.example/a.pdf"}, "filename": "a.pdf"},
                   "buttons": [{"index": 0, "value": {"url": "o/1"}}, {"index": 1, "value": {"quick_reply": "later"}},
                               {"index": 2, "value": {"code": "1234"}}]}),
        ),
        (text(false, None), json!({"type": "text", "body": "Hello"})),
        (
            text(true, Some("wamid.1".to_owned())),
            json!({"type": "text", "body": "Hello", "preview_url": true, "reply_to": "wamid.1"}),
        ),
        (
            MessageContent::Read {
                provider_id: "wamid.2".to_owned(),
            },
            json!({"type": "read", "provider_id": "wamid.2"}),
        ),
    ] {
        assert_eq!(serde_json::to_value(&content).unwrap(), written);
        assert_eq!(
            serde_json::from_value::<MessageContent>(written).unwrap(),
            content
        );
    }
}

#[test]
fn tenant_state_changed() {
    let event = TenantStateChanged {
        tenant_id: uuid(1).to_string().parse().unwrap(),
        from: "active".to_owned(),
        to: "deleting".to_owned(),
        at: at(),
        delete_after: Some(at()),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "at": "2027-01-15T08:00:00Z",
        "delete_after": "2027-01-15T08:00:00Z",
        "from": "active",
        "tenant_id": "01990000-0000-7000-8000-000000000001",
        "to": "deleting"
      },
      "key": "01990000-0000-7000-8000-000000000001",
      "name": "tenancy.tenant.state_changed",
      "version": 1
    }
    "#);
}

#[test]
fn tenant_deleted() {
    let event = TenantDeleted {
        tenant_id: uuid(1).to_string().parse().unwrap(),
        slug: "acme".to_owned(),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "slug": "acme",
        "tenant_id": "01990000-0000-7000-8000-000000000001"
      },
      "key": "01990000-0000-7000-8000-000000000001",
      "name": "tenancy.tenant.deleted",
      "version": 1
    }
    "#);
}

#[test]
fn config_changed() {
    let event = ConfigChanged {
        tenant_id: uuid(1).to_string().parse().unwrap(),
        namespace: "branding".to_owned(),
        version: 3,
        document: json!({"display_name": "Acme"}),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "document": {
          "display_name": "Acme"
        },
        "namespace": "branding",
        "tenant_id": "01990000-0000-7000-8000-000000000001",
        "version": 3
      },
      "key": "01990000-0000-7000-8000-000000000001:branding",
      "name": "tenancy.config.changed",
      "version": 1
    }
    "#);
}

#[test]
fn member_role_changed() {
    let event = MemberRoleChanged {
        user_id: id(2),
        role: SystemRole::Member,
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "role": "member",
        "user_id": "01990000-0000-7000-8000-000000000002"
      },
      "key": "01990000-0000-7000-8000-000000000002",
      "name": "identity.member.role_changed",
      "version": 1
    }
    "#);
}

#[test]
fn member_removed() {
    let event = MemberRemoved { user_id: id(2) };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "user_id": "01990000-0000-7000-8000-000000000002"
      },
      "key": "01990000-0000-7000-8000-000000000002",
      "name": "identity.member.removed",
      "version": 1
    }
    "#);
}

#[test]
fn notification_requested() {
    let event = NotificationRequested {
        source: format!("order:{}", uuid(9)),
        sender_id: None,
        messages: vec![OutgoingMessage {
            message_id: id(5),
            channel: "sms".to_owned(),
            to: "+12025550111".to_owned(),
            content: MessageContent::Text {
                body: "Ready".to_owned(),
                preview_url: false,
                reply_to: None,
            },
            class: Some("utility".to_owned()),
            zone: Some("America/New_York".to_owned()),
            expires_at: Some(at()),
        }],
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "messages": [
          {
            "channel": "sms",
            "class": "utility",
            "content": {
              "body": "Ready",
              "type": "text"
            },
            "expires_at": "2027-01-15T08:00:00Z",
            "message_id": "01990000-0000-7000-8000-000000000005",
            "to": "+12025550111",
            "zone": "America/New_York"
          }
        ],
        "source": "order:01990000-0000-7000-8000-000000000009"
      },
      "key": "order:01990000-0000-7000-8000-000000000009",
      "name": "notification.requested",
      "version": 1
    }
    "#);
}

#[test]
fn source_tripped() {
    let event = SourceTripped {
        source: format!("campaign:{}", uuid(3)),
        sender_id: id(4),
        class: "template".to_owned(),
        code: "132015".to_owned(),
        failed: 50,
        tried: 200,
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "class": "template",
        "code": "132015",
        "failed": 50,
        "sender_id": "01990000-0000-7000-8000-000000000004",
        "source": "campaign:01990000-0000-7000-8000-000000000003",
        "tried": 200
      },
      "key": "campaign:01990000-0000-7000-8000-000000000003",
      "name": "notification.source.tripped",
      "version": 1
    }
    "#);
}

#[test]
fn inbound_received() {
    let event = InboundReceived {
        conversation_id: id(10),
        message_id: id(5),
        sender_id: id(4),
        channel: "whatsapp".to_owned(),
        kind: "text".to_owned(),
        at: at(),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "at": "2027-01-15T08:00:00Z",
        "channel": "whatsapp",
        "conversation_id": "01990000-0000-7000-8000-00000000000a",
        "kind": "text",
        "message_id": "01990000-0000-7000-8000-000000000005",
        "sender_id": "01990000-0000-7000-8000-000000000004"
      },
      "key": "01990000-0000-7000-8000-00000000000a",
      "name": "broadcast.inbound.received",
      "version": 1
    }
    "#);
}

#[test]
fn optout_recorded() {
    let event = OptOutRecorded {
        channel: "whatsapp".to_owned(),
        address: "+12025550111".to_owned(),
        scope: "all".to_owned(),
        action: "out".to_owned(),
        source: "stop".to_owned(),
        at: at(),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "action": "out",
        "address": "+12025550111",
        "at": "2027-01-15T08:00:00Z",
        "channel": "whatsapp",
        "scope": "all",
        "source": "stop"
      },
      "key": "whatsapp:+12025550111",
      "name": "broadcast.optout.recorded",
      "version": 1
    }
    "#);
}

#[test]
fn template_state_changed() {
    let event = TemplateStateChanged {
        sender_id: id(4),
        name: "spring_sale".to_owned(),
        language: "en".to_owned(),
        state: "paused".to_owned(),
        reason: "low quality".to_owned(),
        at: at(),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "at": "2027-01-15T08:00:00Z",
        "language": "en",
        "name": "spring_sale",
        "reason": "low quality",
        "sender_id": "01990000-0000-7000-8000-000000000004",
        "state": "paused"
      },
      "key": "01990000-0000-7000-8000-000000000004:spring_sale:en",
      "name": "broadcast.template.state_changed",
      "version": 1
    }
    "#);
}

#[test]
fn sender_degraded() {
    let event = SenderDegraded {
        sender_id: id(4),
        status: "needs_auth".to_owned(),
        class: "credentials".to_owned(),
        code: "190".to_owned(),
        at: at(),
    };
    insta::assert_json_snapshot!(travelling(&event), @r#"
    {
      "body": {
        "at": "2027-01-15T08:00:00Z",
        "class": "credentials",
        "code": "190",
        "sender_id": "01990000-0000-7000-8000-000000000004",
        "status": "needs_auth"
      },
      "key": "01990000-0000-7000-8000-000000000004",
      "name": "broadcast.sender.degraded",
      "version": 1
    }
    "#);
}

/// By the text of the files: whoever adds an event adds its snapshot.
#[test]
fn no_event_is_missing() {
    let this = include_str!("events.rs");
    let declared: Vec<&str> = EVENTS
        .iter()
        .flat_map(|file| file.lines())
        .filter_map(|line| line.strip_prefix("impl Event for ")?.strip_suffix(" {"))
        .collect();
    assert!(declared.len() >= 18, "events are not recognised: {declared:?}");
    for name in declared {
        assert!(
            this.contains(&format!("let event = {name} {{")),
            "{name} has no snapshot"
        );
    }
}

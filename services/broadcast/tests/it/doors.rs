//! The gRPC API: the same verbs as the routes, for whoever may.

use std::collections::HashSet;

use plaza_contracts::proto::broadcast::broadcast_client::BroadcastClient;
use plaza_contracts::proto::broadcast::imports_client::ImportsClient;
use plaza_contracts::proto::broadcast::recipients_client::RecipientsClient;
use plaza_contracts::proto::broadcast::templates_client::TemplatesClient;
use plaza_contracts::proto::broadcast::variable::Source;
use plaza_contracts::proto::broadcast::{
    AddRecipientRequest, Audience, CreateCampaignRequest, CreateTemplateRequest, DeleteRecipientRequest,
    GetCampaignRequest, GetImportRequest, GetRecipientRequest, GetTemplateRequest, ListCampaignsRequest,
    ListImportErrorsRequest, ListImportsRequest, ListLogRequest, ListPlanRequest, ListRecipientsRequest,
    ListTemplatesRequest, SendCampaignRequest, Variable,
};
use plaza_kernel::{Caller, Failure, Kind};
use plaza_rpc::{Carried, RpcError, carry};
use plaza_testkit::callers;
use serde_json::json;
use tonic::Status;

use crate::town::{Owner, Town, id_of};

#[track_caller]
fn assert_failed<T: std::fmt::Debug>(answer: Result<T, Status>, kind: Kind, code: &str) {
    let error = RpcError::from(answer.unwrap_err());
    assert_eq!((error.kind(), error.code()), (kind, code));
}

fn hello(owner: &Owner) -> CreateTemplateRequest {
    let variable = |source, default: Option<&str>| Variable {
        source: Some(source),
        default: default.map(str::to_owned),
    };
    CreateTemplateRequest {
        tenant_id: owner.tenant.to_string(),
        name: "hello".to_owned(),
        language: "en".to_owned(),
        category: "MARKETING".to_owned(),
        body: "Hello {{1}}, {{2}} off!".to_owned(),
        variables: vec![
            variable(Source::Field("name".to_owned()), Some("there")),
            variable(Source::Literal("20 %".to_owned()), None),
        ],
    }
}

#[tokio::test]
async fn a_campaign_is_made_sent_and_looked_at() {
    let town = Town::awake().await;
    let (owner, rival) = (town.owner(), town.owner());
    let tenant_id = owner.tenant.to_string();
    let mut templates = TemplatesClient::new(town.transport());
    let mut campaigns = BroadcastClient::new(town.transport());
    let ada = json!({"phone": "+4915117404120", "name": "Ada", "opted_in": true});
    owner.post("/recipients", &ada).await.assert_ok();
    owner
        .post("/recipients", &json!({"phone": "+4915117404121"}))
        .await
        .assert_ok();
    let template = templates
        .create_template(hello(&owner))
        .await
        .unwrap()
        .into_inner();
    let new = CreateCampaignRequest {
        tenant_id: tenant_id.clone(),
        name: "Spring".to_owned(),
        template_id: template.template_id,
        ..CreateCampaignRequest::default()
    };
    let draft = campaigns.create_campaign(new.clone()).await.unwrap().into_inner();
    assert_eq!(
        (draft.state.as_str(), draft.class.as_str()),
        ("draft", "marketing")
    );
    assert_eq!(draft.audience.clone().unwrap().opted_in, Some(true));
    let everybody = Audience {
        opted_in: Some(false),
        ..Audience::default()
    };
    for spoilt in [
        CreateCampaignRequest {
            audience: Some(everybody),
            ..new.clone()
        },
        CreateCampaignRequest {
            class: "gossip".to_owned(),
            ..new
        },
    ] {
        assert_failed(
            campaigns.create_campaign(spoilt).await,
            Kind::Invalid,
            "INVALID_BODY",
        );
    }

    let (id, send) = (draft.campaign_id.clone(), |tenant: &Owner| SendCampaignRequest {
        tenant_id: tenant.tenant.to_string(),
        campaign_id: draft.campaign_id.clone(),
    });
    assert_failed(
        campaigns.send_campaign(send(&rival)).await,
        Kind::NotFound,
        "CAMPAIGN_NOT_FOUND",
    );
    campaigns.send_campaign(send(&owner)).await.unwrap();
    let again = campaigns.send_campaign(send(&owner)).await;
    assert_failed(again, Kind::Conflict, "CAMPAIGN_STATE");
    owner
        .waited(&format!("/campaigns/{id}"), |state| state == "running")
        .await;

    town.notification.says(|says| {
        says.open = true;
        says.counts.insert("queued".to_owned(), 1);
    });
    let get = |tenant: &Owner, with_counts| GetCampaignRequest {
        tenant_id: tenant.tenant.to_string(),
        campaign_id: id.clone(),
        with_counts,
    };
    let found = campaigns
        .get_campaign(get(&owner, true))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (
            found.planned["send"],
            found.planned["no_consent"],
            found.counts["queued"]
        ),
        (1, 1, 1)
    );
    assert!(
        campaigns
            .get_campaign(get(&owner, false))
            .await
            .unwrap()
            .into_inner()
            .counts
            .is_empty()
    );
    assert_failed(
        campaigns.get_campaign(get(&rival, true)).await,
        Kind::NotFound,
        "CAMPAIGN_NOT_FOUND",
    );
    let rubbish = GetCampaignRequest {
        campaign_id: "rubbish".to_owned(),
        ..get(&owner, false)
    };
    assert_failed(campaigns.get_campaign(rubbish).await, Kind::Invalid, "INVALID_ID");

    let plan = |reason: &str, excluded| ListPlanRequest {
        tenant_id: tenant_id.clone(),
        campaign_id: id.clone(),
        reason: reason.to_owned(),
        excluded,
        cursor: String::new(),
        limit: 0,
    };
    for (request, reasons) in [
        (plan("", false), vec!["send", "no_consent"]),
        (plan("", true), vec!["no_consent"]),
        (plan("send", false), vec!["send"]),
    ] {
        let rows = campaigns.list_plan(request).await.unwrap().into_inner().rows;
        assert_eq!(
            rows.iter().map(|row| row.reason.as_str()).collect::<Vec<_>>(),
            reasons
        );
    }
    assert_failed(
        campaigns.list_plan(plan("whim", false)).await,
        Kind::Invalid,
        "INVALID_QUERY",
    );
    let log = |state: &str| ListLogRequest {
        tenant_id: tenant_id.clone(),
        campaign_id: id.clone(),
        state: state.to_owned(),
        cursor: String::new(),
        limit: 0,
    };
    assert!(
        campaigns
            .list_log(log("read"))
            .await
            .unwrap()
            .into_inner()
            .entries
            .is_empty()
    );
    assert_failed(
        campaigns.list_log(log("lost")).await,
        Kind::Invalid,
        "INVALID_QUERY",
    );
}

#[tokio::test]
async fn lists_come_in_pages_of_ones_own() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    for _ in 0..3 {
        let template = owner.all("/templates").await;
        let template = match template.first() {
            Some(template) => template["id"].clone(),
            None => json!(owner.template().await),
        };
        let body = json!({"name": "Spring", "template_id": template});
        owner.post("/campaigns", &body).await.assert_ok();
    }
    let mut client = BroadcastClient::new(town.transport());
    let list = |tenant: &Owner, cursor: String| ListCampaignsRequest {
        tenant_id: tenant.tenant.to_string(),
        cursor,
        limit: 2,
    };
    let first = client
        .list_campaigns(list(&owner, String::new()))
        .await
        .unwrap()
        .into_inner();
    let last = client
        .list_campaigns(list(&owner, first.next_cursor))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (
            first.campaigns.len(),
            last.campaigns.len(),
            last.next_cursor.as_str()
        ),
        (2, 1, "")
    );
    let all = first.campaigns.iter().chain(&last.campaigns);
    assert_eq!(
        all.map(|campaign| &campaign.campaign_id)
            .collect::<HashSet<_>>()
            .len(),
        3
    );
    let none = client
        .list_campaigns(list(&rival, String::new()))
        .await
        .unwrap()
        .into_inner();
    assert!(none.campaigns.is_empty());
    let mut bad = list(&owner, "x".to_owned());
    assert_failed(
        client.list_campaigns(bad.clone()).await,
        Kind::Invalid,
        "INVALID_PAGE",
    );
    (bad.cursor, bad.limit) = (String::new(), 201);
    assert_failed(client.list_campaigns(bad).await, Kind::Invalid, "INVALID_PAGE");
}

#[tokio::test]
async fn a_template_comes_back_as_it_was_made() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let mut client = TemplatesClient::new(town.transport());
    let made = client.create_template(hello(&owner)).await.unwrap().into_inner();
    assert_eq!(made.variables, hello(&owner).variables);
    assert_failed(
        client.create_template(hello(&owner)).await,
        Kind::Conflict,
        "TEMPLATE_EXISTS",
    );
    let mut nothing = hello(&owner);
    nothing.variables[0].source = None;
    assert_failed(
        client.create_template(nothing).await,
        Kind::Invalid,
        "INVALID_BODY",
    );
    let get = |tenant: &Owner| GetTemplateRequest {
        tenant_id: tenant.tenant.to_string(),
        template_id: made.template_id.clone(),
    };
    assert_eq!(client.get_template(get(&owner)).await.unwrap().into_inner(), made);
    assert_failed(
        client.get_template(get(&rival)).await,
        Kind::NotFound,
        "TEMPLATE_NOT_FOUND",
    );
    let list = ListTemplatesRequest {
        tenant_id: owner.tenant.to_string(),
        cursor: String::new(),
        limit: 0,
    };
    assert_eq!(
        client.list_templates(list).await.unwrap().into_inner().templates,
        std::slice::from_ref(&made)
    );
}

#[tokio::test]
async fn a_recipient_is_added_found_and_removed() {
    let town = Town::asleep(|_| {}).await;
    let (owner, rival) = (town.owner(), town.owner());
    let mut client = RecipientsClient::new(town.transport());
    let new = AddRecipientRequest {
        tenant_id: owner.tenant.to_string(),
        phone: "01511 7404120".to_owned(),
        country: "DE".to_owned(),
        name: "Ada".to_owned(),
        attrs: [("city".to_owned(), "Berlin".to_owned())].into(),
        opted_in: Some(true),
        ..AddRecipientRequest::default()
    };
    let added = client.add_recipient(new.clone()).await.unwrap().into_inner();
    assert_eq!(
        (added.phone.as_str(), added.consent.as_str()),
        ("+4915117404120", "granted")
    );
    assert_eq!(added.attrs["city"], "Berlin");
    assert_failed(
        client.add_recipient(new.clone()).await,
        Kind::Conflict,
        "RECIPIENT_EXISTS",
    );
    let nobody = AddRecipientRequest {
        phone: String::new(),
        ..new
    };
    assert_failed(client.add_recipient(nobody).await, Kind::Invalid, "INVALID_BODY");
    let list = |phone: &str| ListRecipientsRequest {
        tenant_id: owner.tenant.to_string(),
        phone: phone.to_owned(),
        import_id: String::new(),
        cursor: String::new(),
        limit: 0,
    };
    let found = client
        .list_recipients(list("+4915117404120"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.recipients, std::slice::from_ref(&added));
    assert_failed(
        client.list_recipients(list("call me")).await,
        Kind::Invalid,
        "INVALID_QUERY",
    );
    let delete = |tenant: &Owner| DeleteRecipientRequest {
        tenant_id: tenant.tenant.to_string(),
        recipient_id: added.recipient_id.clone(),
    };
    let answer = client.delete_recipient(delete(&rival)).await;
    assert_failed(answer, Kind::NotFound, "RECIPIENT_NOT_FOUND");
    client.delete_recipient(delete(&owner)).await.unwrap();
    let get = GetRecipientRequest {
        tenant_id: owner.tenant.to_string(),
        recipient_id: added.recipient_id.clone(),
    };
    assert_failed(
        client.get_recipient(get).await,
        Kind::NotFound,
        "RECIPIENT_NOT_FOUND",
    );
}

#[tokio::test]
async fn an_import_is_followed() {
    let town = Town::awake().await;
    let (owner, rival) = (town.owner(), town.owner());
    let reply = owner.upload(b"phone\n+4915117404120\nnone\n", None).await;
    let id = id_of(&reply);
    owner.end_of_import(&id).await;
    let mut client = ImportsClient::new(town.transport());
    let get = |tenant: &Owner| GetImportRequest {
        tenant_id: tenant.tenant.to_string(),
        import_id: id.clone(),
    };
    let import = client.get_import(get(&owner)).await.unwrap().into_inner();
    assert_eq!((import.state.as_str(), import.rows_done), ("done_with_errors", 2));
    assert_eq!((import.counts["valid"], import.counts["invalid_phone"]), (1, 1));
    assert!(import.error.is_none() && !import.finished_at.is_empty());
    assert_eq!(import.mapping["phone"], "phone");
    assert_failed(
        client.get_import(get(&rival)).await,
        Kind::NotFound,
        "IMPORT_NOT_FOUND",
    );
    let errors = |after_row| ListImportErrorsRequest {
        tenant_id: owner.tenant.to_string(),
        import_id: id.clone(),
        after_row,
    };
    let rows = client
        .list_import_errors(errors(0))
        .await
        .unwrap()
        .into_inner()
        .rows;
    assert_eq!(
        (rows.len(), rows[0].row, rows[0].class.as_str()),
        (1, 3, "invalid_phone")
    );
    assert!(
        client
            .list_import_errors(errors(3))
            .await
            .unwrap()
            .into_inner()
            .rows
            .is_empty()
    );
    let list = ListImportsRequest {
        tenant_id: owner.tenant.to_string(),
        cursor: String::new(),
        limit: 0,
    };
    assert_eq!(
        client.list_imports(list).await.unwrap().into_inner().imports,
        [import]
    );
}

#[tokio::test]
async fn who_asks_for_a_person_asks_for_that_persons_tenant_and_no_more_than_the_person_may() {
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let client = BroadcastClient::new(town.transport());
    let for_person = |caller: Caller| {
        let mut client = client.clone();
        let list = ListCampaignsRequest {
            tenant_id: owner.tenant.to_string(),
            cursor: String::new(),
            limit: 0,
        };
        let carried = Carried {
            caller: Some(caller),
            ..Carried::default()
        };
        carry(carried, async move { client.list_campaigns(list).await })
    };
    assert!(for_person(callers::owner(owner.tenant)).await.is_ok());
    for stranger in [callers::owner(callers::tenant()), callers::platform_admin()] {
        assert_failed(for_person(stranger).await, Kind::Forbidden, "OTHER_TENANT");
    }
    // Access is not here: what a member may do is not known.
    let answer = for_person(callers::member(owner.tenant)).await;
    assert_failed(answer, Kind::Unavailable, "SERVICE_UNAVAILABLE");
}

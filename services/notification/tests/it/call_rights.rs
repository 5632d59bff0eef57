//! The gRPC door asks a person for the permission that the HTTP door asks for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use plaza_contracts::permissions::{CATALOGUE, ViewLogs, ViewSuppressions};
use plaza_contracts::proto::access::access_server::{Access, AccessServer};
use plaza_contracts::proto::access::{
    BatchCheckReply, BatchCheckRequest, CheckReply, CheckRequest, ExplainReply, ExplainRequest, GrantsReply,
    GrantsRequest, VersionReply, VersionRequest,
};
use plaza_contracts::proto::notification::notification_client::NotificationClient;
use plaza_contracts::proto::notification::{
    GetMessageRequest, MessagesRequest, ReceiptsRequest, SuppressedRequest,
};
use plaza_contracts::services::{ACCESS, BROADCAST, NOTIFICATION};
use plaza_kernel::{Caller, Clock, Permission, PermissionSet};
use plaza_notification::Notification;
use plaza_rpc::{Carried, Directory, RpcError, RpcSettings, Transport, carry};
use plaza_testkit::callers;
use tonic::service::Routes;
use tonic::{Request, Response, Status, async_trait};

use crate::stage::{Stage, quick};

/// What each member may do, by id.
#[derive(Clone, Default)]
struct StubAccess(Arc<Mutex<HashMap<String, PermissionSet>>>);

#[async_trait]
impl Access for StubAccess {
    async fn version(&self, _: Request<VersionRequest>) -> Result<Response<VersionReply>, Status> {
        Ok(Response::new(VersionReply { version: 1 }))
    }

    async fn grants(&self, request: Request<GrantsRequest>) -> Result<Response<GrantsReply>, Status> {
        let granted = self.0.lock().unwrap().get(&request.get_ref().user_id).copied();
        let words = granted.unwrap_or_default().words().to_vec();
        Ok(Response::new(GrantsReply { version: 1, words }))
    }

    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn batch_check(&self, _: Request<BatchCheckRequest>) -> Result<Response<BatchCheckReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn explain(&self, _: Request<ExplainRequest>) -> Result<Response<ExplainReply>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

/// The stage's service with an access beside it, as broadcast calls it.
fn beside(stage: &Stage, access: &StubAccess) -> NotificationClient<Transport> {
    let directory = Directory::new(RpcSettings::default());
    directory.host(ACCESS, Routes::new(AccessServer::new(access.clone())));
    let notification = Notification::new(
        stage.config.clone(),
        stage.database.of(NOTIFICATION),
        &directory.acting_as(NOTIFICATION),
        Clock::system(),
        stage.keys.clone(),
    );
    directory.host(NOTIFICATION, notification.unwrap().grpc());
    NotificationClient::new(directory.acting_as(BROADCAST).transport(NOTIFICATION))
}

#[tokio::test]
async fn a_person_sees_messages_receipts_and_suppressions_by_the_right_that_routes_demand() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let access = StubAccess::default();
    let client = beside(&stage, &access);
    let message_id = stage.queue_one("+4915117404120").await.to_string();
    let tenant_id = stage.tenant.to_string();
    let calls = async || {
        let mut client = client.clone();
        let (tenant_id, message_id) = (|| tenant_id.clone(), || message_id.clone());
        let list = MessagesRequest {
            tenant_id: tenant_id(),
            ..MessagesRequest::default()
        };
        let one = GetMessageRequest {
            tenant_id: tenant_id(),
            message_id: message_id(),
        };
        let receipts = ReceiptsRequest {
            tenant_id: tenant_id(),
            message_id: message_id(),
        };
        let suppressed = SuppressedRequest {
            tenant_id: tenant_id(),
            channel: "whatsapp".to_owned(),
            addresses: vec!["+4915117404120".to_owned()],
            class: String::new(),
        };
        [
            ("Messages", ViewLogs::BIT, client.messages(list).await.err()),
            ("GetMessage", ViewLogs::BIT, client.get_message(one).await.err()),
            ("Receipts", ViewLogs::BIT, client.receipts(receipts).await.err()),
            (
                "Suppressed",
                ViewSuppressions::BIT,
                client.suppressed(suppressed).await.err(),
            ),
        ]
    };
    for entry in CATALOGUE {
        let person = callers::member(stage.tenant);
        let granted = PermissionSet::none().with(entry.bit);
        access
            .0
            .lock()
            .unwrap()
            .insert(person.subject.to_string(), granted);
        for (method, needed, refusal) in carry(for_person(&person), calls()).await {
            let refused = refusal.map(|status| RpcError::from(status).is("FORBIDDEN"));
            let expected = (entry.bit != needed).then_some(true);
            assert_eq!(refused, expected, "{method}: {}.{}", entry.menu, entry.action);
        }
    }
    for (method, _, refusal) in carry(for_person(&callers::owner(stage.tenant)), calls()).await {
        assert!(refusal.is_none(), "{method}: an owner may do everything");
    }
    for (method, _, refusal) in calls().await {
        assert!(refusal.is_none(), "{method}: a service asks by itself");
    }
}

fn for_person(person: &Caller) -> Carried {
    Carried {
        caller: Some(person.clone()),
        ..Carried::default()
    }
}

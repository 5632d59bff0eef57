//! One request for an operation, as complete as it has to be for the decision to show instead of a complaint about the
//! body: ids are of the first tenant, and what a request may use up is made for it.

use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::operations::Operation;
use super::stage::{Actor, Objects, Stage, id};
use crate::client::{Answer, Api, answer};
use crate::front::Front;
use crate::story;

impl Stage {
    /// Asks for the operation on an object of the first tenant.
    pub(super) async fn ask(&self, operation: &Operation, actor: &Actor) -> Answer {
        let ids = self.throw_away(operation).await;
        let api = match operation.id.as_str() {
            "logout" => self.another_session(actor).await,
            _ => actor.api.clone(),
        };
        answer(self.request(operation, &api, &ids).await).await
    }

    /// A request for the operation on these objects.
    pub(super) async fn request(&self, operation: &Operation, api: &Api, ids: &[String]) -> RequestBuilder {
        let request = api.request(operation.method.clone(), &operation.at(ids));
        match (operation.id.as_str(), self.body(operation).await) {
            ("import_recipients", _) => {
                let file = reqwest::multipart::Part::text("name,phone,opted_in\nDora,+4915117406120,yes\n");
                let file = file.file_name("people.csv").mime_str("text/csv").unwrap();
                request.multipart(reqwest::multipart::Form::new().part("file", file))
            }
            (_, Some(body)) => request.json(&body),
            (_, None) => request,
        }
    }

    /// The ids of the path: objects of their own where the operation changes them.
    async fn throw_away(&self, operation: &Operation) -> Vec<String> {
        let owner = &self.acme.owner;
        let make = async |path: &str, body: Value| vec![id(&owner.post(path, body).await.ok())];
        let number = self.number();
        match operation.id.as_str() {
            "delete_recipient" => make("/api/v1/broadcast/recipients", recipient(number)).await,
            "lift_suppression" => make("/api/v1/notifications/suppressions", suppression(number)).await,
            "delete_role" => make("/api/v1/admin/roles", role(number)).await,
            "unassign_role" => {
                let [role] = &make("/api/v1/admin/roles", role(number)).await[..] else {
                    unreachable!()
                };
                let path = format!("/api/v1/admin/roles/{role}/assignments");
                owner.post(&path, json!({"user_id": self.acmes.user})).await.ok();
                vec![role.clone(), self.acmes.user.clone()]
            }
            // To nobody: nothing is really sent.
            "send_campaign" => {
                let audience = json!({"opted_in": true, "country": "IS"});
                let body =
                    json!({"name": "Nobody", "template_id": self.acmes.template, "audience": audience});
                make("/api/v1/broadcast/campaigns", body).await
            }
            "create_owner_link" => vec![self.pending.clone()],
            _ => operation
                .collections()
                .into_iter()
                .map(|collection| self.acmes.of(collection))
                .collect(),
        }
    }

    /// The body. One that is not known here is empty: the row in the matrix then shows a complaint.
    async fn body(&self, operation: &Operation) -> Option<Value> {
        let number = self.number();
        let email = format!("guest{number}@acme.example");
        let body = match operation.id.as_str() {
            _ if operation.method == Method::GET || operation.method == Method::DELETE => return None,
            "logout" | "send_campaign" | "create_owner_link" | "resume_sender" => return None,
            "login" => json!({"email": "owner@acme.example", "password": story::PASSWORD}),
            "refresh" => {
                let login = json!({"email": "owner@acme.example", "password": story::PASSWORD});
                let pair = self.plaza.api().post("/api/v1/auth/login", login).await.ok();
                json!({"refresh_token": pair["refresh_token"]})
            }
            "register" => json!({"email": email, "password": story::PASSWORD, "tenant": "acme"}),
            "setup" => {
                let invited = self
                    .acme
                    .owner
                    .post("/api/v1/auth/users", json!({"email": email}))
                    .await
                    .ok();
                json!({"token": invited["token"], "email": email, "password": story::PASSWORD})
            }
            "create_user" => json!({"email": email}),
            "create_tenant" => json!({"slug": format!("t{number}"), "name": "T", "admin_email": email}),
            "create_role" => role(number),
            "assign_role" => json!({"user_id": self.acmes.user}),
            "add_recipient" => recipient(number),
            "create_template" => {
                let name = format!("template_{number}");
                json!({"name": name, "language": "en", "category": "UTILITY", "body": "Hello"})
            }
            "create_campaign" => json!({"name": "Spring", "template_id": self.acmes.template}),
            "create_sender" => {
                let account = format!("2065403522{number}");
                json!({"name": format!("Sender {number}"), "phone_number_id": account, "access_token": "token"})
            }
            "renew_sender_token" => json!({"access_token": "another-token"}),
            "suppress" => suppression(number),
            _ => json!({}),
        };
        Some(body)
    }
}

impl Objects {
    /// The object that a path names behind this collection.
    pub(super) fn of(&self, collection: &str) -> String {
        let id = match collection {
            "tenants" => &self.tenant,
            "users" | "assignments" => &self.user,
            "roles" => &self.role,
            "senders" => &self.sender,
            "suppressions" => &self.suppression,
            "recipients" => &self.recipient,
            "imports" => &self.import,
            "templates" => &self.template,
            "campaigns" => &self.campaign,
            "messages" => &self.message,
            _ => panic!("the matrix needs an object for paths of `{collection}`: make one in `stage.rs`"),
        };
        id.clone()
    }
}

fn recipient(number: u32) -> Value {
    json!({"name": "Guest", "phone": format!("+491511741{number:04}"), "opted_in": true})
}

fn suppression(number: u32) -> Value {
    json!({"address": format!("+491511742{number:04}")})
}

fn role(number: u32) -> Value {
    json!({"name": format!("Role {number}"), "permissions": ["campaigns.view"]})
}

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
        answer(self.prepared(operation, actor).await).await
    }

    /// The same request, and all that it needs made.
    pub(super) async fn prepared(&self, operation: &Operation, actor: &Actor) -> RequestBuilder {
        let mut ids = self.throw_away(operation).await;
        let api = match operation.id.as_str() {
            "logout" => self.another_session(actor).await,
            // What ends the sessions of an account is asked for by somebody whom nobody misses.
            "logout_all" | "change_password" => self.somebody_else(actor).await,
            _ => actor.api.clone(),
        };
        if operation.id == "end_my_session" && actor.email.is_some() {
            let session = self.another_session(actor).await;
            let me = session.get("/api/v1/auth/me").await.ok();
            ids = vec![me["session_id"].as_str().unwrap().to_owned()];
        }
        self.request(operation, &api, &ids).await
    }

    /// A request for the operation on these objects.
    pub(super) async fn request(&self, operation: &Operation, api: &Api, ids: &[String]) -> RequestBuilder {
        let path = match operation.id.as_str() {
            "disable_menu" => format!("{}?tenant_id={}", operation.at(ids), self.spare),
            _ => operation.at(ids),
        };
        let request = api.request(operation.method.clone(), &path);
        match (operation.id.as_str(), self.body(operation).await) {
            ("import_recipients", _) => {
                let file = reqwest::multipart::Part::text("name,phone,opted_in\nDora,+4915117406120,yes\n");
                let file = file.file_name("people.csv").mime_str("text/csv").unwrap();
                request.multipart(reqwest::multipart::Form::new().part("file", file))
            }
            // What was just made is in its first version.
            ("update_campaign" | "update_template", Some(body)) => {
                request.header("if-match", "\"v1\"").json(&body)
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
            "delete_role" | "update_role" => make("/api/v1/admin/roles", role(number)).await,
            "delete_tenant" | "restore_tenant" | "suspend_tenant" | "resume_tenant" => {
                vec![self.spare.clone()]
            }
            "delete_secret" | "rotate_secret" => {
                let (key, tenant) = (format!("key-{number}"), &self.acmes.tenant);
                let path = format!("/api/v1/admin/tenants/{tenant}/secrets/messaging/{key}");
                let put = owner
                    .request(Method::PUT, &path)
                    .json(&json!({"value": "a secret"}));
                answer(put).await.ok();
                vec![tenant.clone(), "messaging".to_owned(), key]
            }
            "unassign_role" => {
                let [role] = &make("/api/v1/admin/roles", role(number)).await[..] else {
                    unreachable!()
                };
                let path = format!("/api/v1/admin/roles/{role}/assignments");
                owner.post(&path, json!({"user_id": self.acmes.user})).await.ok();
                vec![role.clone(), self.acmes.user.clone()]
            }
            // To nobody: nothing is really sent.
            "send_campaign" | "update_campaign" | "delete_campaign" | "preview_campaign"
            | "pause_campaign" | "resume_campaign" | "retry_failed" => {
                make("/api/v1/broadcast/campaigns", self.to_nobody()).await
            }
            // One that waits for its time is called off at once.
            "cancel_campaign" => {
                let mut body = self.to_nobody();
                body["schedule_at"] = json!("2099-01-15T08:00:00Z");
                let campaign = make("/api/v1/broadcast/campaigns", body).await;
                let path = format!("/api/v1/broadcast/campaigns/{}/send", campaign[0]);
                owner.post_nothing(&path).await.ok();
                campaign
            }
            "update_template" | "delete_template" => {
                make("/api/v1/broadcast/templates", template(number)).await
            }
            "create_owner_link" => vec![self.pending.clone()],
            "update_user" | "delete_user" => {
                make(
                    "/api/v1/auth/users",
                    json!({"email": format!("guest{number}@acme.example")}),
                )
                .await
            }
            _ => operation
                .collections()
                .into_iter()
                .map(|collection| self.acmes.of(collection))
                .collect(),
        }
    }

    /// A campaign whose audience has nobody in it.
    fn to_nobody(&self) -> Value {
        let audience = json!({"opted_in": true, "country": "IS"});
        json!({"name": "Nobody", "template_id": self.acmes.template, "audience": audience})
    }

    /// The body. One that is not known here is empty: the row in the matrix then shows a complaint.
    async fn body(&self, operation: &Operation) -> Option<Value> {
        let number = self.number();
        let email = format!("guest{number}@acme.example");
        let body = match operation.id.as_str() {
            _ if operation.method == Method::GET || operation.method == Method::DELETE => return None,
            "logout" | "send_campaign" | "create_owner_link" | "resume_sender" | "read_conversation" => {
                return None;
            }
            "pause_campaign" | "resume_campaign" | "cancel_campaign" | "preview_campaign"
            | "cancel_import" => return None,
            "restore_tenant" | "suspend_tenant" | "resume_tenant" | "rotate_secret" => return None,
            "logout_all" | "end_user_sessions" => return None,
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
            "forgot_password" | "resend_verification" => json!({"email": email}),
            "reset_password" => json!({"token": "used", "password": story::PASSWORD}),
            "verify_email" => json!({"token": "used"}),
            "change_password" => {
                json!({"current_password": story::PASSWORD, "new_password": "amber quarry 9 kestrels"})
            }
            "update_me" | "update_user" => json!({"name": "Guest"}),
            "create_tenant" => json!({"slug": format!("t{number}"), "name": "T", "admin_email": email}),
            "create_role" => role(number),
            "update_role" => json!({"name": format!("Renamed {number}")}),
            "assign_internal_role" => {
                json!({"tenant_id": self.acmes.tenant, "user_id": self.acmes.user, "role": "viewer"})
            }
            "enable_menu" => json!({"tenant_id": self.spare, "menu": "logs"}),
            "update_tenant" => json!({"name": "Acme"}),
            "put_tenant_config" => json!({"branding": {"display_name": "Acme"}}),
            "put_tenant_config_namespace" => json!({"display_name": "Acme"}),
            "put_secret" => json!({"value": "a secret"}),
            "assign_role" => json!({"user_id": self.acmes.user}),
            "add_recipient" => recipient(number),
            "create_template" | "update_template" => template(number),
            "create_campaign" => json!({"name": "Spring", "template_id": self.acmes.template}),
            "update_campaign" => json!({"name": "Summer"}),
            "estimate" => json!({"template_id": self.acmes.template}),
            "create_sender" => {
                let account = format!("2065403522{number}");
                json!({"name": format!("Sender {number}"), "phone_number_id": account, "access_token": "token"})
            }
            "renew_sender_token" => json!({"access_token": "another-token"}),
            "suppress" => suppression(number),
            "send_message" => json!({
                "channel": "whatsapp", "to": format!("+491511742{number:04}"),
                "template": {"name": "hello", "language": "en"},
            }),
            "reply_conversation" => json!({"text": "Hello"}),
            _ => json!({}),
        };
        Some(body)
    }
}

/// What paths name that is no tenant's: the same for all of them.
pub(super) const NAMES: [(&str, &str); 5] = [
    ("menus", "logs"),
    ("config", "branding"),
    ("secrets", "messaging"),
    ("{namespace}", "token"),
    // A laptop's.
    ("mails", "018f0000-0000-7000-8000-000000000000"),
];

impl Objects {
    /// The object that a path names behind this collection.
    pub(super) fn of(&self, collection: &str) -> String {
        let id = match collection {
            "tenants" => &self.tenant,
            "users" | "assignments" => &self.user,
            "sessions" => &self.session,
            "roles" => &self.role,
            // A provider's callbacks name the sender.
            "senders" | "status" | "inbound" => &self.sender,
            "suppressions" => &self.suppression,
            "recipients" => &self.recipient,
            "imports" => &self.import,
            "templates" => &self.template,
            "campaigns" => &self.campaign,
            "messages" => &self.message,
            "conversations" => &self.conversation,
            _ if NAMES.iter().any(|(known, _)| *known == collection) => {
                return NAMES
                    .iter()
                    .find(|(known, _)| *known == collection)
                    .unwrap()
                    .1
                    .to_owned();
            }
            _ => panic!("the matrix needs an object for paths of `{collection}`: make one in `stage.rs`"),
        };
        id.clone()
    }
}

fn recipient(number: u32) -> Value {
    json!({"name": "Guest", "phone": format!("+491511741{number:04}"), "opted_in": true})
}

fn template(number: u32) -> Value {
    let name = format!("template_{number}");
    json!({"name": name, "language": "en", "category": "UTILITY", "body": "Hello"})
}

fn suppression(number: u32) -> Value {
    json!({"address": format!("+491511742{number:04}")})
}

fn role(number: u32) -> Value {
    json!({"name": format!("Role {number}"), "permissions": ["campaigns.view"]})
}

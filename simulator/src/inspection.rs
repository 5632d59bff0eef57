//! `/_simulator`: a look inside, for tests and for people.

use std::fmt::Write;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::messages::{Content, Message, Provider};
use crate::plan::Status;
use crate::simulator::Simulator;
use crate::tally::Counts;

const DEFAULT_LIMIT: usize = 100;
const HIGHEST_LIMIT: usize = 1_000;

pub(crate) fn router() -> Router<Simulator> {
    Router::new()
        .route("/_simulator/messages", get(messages))
        .route("/_simulator/counts", get(counts))
        .route("/_simulator/faults", get(faults))
        .route("/_simulator/reset", post(reset))
        .route("/_simulator/health", get(health))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessagesQuery {
    limit: Option<usize>,
    cursor: Option<usize>,
    to: Option<String>,
    reference: Option<String>,
}

/// `GET /_simulator/messages`: in the order in which they were accepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MessageList {
    /// The messages.
    pub items: Vec<MessageView>,
    /// `cursor` of the next page.
    pub next_cursor: Option<String>,
}

/// An accepted message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MessageView {
    /// The id that it was given, `wamid.…` or `SM…`.
    pub id: String,
    /// The business number, or the service, that it came from.
    pub phone_number_id: String,
    /// The recipient: digits only.
    pub to: String,
    /// `template` or `text`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The template's name.
    pub template: Option<String>,
    /// The template's language.
    pub language: Option<String>,
    /// The texts of the body's parameters, in order.
    pub params: Vec<String>,
    /// All components of a template as they came.
    pub components: Option<Value>,
    /// The text, where it is no template.
    pub text: Option<String>,
    /// The sender's own reference; of a text message the address that is called back.
    pub biz_opaque_callback_data: Option<String>,
    /// Twilio's account, of a text message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_sid: Option<String>,
    /// Attempts with the same reference, up to and with this one.
    pub attempts: u16,
    /// What was or will be reported, in this order.
    pub statuses: Vec<StatusView>,
    /// When it was accepted.
    pub at: DateTime<Utc>,
}

/// A status of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// `sent`, `delivered`, `read` or `failed`.
    pub status: String,
    /// Why it failed.
    pub code: Option<u32>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Whether the receiver answered its callback with 2xx.
    pub acknowledged: bool,
}

async fn messages(
    State(simulator): State<Simulator>,
    Query(query): Query<MessagesQuery>,
) -> Json<MessageList> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, HIGHEST_LIMIT);
    let to = query.to.map(|to| to.trim_start_matches(['+', ' ']).to_owned());
    let wanted = |message: &Message| {
        to.as_deref().is_none_or(|to| &*message.to == to)
            && query
                .reference
                .as_deref()
                .is_none_or(|wanted| message.reference.as_deref() == Some(wanted))
    };
    let ledger = simulator.ledger();
    let all = ledger
        .messages()
        .iter()
        .enumerate()
        .skip(query.cursor.unwrap_or(0));
    let mut found = all.filter(|(_, message)| wanted(message));
    let items = found
        .by_ref()
        .take(limit)
        .map(|(_, message)| message.into())
        .collect();
    let next_cursor = found.next().map(|(number, _)| number.to_string());
    Json(MessageList { items, next_cursor })
}

async fn counts(State(simulator): State<Simulator>) -> Json<Counts> {
    Json(simulator.counts())
}

/// The table of faults, for people.
async fn faults() -> String {
    let mut text = String::from("prefix…dddd  +1 NXX 555 01dd  fault\n");
    for row in crate::Fault::TABLE {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<11}  {:<15}  {:?}", row.suffix, row.fiction, row.fault);
    }
    text
}

async fn reset(State(simulator): State<Simulator>) -> Response {
    match simulator.reset() {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot reset");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                Json(json!({ "error": "the state file cannot be emptied" })),
            )
                .into_response()
        }
    }
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

impl From<&Message> for MessageView {
    fn from(message: &Message) -> Self {
        let mut view = Self {
            id: message.wamid.to_string(),
            phone_number_id: message.phone_number_id.to_string(),
            to: message.to.to_string(),
            kind: String::new(),
            template: None,
            language: None,
            params: Vec::new(),
            components: None,
            text: None,
            biz_opaque_callback_data: message.reference.as_deref().map(ToOwned::to_owned),
            account_sid: match &message.provider {
                Provider::Meta => None,
                Provider::Twilio { account } => Some(account.to_string()),
            },
            attempts: message.attempts,
            statuses: statuses(message),
            at: message.at,
        };
        view.show(&message.content);
        view
    }
}

impl MessageView {
    fn show(&mut self, content: &Content) {
        match content {
            Content::Text { body } => {
                self.kind = "text".to_owned();
                self.text = Some(body.to_string());
            }
            Content::Template {
                name,
                language,
                components,
            } => {
                let components: Value = serde_json::from_str(components).unwrap_or_default();
                self.kind = "template".to_owned();
                self.template = Some(name.to_string());
                self.language = Some(language.to_string());
                self.params = body_texts(&components);
                self.components = Some(components);
            }
        }
    }
}

fn body_texts(components: &Value) -> Vec<String> {
    let components = components.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_body = |component: &&Value| {
        component["type"]
            .as_str()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("body"))
    };
    let parameters = components
        .iter()
        .filter(is_body)
        .filter_map(|body| body["parameters"].as_array())
        .flatten();
    parameters
        .filter_map(|parameter| parameter["text"].as_str())
        .map(ToOwned::to_owned)
        .collect()
}

fn statuses(message: &Message) -> Vec<StatusView> {
    let done = usize::from(message.done);
    let view = |(index, step): (usize, &crate::Step)| StatusView {
        status: step.status.word().to_owned(),
        code: match step.status {
            Status::Failed(code) => Some(code),
            _ => None,
        },
        at: message.at + chrono::TimeDelta::milliseconds(step.happened.into()),
        acknowledged: index < done,
    };
    message.steps.iter().enumerate().map(view).collect()
}

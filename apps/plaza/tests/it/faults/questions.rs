//! What is asked while something is at fault, and what came of it.

use std::fmt;
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;

use crate::client::Answer;

/// A request, by what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Identity reads.
    Me,
    /// Identity writes.
    LogIn,
    /// Broadcast reads.
    ImportedList,
    /// Broadcast writes.
    NewCampaign,
    /// Tenancy writes, and an event with it.
    NewTenant,
    /// A token that nobody signed.
    WrongToken,
    /// A token of a session that has been ended.
    RevokedToken,
    /// Of somebody who may not.
    NoRights,
    /// Of somebody who may by a role, which access knows.
    ByRole,
    /// At the host of a tenant, which tenancy knows.
    AtHost,
    /// At a host that nobody asked for before and that is no tenant's.
    StrangeHost,
    /// Broadcast asks notification.
    Logs,
    /// Notification reads.
    Senders,
    /// Notification writes.
    NewSuppression,
}

impl Question {
    pub(super) const ALL: [Self; 14] = [
        Self::Me,
        Self::LogIn,
        Self::ImportedList,
        Self::NewCampaign,
        Self::NewTenant,
        Self::WrongToken,
        Self::RevokedToken,
        Self::NoRights,
        Self::ByRole,
        Self::AtHost,
        Self::StrangeHost,
        Self::Logs,
        Self::Senders,
        Self::NewSuppression,
    ];
}

/// What came of a request, and when.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// Or how it broke off.
    pub(super) answer: Result<Answer, String>,
    pub(super) took: Duration,
}

impl Outcome {
    /// Sends it and reads the answer to its end.
    pub(super) async fn of(request: RequestBuilder) -> Self {
        let begun = Instant::now();
        let answer = async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = response.bytes().await?.to_vec();
            Ok(Answer {
                status,
                headers,
                body,
            })
        };
        let answer = answer.await.map_err(|error: reqwest::Error| format!("{error:?}"));
        Self {
            answer,
            took: begun.elapsed(),
        }
    }

    /// 503 with `Retry-After`, as a problem.
    pub(super) fn is_unavailable(&self) -> bool {
        self.answer.as_ref().is_ok_and(|answer| {
            let after = answer.headers.get(http::header::RETRY_AFTER);
            let seconds = after.and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
            answer.status == 503 && seconds.is_some() && answer.json()["code"].is_string()
        })
    }

    /// Whether the client saw it break off.
    pub(super) fn is_broken(&self) -> bool {
        self.answer.is_err()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.answer {
            Ok(answer) => {
                let mut text = answer.text();
                text.truncate(300);
                write!(f, "{} after {:.1?}: {text}", answer.status, self.took)
            }
            Err(error) => write!(f, "broken off after {:.1?}: {error}", self.took),
        }
    }
}

//! The worker: takes due mails one after the other, and waits when there are none.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind};
use plaza_rpc::RpcError;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::post::Mail;
use super::store::Due;
use super::{SIGNAL, Template, store};
use crate::Identity;
use crate::keys::KeysError;
use crate::recovery::{Proof, Purpose};

/// How long whoever takes a mail may need for it.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// How often a worker looks that nobody wakes: another process may have written a row, or left one behind.
const POLL: Duration = Duration::from_secs(5);
/// How old a mail gets that cannot be handed over.
const OWED: TimeDelta = TimeDelta::hours(24);

/// A mail was not handed over.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("the mail's row names a template that there is none of")]
    NoTemplate,
    #[error("database failed")]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("notification did not take the mail")]
    Notification(#[from] RpcError),
}

impl Unsent {
    fn kind(&self) -> Kind {
        match self {
            Self::NoTemplate => Kind::Internal,
            Self::Database(error) => error.kind(),
            Self::Keys(error) => error.kind(),
            Self::Notification(error) => error.kind(),
        }
    }

    /// Whether trying again may end otherwise.
    fn passes(&self) -> bool {
        !matches!(self, Self::NoTemplate) && !matches!(self.kind(), Kind::Malformed | Kind::Invalid)
    }
}

/// When the next attempt is made: 5 s, 10 s, … 5 min after this one.
fn next_attempt(attempts: i32, now: DateTime<Utc>) -> DateTime<Utc> {
    let doublings = u32::try_from(attempts - 1).unwrap_or_default().min(6);
    now + TimeDelta::seconds((5 << doublings).min(300))
}

impl Identity {
    /// Hands due mails to notification until told to stop.
    pub(crate) async fn work_off_mails(self, stop: CancellationToken) {
        let wake = self.database().signal(SIGNAL);
        while !stop.is_cancelled() {
            let woken = wake.notified();
            let more = self.mail_turn().await.unwrap_or_else(|error| {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "due mails cannot be read");
                false
            });
            if !more {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = woken => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }

    /// One mail, if one is due.
    async fn mail_turn(&self) -> Result<bool, DatabaseError> {
        let now = self.clock().now();
        let Some(due) = store::claim(self.database(), now, now + LEASE).await? else {
            return Ok(false);
        };
        match self.deliver(&due).await {
            Ok(()) => store::done(self.database(), due.id).await?,
            Err(unsent) if unsent.passes() && now - due.created_at < OWED => {
                tracing::warn!(
                    error = &unsent as &dyn std::error::Error,
                    mail = %due.id,
                    attempts = due.attempts,
                    "mail not handed over yet"
                );
                store::postpone(self.database(), due.id, next_attempt(due.attempts, now)).await?;
            }
            Err(unsent) => {
                tracing::error!(
                    error = &unsent as &dyn std::error::Error,
                    mail = %due.id,
                    "mail given up"
                );
                store::done(self.database(), due.id).await?;
            }
        }
        Ok(true)
    }

    /// Hands a mail over, if there is somebody to get it.
    async fn deliver(&self, due: &Due) -> Result<(), Unsent> {
        let template = Template::parse(&due.template).ok_or(Unsent::NoTemplate)?;
        if let Some(mail) = self.compose(due, template).await? {
            self.post().send(mail).await?;
        }
        Ok(())
    }

    /// Who gets it, and what stands in it. None when there is nobody, or nothing to be said any more.
    async fn compose(&self, due: &Due, template: Template) -> Result<Option<Mail>, Unsent> {
        let (user, recipient, values) = match template {
            Template::PasswordChanged => {
                let Some(recipient) = store::recipient(self.database(), &due.email_norm).await? else {
                    return Ok(None);
                };
                let at = due.created_at.format("%Y-%m-%d %H:%M UTC").to_string();
                let values = BTreeMap::from([("at".to_owned(), at)]);
                (recipient.user_id, recipient.email, values)
            }
            Template::Reset | Template::Verify => {
                let purpose = match template {
                    Template::Reset => Purpose::Reset,
                    _ => Purpose::Verify,
                };
                let Some(made) = self.make_proof(due.id, purpose, &due.email_norm).await? else {
                    return Ok(None);
                };
                let values = self.values(purpose, &made.proof);
                (made.account.user_id, made.account.email, values)
            }
        };
        let locale = store::locale_of(self.database(), user).await?;
        Ok(Some(Mail {
            id: due.id,
            template,
            recipient,
            locale,
            values,
        }))
    }

    /// What stands in the mail that leads to a proof.
    fn values(&self, purpose: Purpose, proof: &Proof) -> BTreeMap<String, String> {
        let (name, lasts) = match purpose {
            Purpose::Reset => ("minutes", self.lasts(purpose).num_minutes()),
            Purpose::Verify => ("hours", self.lasts(purpose).num_hours()),
        };
        let link = self.proof_url(purpose, proof.token.expose_secret());
        let mut values = BTreeMap::from([("link", link), (name, lasts.to_string())]);
        values.extend(proof.code.as_ref().map(|code| ("code", code.text())));
        values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// Where a link leads. Built from the configured origin, never from a request's host; what opens it stands where no server
    /// is told of it.
    fn proof_url(&self, purpose: Purpose, token: &str) -> String {
        let origin = self.config().public_url.trim_end_matches('/');
        let page = match purpose {
            Purpose::Reset => "/reset",
            Purpose::Verify => "/api/v1/auth/verify-email",
        };
        format!("{origin}{page}#token={token}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_get_rarer_down_to_one_in_five_minutes() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let after = |attempts| (next_attempt(attempts, now) - now).num_seconds();
        let pauses: Vec<i64> = (1..=9).map(after).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(after(i32::MAX), 300);
    }
}

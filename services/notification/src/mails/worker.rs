//! The worker that sends mails: claims one, sends it, writes down what became of it, until nothing is due. Each of the few
//! connections to the server has one.

use std::error::Error;
use std::time::Duration;

use plaza_contracts::services::NOTIFICATION;
use plaza_database::DatabaseError;
use plaza_kernel::Scope;
use plaza_messaging::supervised;
use plaza_vault::VaultError;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::outcome::{Next, Tried, next, rest};
use super::store::{self, Claimed};
use super::{BODIES, Body};
use crate::Notification;
use crate::providers::{Letter, MailFailure, Mailer, Session};

/// The signal that mails became due.
pub(super) const DUE: &str = "notification.mail_due";

/// Starts sending mails, where there is a server to send them to.
pub(crate) fn start(notification: &Notification, tasks: &TaskTracker, stop: &CancellationToken) {
    if notification.inner.mailer.is_none() {
        tracing::info!("no mail server is configured: mails are kept and nothing is sent");
        return;
    }
    for _ in 0..notification.inner.config.mail.connections.max(1) {
        let (notification, stop) = (notification.clone(), stop.clone());
        let ending = stop.clone();
        tasks.spawn(supervised(NOTIFICATION, "mails", stop, move || {
            run(notification.clone(), ending.clone())
        }));
    }
}

/// Sends what is due until told to stop. A mail that is on its way then is waited for and written down.
async fn run(notification: Notification, stop: CancellationToken) {
    let Some(mailer) = &notification.inner.mailer else {
        return;
    };
    let due = notification.inner.database.signal(DUE);
    let mut worker = Worker {
        notification: &notification,
        mailer,
        session: None,
        after: Uuid::nil(),
        unreached: 0,
    };
    while !stop.is_cancelled() {
        let pause = match worker.turn().await {
            Ok(true) if worker.unreached == 0 => continue,
            Ok(true) => rest(&notification.inner.config.mail, worker.unreached, rand::random()),
            Ok(false) => notification.inner.config.mail.poll(),
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "mails not looked for");
                notification.inner.config.mail.poll()
            }
        };
        worker.hang_up().await;
        tokio::select! {
            () = due.notified() => {}
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

struct Worker<'a> {
    notification: &'a Notification,
    mailer: &'a Mailer,
    /// The open conversation with the server, while mails follow one another.
    session: Option<Session>,
    /// Whose mail was sent last.
    after: Uuid,
    /// How often in a row no server was reached.
    unreached: u32,
}

impl Worker<'_> {
    /// Sends one mail; says whether there was one.
    async fn turn(&mut self) -> Result<bool, DatabaseError> {
        let Some(mail) = self.claim().await? else {
            return Ok(false);
        };
        self.after = mail.tenant_id.map_or_else(Uuid::nil, |tenant| tenant.as_uuid());
        let result = self.send(&mail).await;
        let now = self.notification.inner.clock.now();
        let tried = Tried {
            result: &result,
            attempts: mail.attempts,
            doubts: mail.doubts,
            age: now - mail.created_at,
            unreached: self.unreached,
            jitter: rand::random(),
        };
        let next = next(&self.notification.inner.config.mail, &tried);
        self.unreached = match result {
            Err(MailFailure::NotReached(_)) => self.unreached.saturating_add(1),
            _ => 0,
        };
        tell(&mail, &next);
        self.settle(&mail, next).await?;
        Ok(true)
    }

    async fn claim(&self) -> Result<Option<Claimed>, DatabaseError> {
        let inner = &self.notification.inner;
        let tx = inner.database.begin_system();
        let mut claimed = store::claim(&tx, self.after, inner.config.mail.lease()).await?;
        if claimed.is_none() && store::take_back(&tx).await? > 0 {
            claimed = store::claim(&tx, self.after, inner.config.mail.lease()).await?;
        }
        tx.commit().await?;
        Ok(claimed)
    }

    async fn settle(&self, mail: &Claimed, next: Next) -> Result<(), DatabaseError> {
        let tx = self.notification.inner.database.begin_system();
        store::settle(&tx, mail, next).await?;
        tx.commit().await
    }

    async fn send(&mut self, mail: &Claimed) -> Result<String, MailFailure> {
        let letter = self.letter(mail).await?;
        let mut session = match self.session.take() {
            Some(open) => open,
            None => self.mailer.connect().await?,
        };
        let sent = self.mailer.send(&mut session, &letter).await;
        if session.renewed(&sent).await {
            self.session = Some(session);
        }
        sent
    }

    /// The mail with what it says.
    async fn letter(&self, mail: &Claimed) -> Result<Letter, MailFailure> {
        let unreadable = || MailFailure::Refused("what it says does not open".to_owned());
        let sealed = mail.sealed.as_deref().ok_or_else(unreadable)?;
        let (scope, vault) = (Scope::from(mail.tenant_id), &self.notification.inner.vault);
        let opened = vault.open(scope, &BODIES, &mail.id.to_string(), sealed).await;
        let opened = opened.map_err(|error| match error {
            VaultError::Database(error) => MailFailure::NotReached(error.to_string()),
            _ => unreadable(),
        })?;
        let body: Body = serde_json::from_slice(opened.expose_secret()).map_err(|_| unreadable())?;
        Ok(Letter {
            id: mail.id,
            to: mail.recipient.clone(),
            from_name: mail.from_name.clone(),
            subject: mail.subject.clone(),
            text: body.text,
            html: body.html,
            at: mail.created_at,
        })
    }

    /// Ends the conversation with the server, which need not be kept waiting.
    async fn hang_up(&mut self) {
        if let Some(session) = self.session.take() {
            session.end(Duration::from_secs(1)).await;
        }
    }
}

/// Without the server's words, which may name the address.
fn tell(mail: &Claimed, next: &Next) {
    metrics::counter!("plaza_mails_total", "outcome" => next.state).increment(1);
    if next.error.is_some() {
        tracing::warn!(mail = %mail.id, state = next.state, "mail not sent");
    }
}

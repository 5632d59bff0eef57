//! SMTP: mails to a mail server (RFC 5321).
//!
//! The conversation is led command by command, because what an answer means depends on where it stands: before the text of
//! a mail has left nobody has it, after that only the server knows. A conversation that was broken off is never taken up
//! again: an answer that is still on its way would be taken for the answer to another mail.

mod letter;
mod server;

use std::error::Error as _;
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::response::Response;

use super::presentable;
use crate::MailConfig;
pub(crate) use letter::Letter;
pub use server::UnusableMailServer;
use server::{Security, Server};

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MailFailure {
    /// No server takes anything from us now: nobody has the mail, and it did nothing wrong.
    NotReached(String),
    /// The server refused it for now.
    Later(String),
    /// It will never be taken.
    Refused(String),
    /// It left and no answer came: the server may have it.
    Unknown(String),
}

/// The way to the configured mail server.
pub(crate) struct Mailer {
    server: Server,
    from: Mailbox,
    timeout: Duration,
}

/// An open conversation with the server.
pub(crate) struct Session {
    connection: AsyncSmtpConnection,
    timeout: Duration,
}

/// How a command came to nothing.
enum Broken {
    Silence,
    Error(Error),
}

impl Mailer {
    /// The way that the settings describe; none if they name no server.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub(crate) fn new(config: &MailConfig) -> Result<Option<Self>, UnusableMailServer> {
        let from = server::sender(&config.from)?;
        let Some(server) = Server::of(config, &from)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            server,
            from,
            timeout: config.timeout(),
        }))
    }

    /// Begins a conversation: the connection, TLS where it is asked for, and the login. Whatever goes wrong, nothing was
    /// asked of the server yet.
    pub(crate) async fn connect(&self) -> Result<Session, MailFailure> {
        let server = &self.server;
        let (host, tls_at_once) = (server.host.as_str(), server.security.tls_at_once());
        let connecting = AsyncSmtpConnection::connect_tokio1(
            (host, server.port),
            Some(self.timeout),
            &server.hello,
            tls_at_once.cloned(),
            None,
        );
        let mut connection = within(self.timeout * 2, connecting).await.map_err(not_reached)?;
        if let Security::StartTls(tls) = &server.security {
            let upgrade = connection.starttls(tls.clone(), &server.hello);
            within(self.timeout * 2, upgrade).await.map_err(not_reached)?;
        }
        if let Some(credentials) = &server.credentials {
            let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials);
            within(self.timeout, login).await.map_err(not_reached)?;
        }
        Ok(Session {
            connection,
            timeout: self.timeout,
        })
    }

    /// Hands over a mail; what the server said when it took it. Accepted is not delivered.
    pub(crate) async fn send(&self, session: &mut Session, letter: &Letter) -> Result<String, MailFailure> {
        let unusable = || MailFailure::Refused("no mail can be made of it".to_owned());
        let to: Address = letter.to.parse().map_err(|_| unusable())?;
        let text = letter.written(&self.from).ok_or_else(unusable)?;
        let from = Mail::new(Some(self.from.email.clone()), Vec::new());
        session.say(from, refused).await?;
        session.say(Rcpt::new(to, Vec::new()), refused_for_them).await?;
        session.say(Data, refused).await?;
        let handing_over = session.connection.message(&text);
        match within(session.timeout, handing_over).await {
            Ok(answer) => Ok(said(&answer)),
            Err(Broken::Error(error)) if error.status().is_some() => Err(refused(&error)),
            Err(Broken::Silence) => Err(MailFailure::Unknown("no answer in time".to_owned())),
            Err(Broken::Error(_)) => Err(MailFailure::Unknown("the connection broke".to_owned())),
        }
    }
}

impl Session {
    /// One command, before the text of the mail has left, and what it means when it is refused.
    async fn say(
        &mut self,
        command: impl Display,
        refused: impl FnOnce(&Error) -> MailFailure,
    ) -> Result<(), MailFailure> {
        match within(self.timeout, self.connection.command(command)).await {
            Ok(_) => Ok(()),
            Err(Broken::Error(error)) if error.status().is_some() => Err(refused(&error)),
            Err(broken) => Err(not_reached(broken)),
        }
    }

    /// Makes the session ready for the next mail after this outcome; false when it cannot be used any more.
    pub(crate) async fn renewed(&mut self, sent: &Result<String, MailFailure>) -> bool {
        match sent {
            Ok(_) => true,
            // The server may still have a sender and recipients of the mail that it refused.
            Err(MailFailure::Later(_) | MailFailure::Refused(_)) => self.say(Rset, refused).await.is_ok(),
            Err(MailFailure::NotReached(_) | MailFailure::Unknown(_)) => false,
        }
    }

    /// Takes leave. A server that does not answer to that is left without an answer.
    pub(crate) async fn end(mut self, patience: Duration) {
        let _ = within(patience, self.connection.command(Quit)).await;
    }
}

async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Broken> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => done.map_err(Broken::Error),
        Err(_) => Err(Broken::Silence),
    }
}

/// What an answer with a code means. Codes in the four hundreds pass, those in the five hundreds do not (RFC 5321 §4.2.1);
/// those about the login are the operator's to mend (RFC 4954 §6), and so is a server that closes (421).
fn refused(error: &Error) -> MailFailure {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    let text = presentable(&format!("{code} {}", words(error)));
    match code.as_str() {
        "421" | "454" | "530" | "534" | "535" | "538" => MailFailure::NotReached(text),
        _ if error.is_transient() => MailFailure::Later(text),
        _ => MailFailure::Refused(text),
    }
}

/// The same of an answer to one recipient. Servers say there too that a login is wanted (454 and 530 for "relay access denied"):
/// that is about where this mail goes, and nobody else has to wait for it.
fn refused_for_them(error: &Error) -> MailFailure {
    match refused(error) {
        MailFailure::NotReached(text) if !text.starts_with("421") => MailFailure::Later(text),
        failure => failure,
    }
}

fn not_reached(broken: Broken) -> MailFailure {
    let text = match &broken {
        Broken::Silence => "no answer in time".to_owned(),
        Broken::Error(error) => match error.status() {
            Some(code) => format!("{code} {}", words(error)),
            None => error.to_string(),
        },
    };
    MailFailure::NotReached(presentable(&text))
}

/// What the server said beside the code.
fn words(error: &Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

fn said(answer: &Response) -> String {
    presentable(&format!(
        "{} {}",
        answer.code(),
        answer.first_line().unwrap_or_default()
    ))
}

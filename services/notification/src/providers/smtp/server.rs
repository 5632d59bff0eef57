//! The mail server of the settings. No I/O here but for the file of authorities.

use std::net::IpAddr;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use reqwest::Url;
use secrecy::ExposeSecret;

use crate::MailConfig;

/// The settings of the mail server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableMailServer {
    /// Not an address, or not one that mails can be from.
    #[error("notification.mail.from is not `address` or `Name <address>`")]
    From,
    /// Not a URL of a mail server.
    #[error(
        "notification.mail.url is not smtps://host, smtp+starttls://host or smtp://host, with a port or without"
    )]
    Url,
    /// Passwords do not belong into addresses, which are shown.
    #[error("notification.mail.url has a name or a password in it: they are `username` and `password`")]
    LoginInUrl,
    /// One of the two is missing.
    #[error("notification.mail needs `username` and `password`, or neither")]
    HalfALogin,
    /// Others could read the mails, and the password.
    #[error(
        "notification.mail.url is plain text to another machine; use smtps or smtp+starttls, or allow_remote_plaintext"
    )]
    RemotePlaintext,
    /// The file cannot be read, or there are no certificates in it.
    #[error("notification.mail.authorities cannot be used")]
    Authorities(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No TLS is to be had.
    #[error("TLS to the mail server cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// Where mails go.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) credentials: Option<Credentials>,
    /// How we introduce ourselves.
    pub(super) hello: ClientId,
}

/// How the conversation is kept from others.
pub(super) enum Security {
    /// TLS from the first byte (RFC 8314).
    Tls(TlsParameters),
    /// TLS after a word in plain text (RFC 3207), or nothing.
    StartTls(TlsParameters),
    /// Not at all.
    Plain,
}

impl Security {
    pub(super) fn tls_at_once(&self) -> Option<&TlsParameters> {
        match self {
            Self::Tls(tls) => Some(tls),
            Self::StartTls(_) | Self::Plain => None,
        }
    }
}

impl Server {
    /// The server that the settings name, if they name one.
    pub(super) fn of(config: &MailConfig, from: &Mailbox) -> Result<Option<Self>, UnusableMailServer> {
        let Some(url) = &config.url else {
            return Ok(None);
        };
        let url = Url::parse(url).map_err(|_| UnusableMailServer::Url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UnusableMailServer::LoginInUrl);
        }
        let written = url.host_str().filter(|host| !host.is_empty());
        let written = written.ok_or(UnusableMailServer::Url)?;
        let host = written.trim_start_matches('[').trim_end_matches(']').to_owned();
        let beyond = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
        let (security, port) = match url.scheme() {
            "smtps" if !beyond => (Security::Tls(tls(config, &host)?), 465),
            "smtp+starttls" if !beyond => (Security::StartTls(tls(config, &host)?), 587),
            "smtp" if !beyond && (config.allow_remote_plaintext || is_loopback(&host)) => {
                (Security::Plain, 25)
            }
            "smtp" if !beyond => return Err(UnusableMailServer::RemotePlaintext),
            _ => return Err(UnusableMailServer::Url),
        };
        Ok(Some(Self {
            port: url.port().unwrap_or(port),
            security,
            credentials: credentials(config)?,
            hello: ClientId::Domain(hello(config, from)),
            host,
        }))
    }
}

/// Who mails are from.
pub(super) fn sender(text: &str) -> Result<Mailbox, UnusableMailServer> {
    if text.contains(char::is_control) {
        return Err(UnusableMailServer::From);
    }
    text.trim().parse().map_err(|_| UnusableMailServer::From)
}

fn credentials(config: &MailConfig) -> Result<Option<Credentials>, UnusableMailServer> {
    match (&config.username, &config.password) {
        (Some(name), Some(password)) => Ok(Some(Credentials::new(
            name.clone(),
            password.expose_secret().to_owned(),
        ))),
        (None, None) => Ok(None),
        _ => Err(UnusableMailServer::HalfALogin),
    }
}

fn hello(config: &MailConfig, from: &Mailbox) -> String {
    let given = config.hello.clone().filter(|name| !name.is_empty());
    given.unwrap_or_else(|| from.email.domain().to_owned())
}

fn tls(config: &MailConfig, host: &str) -> Result<TlsParameters, UnusableMailServer> {
    let mut tls = TlsParameters::builder(host.to_owned());
    if let Some(path) = &config.authorities {
        let pem = std::fs::read(path).map_err(|error| UnusableMailServer::Authorities(error.into()))?;
        let further = Certificate::from_pem(&pem);
        tls =
            tls.add_root_certificate(further.map_err(|error| UnusableMailServer::Authorities(error.into()))?);
    }
    tls.build_rustls().map_err(UnusableMailServer::Tls)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<Server, UnusableMailServer> {
        let config = MailConfig {
            url: Some(url.to_owned()),
            ..MailConfig::default()
        };
        Server::of(&config, &sender(&config.from)?).map(Option::unwrap)
    }

    #[test]
    fn a_url_says_where_the_server_is_and_how_it_is_spoken_to() {
        for (url, host, port) in [
            ("smtps://mail.example", "mail.example", 465),
            ("smtps://mail.example:4465/", "mail.example", 4465),
            ("smtp+starttls://mail.example", "mail.example", 587),
            ("smtp://127.0.0.1:2525", "127.0.0.1", 2525),
            ("smtp://localhost", "localhost", 25),
            ("smtp://[::1]:26", "::1", 26),
        ] {
            let server = server(url).unwrap();
            assert_eq!((server.host.as_str(), server.port), (host, port), "{url}");
            let kind = match server.security {
                Security::Tls(_) => "smtps",
                Security::StartTls(_) => "smtp+starttls",
                Security::Plain => "smtp",
            };
            assert!(url.starts_with(&format!("{kind}://")), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        use UnusableMailServer as Bad;
        for (url, wanted) in [
            ("mail.example", Bad::Url),
            ("http://mail.example", Bad::Url),
            ("smtp://", Bad::Url),
            ("smtp://localhost/?tls=none", Bad::Url),
            ("smtps://mail.example/x", Bad::Url),
            ("smtps://ada:secret@mail.example", Bad::LoginInUrl),
            ("smtp://mail.example", Bad::RemotePlaintext),
            ("smtp://192.0.2.1", Bad::RemotePlaintext),
            ("smtp://localhost.example.com", Bad::RemotePlaintext),
        ] {
            let told = server(url).err().map(|error| error.to_string());
            assert_eq!(told, Some(wanted.to_string()), "{url}");
        }
        for from in ["", "nobody", "a@b\r\nBcc: c@d", "Plaza"] {
            assert!(matches!(sender(from), Err(Bad::From)), "{from:?}");
        }
    }

    #[test]
    fn half_a_login_is_none() {
        let config = MailConfig {
            url: Some("smtp://localhost".to_owned()),
            username: Some("ada".to_owned()),
            ..MailConfig::default()
        };
        let from = sender(&config.from).unwrap();
        assert!(matches!(
            Server::of(&config, &from),
            Err(UnusableMailServer::HalfALogin)
        ));
    }
}

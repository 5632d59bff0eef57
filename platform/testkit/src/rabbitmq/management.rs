//! RabbitMQ's management API, as far as tests need it: virtual hosts, and logins that may do little in them.
//!
//! Blocking, because virtual hosts are dropped where nothing can be awaited.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

/// How far above AMQP's port the API listens: RabbitMQ's own 5672 and 15672.
pub(super) const PORTS_HIGHER: u16 = 10_000;

const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// An administrator's way to one broker.
#[derive(Clone)]
pub(super) struct Management {
    pub(super) host: String,
    pub(super) amqp_port: u16,
    authorization: SecretString,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Management {
    /// Of the broker at `amqp://user:password@host:port`; user and password without percent signs.
    pub(super) fn of(url: &SecretString) -> Result<Self> {
        let wanted = "the broker's URL is not amqp://user:password@host:port";
        let uri: http::Uri = url.expose_secret().parse().ok().context(wanted)?;
        let authority = uri.authority().context(wanted)?.as_str();
        let (login, _) = authority.rsplit_once('@').context(wanted)?;
        let host = uri.host().context(wanted)?.to_owned();
        Ok(Self {
            host,
            amqp_port: uri.port_u16().unwrap_or(5672),
            authorization: format!("Basic {}", STANDARD.encode(login)).into(),
        })
    }

    /// Makes a virtual host; whoever makes it may do everything in it.
    pub(super) fn make_vhost(&self, name: &str) -> Result<()> {
        self.call("PUT", &format!("/api/vhosts/{name}"), "").map(drop)
    }

    /// Drops a virtual host with everything in it.
    pub(super) fn drop_vhost(&self, name: &str) -> Result<()> {
        self.call("DELETE", &format!("/api/vhosts/{name}"), "").map(drop)
    }

    /// The names of all virtual hosts.
    pub(super) fn vhosts(&self) -> Result<Vec<String>> {
        self.names("/api/vhosts")
    }

    /// Makes a login, which may do nothing yet.
    pub(super) fn make_login(&self, name: &str, password: &str) -> Result<()> {
        let login = json!({"password": password, "tags": ""});
        self.call("PUT", &format!("/api/users/{name}"), &login.to_string())
            .map(drop)
    }

    /// Drops a login.
    pub(super) fn drop_login(&self, name: &str) -> Result<()> {
        self.call("DELETE", &format!("/api/users/{name}"), "").map(drop)
    }

    /// The names of all logins.
    pub(super) fn logins(&self) -> Result<Vec<String>> {
        self.names("/api/users")
    }

    /// What a login may configure, write and read in a virtual host; or, of one topic exchange, with which keys.
    pub(super) fn permit(&self, kind: &str, vhost: &str, login: &str, what: &Value) -> Result<()> {
        self.call("PUT", &format!("/api/{kind}/{vhost}/{login}"), &what.to_string())
            .map(drop)
    }

    fn names(&self, path: &str) -> Result<Vec<String>> {
        let named: Vec<Named> = serde_json::from_str(&self.call("GET", path, "")?)?;
        Ok(named.into_iter().map(|one| one.name).collect())
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let port = self.amqp_port + PORTS_HIGHER;
        let mut stream = TcpStream::connect((self.host.as_str(), port))
            .with_context(|| format!("no management API at {}:{port}", self.host))?;
        stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
        // HTTP/1.0: the answer is not chunked, and ends with the connection.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.host,
            self.authorization.expose_secret(),
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if !status.starts_with('2') {
            bail!("{method} {path} at the management API answers {status}");
        }
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        Ok(body.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_and_the_port_come_from_the_brokers_address() {
        let management = Management::of(&"amqp://guest:secret@localhost:5673/any".into()).unwrap();
        assert_eq!(
            (management.host.as_str(), management.amqp_port),
            ("localhost", 5673)
        );
        // RFC 7617: base64 of `guest:secret`.
        assert_eq!(management.authorization.expose_secret(), "Basic Z3Vlc3Q6c2VjcmV0");
        assert!(Management::of(&"amqp://localhost".into()).is_err());
        assert!(Management::of(&"localhost".into()).is_err());
    }
}

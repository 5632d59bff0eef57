//! What a host name stands for.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::GatewayError;
use crate::refusal::Refusal;

/// Whom a host names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named<'a> {
    /// The platform itself; the token decides about the tenant.
    Platform,
    /// Perhaps a tenant, by its slug.
    Tenant(Cow<'a, str>),
}

/// The names under which we are reached.
#[derive(Debug)]
pub(crate) struct Hosts {
    base_domain: String,
    platform: Vec<String>,
}

impl Hosts {
    pub(crate) fn new(base_domain: &str, further: &[String]) -> Result<Self, GatewayError> {
        let checked = |setting, name: &str| {
            let fits = !name.is_empty() && name.bytes().all(is_name_character);
            let reason = || format!("`{name}` is not a host name; write it without scheme and port");
            if fits {
                Ok(name.to_ascii_lowercase())
            } else {
                Err(GatewayError::Setting {
                    setting,
                    reason: reason(),
                })
            }
        };
        let platform = further
            .iter()
            .map(|name| checked("hosts", name))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            base_domain: checked("base_domain", base_domain)?,
            platform,
        })
    }

    /// Whom `acme.localhost:8080` names.
    pub(crate) fn name<'a>(&self, host: &'a str) -> Result<Named<'a>, Refusal> {
        let name = without_port(host).ok_or(Refusal::Malformed("the host is not readable"))?;
        if is_loopback(name) || name.eq_ignore_ascii_case(&self.base_domain) {
            return Ok(Named::Platform);
        }
        if self.platform.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return Ok(Named::Platform);
        }
        let slug = self.slug(name).ok_or(Refusal::UnknownHost)?;
        let has_capitals = slug.bytes().any(|byte| byte.is_ascii_uppercase());
        Ok(Named::Tenant(if has_capitals {
            slug.to_ascii_lowercase().into()
        } else {
            slug.into()
        }))
    }

    /// One label in front of the base domain.
    fn slug<'a>(&self, name: &'a str) -> Option<&'a str> {
        let at = name.len().checked_sub(self.base_domain.len())?;
        let (front, domain) = name.split_at_checked(at)?;
        let slug = front
            .strip_suffix('.')
            .filter(|_| domain.eq_ignore_ascii_case(&self.base_domain))?;
        let is_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let fits = (1..=63).contains(&slug.len()) && slug.bytes().all(is_label);
        (fits && !slug.starts_with('-') && !slug.ends_with('-')).then_some(slug)
    }
}

fn is_name_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'
}

/// The name or address in front of the port; None for what is no host (`user@host`, `a b`, `host:port`).
fn without_port(host: &str) -> Option<&str> {
    let is_port =
        |port: &str| port.is_empty() || (port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()));
    if host.starts_with('[') {
        let (address, port) = host.split_at_checked(host.find(']')? + 1)?;
        let inner = address.trim_matches(['[', ']']);
        let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return (port_fits && inner.parse::<Ipv6Addr>().is_ok()).then_some(address);
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    (!name.is_empty() && name.bytes().all(is_name_character) && is_port(port)).then_some(name)
}

fn is_loopback(name: &str) -> bool {
    let is_v6 = |name: &str| {
        name.trim_matches(['[', ']'])
            .parse::<Ipv6Addr>()
            .is_ok_and(|address| address.is_loopback())
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
        || (name.starts_with('[') && is_v6(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::new("plaza.example", &["console.example".to_owned()]).unwrap()
    }

    #[test]
    fn the_platform_has_several_names() {
        for host in [
            "plaza.example",
            "PLAZA.example:443",
            "console.example",
            "localhost",
            "localhost:8080",
            "127.0.0.1:80",
            "127.3.2.1",
            "[::1]:8080",
        ] {
            assert_eq!(hosts().name(host).unwrap(), Named::Platform, "{host}");
        }
    }

    #[test]
    fn a_tenant_is_one_label_in_front_of_the_domain() {
        for host in ["acme.plaza.example", "ACME.plaza.Example:8080"] {
            assert_eq!(
                hosts().name(host).unwrap(),
                Named::Tenant("acme".into()),
                "{host}"
            );
        }
        let local = Hosts::new("localhost", &[]).unwrap();
        assert_eq!(
            local.name("acme.localhost").unwrap(),
            Named::Tenant("acme".into())
        );
    }

    #[test]
    fn other_hosts_are_unknown() {
        for host in [
            "example.com",
            "acme.localhost",
            "a.b.plaza.example",
            "evilplaza.example",
            ".plaza.example",
            "-a.plaza.example",
            "10.0.0.5",
            "plaza.example.",
            "localhost.",
            "[2001:db8::1]",
            "acme.plaza.example.evil.com",
        ] {
            assert!(matches!(hosts().name(host), Err(Refusal::UnknownHost)), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_malformed() {
        for host in [
            "",
            ":80",
            "user@plaza.example",
            "plaza example",
            "plaza.example:80:80",
            "plaza.example:port",
            "a_b.plaza.example",
            "[::1",
            "[x]",
            "a/b",
        ] {
            assert!(matches!(hosts().name(host), Err(Refusal::Malformed(_))), "{host}");
        }
    }
}

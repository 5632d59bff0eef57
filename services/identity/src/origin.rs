//! Where a request comes from, as far as throttling has to know.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use plaza_contracts::edge::ClientAddress;

/// The address of the client; none when another service asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin(Option<IpAddr>);

impl Origin {
    /// Another service.
    pub(crate) const INSIDE: Self = Self(None);

    /// A client on this machine.
    pub(crate) fn is_loopback(self) -> bool {
        self.0.is_some_and(|address| address.is_loopback())
    }

    /// Who is counted.
    pub(crate) fn client(self) -> Option<String> {
        self.0.map(|address| ClientAddress(address).network())
    }

    /// The client as it is kept: the whole of IPv4, 64 bits of IPv6.
    pub(crate) fn client_bytes(self) -> Option<Vec<u8>> {
        self.0.map(|address| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets()[..8].to_vec(),
        })
    }

    /// Its network, as text: 24 bits of IPv4, 64 of IPv6.
    pub(crate) fn network_name(self) -> String {
        match self.0 {
            None => "inside".to_owned(),
            Some(IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                Ipv4Addr::new(a, b, c, 0).to_string()
            }
            Some(address) => ClientAddress(address).network(),
        }
    }
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        // `::ffff:192.0.2.7` is 192.0.2.7: one client, not one of 2⁶⁴.
        Self(Some(address.to_canonical()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let client = parts.extensions.get::<ClientAddress>();
        Ok(client.map_or(Self::INSIDE, |client| client.0.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn one_client_has_one_name() {
        assert_eq!(origin("::ffff:192.0.2.7"), origin("192.0.2.7"));
        assert_eq!(origin("::ffff:192.0.2.7").client().unwrap(), "192.0.2.7");
        assert!(origin("::ffff:127.0.0.1").is_loopback() && origin("::1").is_loopback());
        assert!(!Origin::INSIDE.is_loopback());
    }

    #[test]
    fn neighbours_are_one_network_and_not_one_client() {
        assert_eq!(
            origin("192.0.2.7").network_name(),
            origin("192.0.2.8").network_name()
        );
        assert_ne!(
            origin("192.0.2.7").client_bytes(),
            origin("192.0.2.8").client_bytes()
        );
        assert_eq!(origin("192.0.2.7").network_name(), "192.0.2.0");
        assert_eq!(origin("2001:db8:1:2:3::").client_bytes().unwrap().len(), 8);
        assert_eq!(origin("2001:db8:1:2:3::").network_name(), "2001:db8:1:2::/64");
        assert_eq!(Origin::INSIDE.client_bytes(), None);
    }
}

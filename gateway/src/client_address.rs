//! Where a request came from. Behind proxies the connection's own address is the proxy's; what a proxy wrote is believed as far
//! as it is one that the gateway was told to trust, hop by hop from the right: what stands further left a client may have
//! written itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::header::{FORWARDED, VIA};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Version};
use ipnet::IpNet;
use plaza_contracts::edge::ClientAddress;
use serde::Deserialize;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Somebody whom a proxy of this machine passed on without our knowing whom: nowhere, which is not here. All of them are one
/// client.
const NOWHERE: ClientAddress = ClientAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

/// In which header trusted proxies say whom they speak for. One only: a proxy passes the other on as the client wrote it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For: 192.0.2.7, 198.51.100.1`
    #[default]
    XForwardedFor,
    /// `Forwarded: for=192.0.2.7;proto=https, for="[2001:db8::1]:4711"` (RFC 7239)
    Forwarded,
}

/// Whom to believe.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    pub(crate) trusted: Vec<IpNet>,
    pub(crate) header: ProxyHeader,
}

impl Proxies {
    /// The client's address, as far as it can be known: the peer, or the nearest hop that is no trusted proxy. Read before the
    /// headers are cleaned.
    ///
    /// Whoever is on this machine may do what others may not. A request that was passed on is nobody's on this machine,
    /// whatever it says: its peer is a proxy that nobody told us of, or that does not say whom it speaks for.
    pub(crate) fn client(&self, peer: IpAddr, parts: &Parts) -> ClientAddress {
        let client = self.nearest(peer, &parts.headers);
        if client.0.is_loopback() && was_passed_on(parts) {
            return NOWHERE;
        }
        client
    }

    fn nearest(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer.to_canonical();
        if self.trusts(client) {
            for hop in self.hops(headers).into_iter().rev() {
                // A hop that hides, or that cannot be read: the proxy that wrote it is all that is known.
                let Some(address) = hop else { break };
                client = address.to_canonical();
                if !self.trusts(client) {
                    break;
                }
            }
        }
        ClientAddress(client)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// From the farthest to the nearest.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let (name, read): (_, fn(&str) -> Option<IpAddr>) = match self.header {
            ProxyHeader::XForwardedFor => (X_FORWARDED_FOR, address),
            ProxyHeader::Forwarded => (FORWARDED, named_for),
        };
        let lines = headers.get_all(name).iter();
        // A line that is no text hides all of its hops.
        let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().split(','));
        hops.map(|hop| read(hop.trim())).collect()
    }
}

/// Whether a proxy left its marks. Some leave none but their old language: nginx speaks HTTP/1.0 to what is behind it unless told
/// otherwise, and adds nothing; people's programs have spoken another since 1999.
fn was_passed_on(parts: &Parts) -> bool {
    let is_mark = |name: &HeaderName| {
        [FORWARDED, VIA, X_REAL_IP].contains(name) || name.as_str().starts_with("x-forwarded-")
    };
    parts.version < Version::HTTP_11 || parts.headers.keys().any(is_mark)
}

/// `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.unwrap_or(text).parse().ok().or_else(with_port)
}

/// The node of `for=`, if it says an address: `unknown` and names that begin with `_` are none.
fn named_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let node = node.trim();
    let quoted = node.strip_prefix('"').and_then(|node| node.strip_suffix('"'));
    address(quoted.unwrap_or(node))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn proxies(header: ProxyHeader) -> Proxies {
        let trusted = ["10.0.0.0/8", "2001:db8:ffff::/48"];
        Proxies {
            trusted: trusted.iter().map(|network| network.parse().unwrap()).collect(),
            header,
        }
    }

    /// Which client is seen of a request from this peer with these lines.
    fn seen(proxies: &Proxies, peer: &str, name: &'static str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let ClientAddress(client) =
            proxies.client(peer.parse().unwrap(), &request(Version::HTTP_11, headers));
        client.to_string()
    }

    fn request(version: Version, headers: HeaderMap) -> Parts {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        (parts.version, parts.headers) = (version, headers);
        parts
    }

    #[test]
    fn whoever_was_passed_on_is_not_on_this_machine() {
        let trusting = Proxies {
            trusted: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            header: ProxyHeader::XForwardedFor,
        };
        let here = Proxies::default();
        let plain = request(Version::HTTP_11, HeaderMap::new());
        for peer in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            let address: IpAddr = peer.parse().unwrap();
            for (name, value) in [
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-for", "what?"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=unknown"),
                ("x-real-ip", "127.0.0.1"),
                ("via", "1.1 proxy"),
            ] {
                for proxies in [&here, &trusting] {
                    assert_eq!(
                        seen(proxies, peer, name, &[value]),
                        "0.0.0.0",
                        "{peer} {name}: {value}"
                    );
                }
            }
            let old = request(Version::HTTP_10, HeaderMap::new());
            assert_eq!(here.client(address, &old), NOWHERE);
            assert_eq!(here.client(address, &plain).0, address.to_canonical());
        }
        // Who is somewhere else is there.
        assert_eq!(
            seen(&trusting, "127.0.0.1", "x-forwarded-for", &["192.0.2.1"]),
            "192.0.2.1"
        );
        assert_eq!(seen(&here, "192.0.2.1", "via", &["1.1 proxy"]), "192.0.2.1");
    }

    #[test]
    fn a_stranger_is_where_its_connection_is_from_whatever_it_says() {
        for header in [ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
            for (name, line) in [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")] {
                assert_eq!(
                    seen(&proxies(header), "198.51.100.9", name, &[line]),
                    "198.51.100.9"
                );
                assert_eq!(seen(&Proxies::default(), "10.0.0.1", name, &[line]), "10.0.0.1");
            }
        }
    }

    #[test]
    fn the_nearest_hop_that_is_no_trusted_proxy_is_the_client() {
        let proxies = proxies(ProxyHeader::XForwardedFor);
        let seen = |lines: &[&str]| seen(&proxies, "10.0.0.1", "x-forwarded-for", lines);
        for (lines, client) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            // What is further left, the client wrote.
            (&["1.2.3.4, 192.0.2.1"], "192.0.2.1"),
            (&["1.2.3.4", "192.0.2.1, 10.9.9.9"], "192.0.2.1"),
            (
                &["1.2.3.4, 10.1.1.1, 192.0.2.1,10.9.9.9 ,  10.8.8.8"],
                "192.0.2.1",
            ),
            (&["192.0.2.1:4711"], "192.0.2.1"),
            (&["[2001:db8::1]:4711, 10.9.9.9"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["2001:db8::1, 2001:db8:ffff::7"], "2001:db8::1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
            // All are ours: the farthest.
            (&["10.3.3.3, 10.4.4.4"], "10.3.3.3"),
            // The proxy that wrote what cannot be read is all that is known.
            (&["192.0.2.1, what?, 10.9.9.9"], "10.9.9.9"),
            (&["192.0.2.1, é"], "10.0.0.1"),
            (&["192.0.2.1, "], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(seen(lines), client, "{lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_its_standard_says() {
        let proxies = proxies(ProxyHeader::Forwarded);
        let seen = |line: &str| seen(&proxies, "10.0.0.1", "forwarded", &[line]);
        for (line, client) in [
            ("for=192.0.2.1;proto=https;by=10.0.0.1", "192.0.2.1"),
            (
                "for=1.2.3.4, proto=http ; For=\"[2001:db8:cafe::17]:4711\"",
                "2001:db8:cafe::17",
            ),
            ("for=192.0.2.1, for=10.9.9.9", "192.0.2.1"),
            ("for=192.0.2.1, for=unknown, for=10.9.9.9", "10.9.9.9"),
            ("for=192.0.2.1, for=_hidden", "10.0.0.1"),
            ("by=10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(seen(line), client, "{line}");
        }
    }

    #[test]
    fn a_proxys_other_header_is_whatever_the_client_wrote() {
        let (x, standard) = (
            proxies(ProxyHeader::XForwardedFor),
            proxies(ProxyHeader::Forwarded),
        );
        assert_eq!(seen(&x, "10.0.0.1", "forwarded", &["for=192.0.2.1"]), "10.0.0.1");
        assert_eq!(
            seen(&standard, "10.0.0.1", "x-forwarded-for", &["192.0.2.1"]),
            "10.0.0.1"
        );
    }
}

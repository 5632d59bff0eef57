//! What the gateway tells the services about a request, beside the [`plaza_kernel::Caller`]. In process it travels in
//! the request's extensions, where no client can write.

use std::net::IpAddr;

use plaza_kernel::TenantId;

/// The tenant that the request's host names: `acme.localhost`. Absent on the bare base domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostTenant {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name in the host.
    pub slug: String,
}

/// Where the request came from: the address of the client's connection or, behind proxies that the gateway was told to trust,
/// what they say; unspecified (`0.0.0.0`) where a proxy passed it on of which the gateway knows nothing. For limits and for the record; it proves nothing about who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// The header in which the gateway tells a service in another process the [`ClientAddress`]. Believed beside a good internal
/// token of the gateway only, and removed from what clients send.
pub const CLIENT_ADDRESS: &str = "x-plaza-client";

impl ClientAddress {
    /// What limits count by: an address of IPv4, or the first 64 bits of one of IPv6, which are one line of a provider's
    /// customer. An IPv4 address in IPv6's clothes is an IPv4 address.
    pub fn network(self) -> String {
        match self.0.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_a_line_not_an_address() {
        let network = |text: &str| ClientAddress(text.parse().unwrap()).network();
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}

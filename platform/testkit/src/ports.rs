//! Ports for servers that have to be told theirs.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Below the ports that Linux gives to outgoing connections (from 32768 on), so that a server that was stopped finds
/// its port free again; with ten thousand more still below them.
const RANGE: std::ops::Range<u16> = 12_000..22_000;

/// A port of the loopback address that is free, and is free too with each of these numbers added.
///
/// Another process may take it before it is used: whoever starts a server has to be ready to try again.
pub(crate) fn free(added: &[u16]) -> io::Result<u16> {
    for attempt in 0..200_u32 {
        let chance = RandomState::new().hash_one((attempt, std::process::id()));
        // The remainder is below the length of the range.
        let port = RANGE.start + (chance % u64::from(RANGE.end - RANGE.start - 8)) as u16;
        let is_free = |added: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port + added)).is_ok();
        if is_free(&0) && added.iter().all(is_free) {
            return Ok(port);
        }
    }
    Err(io::Error::other("no free port was found on the loopback address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_given_away() {
        let taken: Vec<TcpListener> = (0..20)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, free(&[]).unwrap())).unwrap())
            .collect();
        let mut ports: Vec<u16> = taken.iter().map(|l| l.local_addr().unwrap().port()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }
}

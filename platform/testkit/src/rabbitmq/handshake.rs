//! Whether a broker answers, and which version it is.

use std::io;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Message TTL and at-least-once dead lettering of quorum queues came with 3.10.
const OLDEST: (u32, u32) = (3, 10);

/// Opens a connection and reads the broker's first frame, `connection.start` (AMQP 0-9-1 §2.2.4). Returns the version
/// that it says, as in `3.10.8`.
pub(super) async fn greet(host: &str, port: u16) -> io::Result<String> {
    tokio::time::timeout(ANSWERS_WITHIN, read_start(host, port))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn read_start(host: &str, port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(b"AMQP\0\0\x09\x01").await?;
    // type, channel, size; then the payload and an end octet.
    let mut head = [0; 7];
    stream.read_exact(&mut head).await?;
    let [kind, _, _, size @ ..] = head;
    let size = u32::from_be_bytes(size);
    if kind != 1 || size > 64 << 10 {
        return Err(io::Error::other("this is no AMQP 0-9-1 broker"));
    }
    let mut payload = vec![0; size as usize];
    stream.read_exact(&mut payload).await?;
    version(&payload).ok_or_else(|| io::Error::other("the broker does not say its version"))
}

/// The long string `version` of the server properties.
fn version(start: &[u8]) -> Option<String> {
    let key = b"\x07versionS";
    let at = start.windows(key.len()).position(|window| window == key)? + key.len();
    let (size, text) = start.get(at..)?.split_first_chunk::<4>()?;
    let text = text.get(..u32::from_be_bytes(*size) as usize)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// Refuses brokers that are too old for what Plaza declares.
pub(super) fn check_version(version: &str) -> Result<()> {
    let mut numbers = version.split('.').map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        bail!("RabbitMQ says an odd version: {version}");
    };
    if (major, minor) < OLDEST {
        let (major, minor) = OLDEST;
        bail!("RabbitMQ {version} is too old: the tests need {major}.{minor} or newer");
    }
    Ok(())
}

/// A broker that answers and is new enough.
pub(super) async fn check(host: &str, port: u16) -> Result<()> {
    let version = greet(host, port)
        .await
        .with_context(|| format!("no broker answers at {host}:{port}"))?;
    check_version(&version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_properties() {
        let start = b"\0\x0a\0\x0a\0\x09\0\0\0\x30\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x063.10.8";
        assert_eq!(version(start).as_deref(), Some("3.10.8"));
        assert_eq!(version(&start[..start.len() - 1]), None);
        assert_eq!(version(b""), None);
    }

    #[test]
    fn old_brokers_are_refused() {
        assert!(check_version("3.10.8").is_ok());
        assert!(check_version("4.1.0").is_ok());
        assert!(check_version("3.9.27").is_err());
        assert!(check_version("three").is_err());
    }
}

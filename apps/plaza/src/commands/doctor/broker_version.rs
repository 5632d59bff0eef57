//! What a broker introduces itself as. The client library keeps that to itself, so it is asked once more, and left again
//! before anybody logs in.

use std::io;

use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Before TLS and without a login there is no more to hear than a broker's first frame.
const HEADER: &[u8; 8] = b"AMQP\0\0\x09\x01";
/// RabbitMQ's own is about 500 bytes.
const LONGEST: u32 = 64 << 10;
const USUAL_PORT: u16 = 5672;

/// Reads `connection.start` (AMQP 0-9-1 §1.4.2.1): product and version. None where the connection is encrypted, or the
/// broker does not say.
pub(super) async fn ask(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    if uri.scheme_str() != Some("amqp") {
        return None;
    }
    let port = uri.port_u16().unwrap_or(USUAL_PORT);
    let start = read(uri.host()?.trim_matches(['[', ']']), port).await.ok()?;
    let version = property(&start, "version")?;
    Some(match property(&start, "product") {
        Some(product) => format!("{product} {version}"),
        None => version,
    })
}

async fn read(host: &str, port: u16) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(HEADER).await?;
    // Type, channel and size; then the payload.
    let mut head = [0; 7];
    stream.read_exact(&mut head).await?;
    let [kind, _, _, size @ ..] = head;
    let size = u32::from_be_bytes(size);
    if kind != 1 || size > LONGEST {
        return Err(io::Error::other("this is no AMQP 0-9-1 broker"));
    }
    let mut payload = vec![0; size as usize];
    stream.read_exact(&mut payload).await?;
    Ok(payload)
}

/// A long string (`S`) of the table of server properties.
fn property(start: &[u8], name: &str) -> Option<String> {
    let mut key = vec![u8::try_from(name.len()).ok()?];
    key.extend(name.bytes());
    key.push(b'S');
    let at = start.windows(key.len()).position(|window| window == key)? + key.len();
    let (size, text) = start.get(at..)?.split_first_chunk::<4>()?;
    let text = text.get(..u32::from_be_bytes(*size) as usize)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// Whether a version is one that Plaza's queues need: RabbitMQ 3.10, with which message TTL and dead lettering at least
/// once came to quorum queues. Not said of other products.
pub(super) fn is_too_old(told: &str) -> bool {
    let Some(version) = told.strip_prefix("RabbitMQ ") else {
        return false;
    };
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) < (3, 10),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_and_version_are_read_from_the_properties() {
        let start = b"\0\x0a\0\x0a\0\x09\0\0\0\x30\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x063.10.8";
        assert_eq!(property(start, "product").as_deref(), Some("RabbitMQ"));
        assert_eq!(property(start, "version").as_deref(), Some("3.10.8"));
        assert_eq!(property(&start[..start.len() - 1], "version"), None);
        assert_eq!(property(b"", "version"), None);
    }

    #[test]
    fn an_old_broker_is_told_from_a_new_one() {
        for (told, old) in [
            ("RabbitMQ 3.9.27", true),
            ("RabbitMQ 3.10.8", false),
            ("RabbitMQ 4.1.0-rc.1", false),
            ("RabbitMQ three", false),
            ("Other 1.0", false),
        ] {
            assert_eq!(is_too_old(told), old, "{told}");
        }
    }

    #[tokio::test]
    async fn whoever_is_no_broker_or_encrypts_says_nothing() {
        for url in ["amqps://127.0.0.1", "amqp://127.0.0.1:1", "nonsense"] {
            assert_eq!(ask(url).await, None, "{url}");
        }
    }
}

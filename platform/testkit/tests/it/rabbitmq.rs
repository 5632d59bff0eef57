//! The shared broker and its virtual hosts, seen by a client that is not ours.

use std::path::Path;
use std::time::Duration;

use plaza_testkit::python;
use plaza_testkit::rabbitmq::{Vhost, start_shared, stop_shared};
use secrecy::{ExposeSecret, SecretString};

const SOON: Duration = Duration::from_secs(60);

/// `publish`: one persistent message into a quorum queue, confirmed. `take`: what is in the queue. `names`: whether it is there.
const CLIENT: &str = "
import sys, pika
verb, url = sys.argv[1:]
channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
if verb == 'publish':
    channel.queue_declare('greetings', durable=True, arguments={'x-queue-type': 'quorum'})
    channel.confirm_delivery()
    channel.basic_publish('', 'greetings', b'hello', pika.BasicProperties(delivery_mode=2), mandatory=True)
elif verb == 'take':
    method, _, body = channel.basic_get('greetings', auto_ack=True)
    print(body.decode() if method else 'nothing')
";

/// What the client says.
pub(crate) async fn client(verb: &str, url: &SecretString) -> String {
    let said = python::run(CLIENT, &[verb, url.expose_secret()], SOON).await;
    said.trim().to_owned()
}

#[tokio::test]
async fn a_test_has_its_virtual_host_to_itself() {
    let (one, other) = tokio::join!(Vhost::new(), Vhost::new());
    assert_ne!(one.name(), other.name());
    client("publish", &one.url()).await;
    client("publish", &other.url()).await;
    assert_eq!(client("take", &one.url()).await, "hello");
    assert_eq!(client("take", &one.url()).await, "nothing");
    assert_eq!(client("take", &other.url()).await, "hello");
}

#[tokio::test]
#[should_panic(expected = "ProbableAccessDenied")]
async fn a_virtual_host_is_gone_with_its_test() {
    let url = Vhost::new().await.url();
    client("take", &url).await;
}

#[tokio::test]
async fn the_shared_broker_is_started_once_and_stopped_whole() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("testmq");
    // Several processes of a test run come at the same time.
    let (first, second) = tokio::join!(start_shared(&folder), start_shared(&folder));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.expose_secret(), second.expose_secret());
    let processes = processes_of(&folder);
    assert!(
        ["beam.smp", "epmd", "inet_gethost"]
            .iter()
            .all(|name| processes.contains(&(*name).to_owned())),
        "{processes:?}"
    );
    // AMQP, distribution, port mapper, management.
    let ours = [0, 1, 2, 10_000].map(|added| port(&first) + added);
    for port in ours {
        let listening = listeners(port);
        assert!(!listening.is_empty(), "{port}");
        assert!(
            listening
                .iter()
                .all(|address| LOOPBACK.contains(&address.as_str())),
            "{listening:?}"
        );
    }

    stop_shared(&folder).await.unwrap();
    assert_eq!(processes_of(&folder), Vec::<String>::new());
    assert_eq!(ours.map(|port| listeners(port).len()), [0; 4]);
    stop_shared(&folder).await.unwrap();
}

fn port(url: &SecretString) -> u16 {
    let (_, port) = url.expose_secret().rsplit_once(':').unwrap();
    port.parse().unwrap()
}

/// The names of all processes that work in the folder or below.
fn processes_of(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|process| {
            std::fs::read_link(process.path().join("cwd")).is_ok_and(|place| place.starts_with(folder))
        })
        .filter_map(|process| std::fs::read_to_string(process.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect();
    names.sort();
    names
}

/// 127.0.0.1 and ::1 as proc_net(5) shows them.
const LOOPBACK: [&str; 2] = ["0100007F", "00000000000000000000000001000000"];

/// The addresses on which somebody listens at this port, in hexadecimal: proc_net(5), state `0A`.
fn listeners(port: u16) -> Vec<String> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let sockets = tables.iter().flat_map(|table| table.lines().skip(1));
    sockets
        .map(|socket| socket.split_whitespace().collect::<Vec<_>>())
        .filter(|socket| socket[3] == "0A")
        .filter_map(|socket| {
            let (address, at) = socket[1].split_once(':')?;
            (at == format!("{port:04X}")).then(|| address.to_owned())
        })
        .collect()
}

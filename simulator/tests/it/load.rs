//! Many messages: nothing is lost between accepting, reporting and counting.

use futures_util::{StreamExt, stream};
use plaza_simulator::SimulatorSettings;

use crate::peer::{Peer, calm_towards};
use crate::receiver::Receiver;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_messages_add_up() {
    const MESSAGES: u64 = 3_000;
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let settings = SimulatorSettings {
        state_file: Some(folder.path().join("simulator.jsonl")),
        duplicate_rate: 0.1,
        reorder_rate: 0.1,
        read_rate: 0.5,
        failure_rate: 0.1,
        ..calm_towards(&receiver)
    };
    let peer = Peer::start(settings).await;
    let sends = stream::iter(0..MESSAGES).map(|number| {
        let peer = &peer;
        // Every tenth message is sent twice.
        let reference = format!("m-{}", if number % 10 == 9 { number - 1 } else { number });
        async move { peer.send_to(&format!("4915{number:08}"), &reference).await.0 }
    });
    let accepted = sends
        .buffer_unordered(32)
        .filter(|status| std::future::ready(status.is_success()))
        .count()
        .await;
    let counts = peer.settled().await;

    assert_eq!(accepted as u64, MESSAGES);
    assert_eq!(
        (counts.accepted, counts.unique_references, counts.duplicates),
        (3_000, 2_700, 300)
    );
    let (messages, callbacks) = (&counts.messages, &counts.callbacks);
    assert_eq!(messages.accepted + messages.sent, 0);
    assert_eq!(messages.delivered + messages.read + messages.failed, MESSAGES);
    let first = callbacks.sent + callbacks.delivered + callbacks.read + callbacks.failed;
    assert_eq!(first + callbacks.repeated, callbacks.acknowledged);
    assert_eq!(callbacks.failed, messages.failed);
    assert_eq!(callbacks.read, messages.read);
    assert_eq!(receiver.statuses().len() as u64, callbacks.acknowledged);
    assert!(callbacks.repeated > 100);
}

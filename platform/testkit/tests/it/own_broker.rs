//! A broker that the test owns. Modules of this name run one test at a time.

use plaza_testkit::rabbitmq::Broker;

use crate::rabbitmq::client;

#[tokio::test]
async fn a_confirmed_message_outlives_a_power_cut_and_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(folder.path()).await.unwrap();
    let (url, vhost) = (broker.url(), broker.vhost().await);
    client("publish", &url).await;
    client("publish", &vhost.url()).await;
    tokio::time::sleep(Broker::WRITTEN_DOWN).await;

    broker.kill().await.unwrap();
    broker.start_again().await.unwrap();
    assert_eq!(client("take", &url).await, "hello");

    broker.stop().await.unwrap();
    broker.start_again().await.unwrap();
    assert_eq!(client("take", &vhost.url()).await, "hello");
    assert_eq!(client("take", &url).await, "nothing");
    assert!(broker.start_again().await.is_err(), "it runs");
}

//! Another program on the same broker, with nothing of ours.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures_util::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Queue};
use secrecy::{ExposeSecret, SecretString};

pub(crate) struct Raw {
    pub(crate) connection: Connection,
}

impl Raw {
    pub(crate) async fn connect(url: &SecretString) -> Self {
        let connection = Connection::connect(url.expose_secret(), ConnectionProperties::default()).await;
        Self {
            connection: connection.unwrap(),
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        let channel = self.connection.create_channel().await.unwrap();
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .unwrap();
        channel
    }

    /// Publishes to a queue, if it is there.
    pub(crate) async fn publish(&self, queue: &str, body: &[u8], properties: BasicProperties) {
        let channel = self.channel().await;
        let options = BasicPublishOptions::default();
        let confirm = channel
            .basic_publish("".into(), queue.into(), options, body, properties)
            .await
            .unwrap();
        assert!(confirm.await.unwrap().is_ack());
    }

    /// Takes what is in a queue. By consuming: a queue with a single active consumer gives nothing otherwise.
    pub(crate) async fn take(&self, queue: &str) -> Vec<Delivery> {
        let count = self.depth(queue).await.unwrap();
        let channel = self.channel().await;
        let options = BasicConsumeOptions::default();
        let consumer = channel
            .basic_consume(queue.into(), "".into(), options, FieldTable::default())
            .await
            .unwrap();
        let messages: Vec<Delivery> = consumer.take(count as usize).map(Result::unwrap).collect().await;
        for message in &messages {
            message.acker.ack(BasicAckOptions::default()).await.unwrap();
        }
        // The acknowledgements are there before the channel is closed.
        channel.close(200, "done".into()).await.unwrap();
        messages
    }

    pub(crate) async fn declare(&self, queue: &str, arguments: FieldTable) {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        self.channel()
            .await
            .queue_declare(queue.into(), options, arguments)
            .await
            .unwrap();
    }

    /// How many messages wait in a queue; None if there is no such queue.
    pub(crate) async fn depth(&self, queue: &str) -> Option<u32> {
        self.look_at(queue).await.map(|queue| queue.message_count())
    }

    /// Whether somebody reads the queue. One that was declared a moment ago is there, but may refuse messages: it has no
    /// leader yet.
    pub(crate) async fn is_read(&self, queue: &str) -> bool {
        let queue = self.look_at(queue).await;
        queue.is_some_and(|queue| queue.consumer_count() > 0)
    }

    async fn look_at(&self, queue: &str) -> Option<Queue> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let channel = self.channel().await;
        channel
            .queue_declare(queue.into(), options, FieldTable::default())
            .await
            .ok()
    }

    pub(crate) async fn bind(&self, queue: &str, exchange: &str, key: &str) {
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        self.channel()
            .await
            .queue_bind(queue.into(), exchange.into(), key.into(), options, none)
            .await
            .unwrap();
    }

    pub(crate) async fn purge(&self, queue: &str) -> u32 {
        self.channel()
            .await
            .queue_purge(queue.into(), QueuePurgeOptions::default())
            .await
            .unwrap()
    }

    pub(crate) async fn delete_exchange(&self, exchange: &str) {
        self.channel()
            .await
            .exchange_delete(exchange.into(), ExchangeDeleteOptions::default())
            .await
            .unwrap();
    }

    pub(crate) async fn delete(&self, queue: &str) {
        self.channel()
            .await
            .queue_delete(queue.into(), QueueDeleteOptions::default())
            .await
            .unwrap();
    }
}

/// The headers of a message, as text.
pub(crate) fn headers(message: &Delivery) -> Vec<(String, String)> {
    let headers = message.properties.headers().as_ref();
    headers
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let value = match value {
                AMQPValue::LongString(text) => text.to_string(),
                AMQPValue::LongInt(number) => number.to_string(),
                other => format!("{other:?}"),
            };
            (name.to_string(), value)
        })
        .collect()
}

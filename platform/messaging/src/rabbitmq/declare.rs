//! Declaring exchanges and queues: again and again, without harm.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection};
use plaza_kernel::topology::{Exchange, ExchangeKind, Queue, Topology};

use super::queues::{self, Declared};
use super::{RabbitMqError, RabbitMqSettings};
use crate::MessagingSettings;

/// Declares things on one connection.
pub(crate) struct Declarer<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) topology: &'static Topology,
    pub(crate) settings: &'a RabbitMqSettings,
    pub(crate) messaging: &'a MessagingSettings,
}

impl Declarer<'_> {
    /// Declares all of the table. What exists in another form is left as it is and named in the answer; the rest is
    /// declared all the same.
    ///
    /// # Errors
    /// When the connection breaks, or the broker does not answer in time.
    pub(crate) async fn all(&self) -> Result<Vec<RabbitMqError>, RabbitMqError> {
        let mut different = Vec::new();
        let mut channel = self.channel().await?;
        for exchange in self.topology.exchanges {
            let declared = self.answer(self.exchange(&channel, exchange)).await;
            self.note(declared, &mut channel, &mut different).await?;
        }
        for queue in self.topology.queues {
            self.queue_on(queue, &mut channel, &mut different).await?;
        }
        // Dropped channels are closed.
        Ok(different)
    }

    /// Declares what one queue of the table needs: its exchange, its retry queues, its dead letters, its bindings.
    ///
    /// # Errors
    /// When the connection breaks, the broker does not answer in time, or something exists in another form: the rest is
    /// declared all the same.
    pub(crate) async fn queue(&self, queue: &Queue) -> Result<(), RabbitMqError> {
        let mut different = Vec::new();
        let mut channel = self.channel().await?;
        if let Some(exchange) = self.topology.exchange(queue.exchange) {
            let declared = self.answer(self.exchange(&channel, exchange)).await;
            self.note(declared, &mut channel, &mut different).await?;
        }
        self.queue_on(queue, &mut channel, &mut different).await?;
        different.into_iter().next().map_or(Ok(()), Err)
    }

    async fn channel(&self) -> Result<Channel, RabbitMqError> {
        let opening = self.connection.create_channel();
        self.answer(async { opening.await.map_err(RabbitMqError::away) })
            .await
    }

    async fn answer<T>(
        &self,
        answer: impl Future<Output = Result<T, RabbitMqError>>,
    ) -> Result<T, RabbitMqError> {
        RabbitMqError::in_time(self.settings.answer, answer).await
    }

    /// A refused declaration closes its channel: the next one needs another.
    async fn note(
        &self,
        declared: Result<(), RabbitMqError>,
        channel: &mut Channel,
        different: &mut Vec<RabbitMqError>,
    ) -> Result<(), RabbitMqError> {
        match declared {
            Ok(()) => Ok(()),
            Err(error @ RabbitMqError::Different { .. }) => {
                different.push(error);
                *channel = self.channel().await?;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn exchange(&self, channel: &Channel, exchange: &Exchange) -> Result<(), RabbitMqError> {
        let kind = self.settings.exchange_kinds.get(exchange.name);
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        channel
            .exchange_declare(
                exchange.name.into(),
                as_lapin(*kind.unwrap_or(&exchange.kind)),
                options,
                FieldTable::default(),
            )
            .await
            .map_err(|error| RabbitMqError::declaring(exchange.name, error))
    }

    /// A queue is bound as soon as it is there, whatever becomes of those around it: until then it misses what others
    /// hear, and no publisher is told. One that exists in another form is bound too: what it gets is kept for later.
    async fn queue_on(
        &self,
        queue: &Queue,
        channel: &mut Channel,
        different: &mut Vec<RabbitMqError>,
    ) -> Result<(), RabbitMqError> {
        for declared in queues::all(queue, self.messaging, self.settings) {
            let is_bound = declared.name == queue.name;
            let done = self.answer(declare(channel, declared)).await;
            self.note(done, channel, different).await?;
            if is_bound {
                let done = self.answer(bind(channel, queue)).await;
                self.note(done, channel, different).await?;
            }
        }
        Ok(())
    }
}

async fn bind(channel: &Channel, queue: &Queue) -> Result<(), RabbitMqError> {
    // A fanout exchange looks at no key, but a binding has one.
    let keys = if queue.keys.is_empty() {
        &[""][..]
    } else {
        queue.keys
    };
    for key in keys {
        channel
            .queue_bind(
                queue.name.into(),
                queue.exchange.into(),
                (*key).into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(|error| RabbitMqError::declaring(queue.name, error))?;
    }
    Ok(())
}

async fn declare(channel: &Channel, declared: Declared) -> Result<(), RabbitMqError> {
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    match channel
        .queue_declare(declared.name.as_str().into(), options, declared.arguments)
        .await
    {
        Ok(_) => Ok(()),
        Err(error) => Err(RabbitMqError::declaring(&declared.name, error)),
    }
}

fn as_lapin(kind: ExchangeKind) -> lapin::ExchangeKind {
    match kind {
        ExchangeKind::Direct => lapin::ExchangeKind::Direct,
        ExchangeKind::Topic => lapin::ExchangeKind::Topic,
        ExchangeKind::Fanout => lapin::ExchangeKind::Fanout,
    }
}

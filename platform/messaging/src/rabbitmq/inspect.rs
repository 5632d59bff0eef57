//! Looking at a broker without changing it.

use lapin::Channel;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use plaza_kernel::topology::Reader;

use super::queues;
use super::{RabbitMq, RabbitMqError};

/// What a broker has of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerState {
    /// Exchanges and queues of the table that are not there, by name.
    pub missing: Vec<String>,
    /// Those that are there in another form, each with what the broker says.
    pub different: Vec<String>,
    /// Queues of dead letters, and how many messages each has.
    pub dead: Vec<(String, u64)>,
    /// Queues of Plaza's own consumers that hold messages, retry queues among them, and how many each has. What a reader
    /// holds at that moment is not among them.
    pub queued: Vec<(String, u64)>,
}

impl RabbitMq {
    /// Looks at what the broker has of the table. Declares nothing that is not there already.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn inspect(&self) -> Result<BrokerState, RabbitMqError> {
        let connection = self.publisher.link.connection().await?;
        let channel = || async { connection.create_channel().await.map_err(RabbitMqError::away) };
        let mut state = BrokerState::default();
        let publisher = &self.publisher;
        for exchange in publisher.topology.exchanges {
            // A refused declaration closes its channel: each look has its own.
            if !has_exchange(&channel().await?, exchange.name).await? {
                state.missing.push(exchange.name.to_owned());
            }
        }
        for queue in publisher.topology.queues {
            let dead = queues::dead(queue.name);
            for declared in queues::all(queue, &publisher.messaging, &publisher.settings) {
                let Some(messages) = messages_in(&channel().await?, &declared.name).await? else {
                    state.missing.push(declared.name);
                    continue;
                };
                if declared.name == dead {
                    state.dead.push((dead.clone(), messages));
                } else if messages > 0 && matches!(queue.reader, Reader::Consumer(_)) {
                    state.queued.push((declared.name.clone(), messages));
                }
                // It is there: to declare it again compares its form and changes nothing.
                let options = QueueDeclareOptions {
                    durable: true,
                    ..QueueDeclareOptions::default()
                };
                let again = channel().await?;
                let again = again
                    .queue_declare(declared.name.as_str().into(), options, declared.arguments)
                    .await;
                if let Err(error) = again {
                    match RabbitMqError::declaring(&declared.name, error) {
                        different @ RabbitMqError::Different { .. } => {
                            state.different.push(different.to_string())
                        }
                        other => return Err(other),
                    }
                }
            }
        }
        Ok(state)
    }
}

async fn has_exchange(channel: &Channel, name: &str) -> Result<bool, RabbitMqError> {
    let options = ExchangeDeclareOptions {
        passive: true,
        ..ExchangeDeclareOptions::default()
    };
    let looked = channel
        .exchange_declare(
            name.into(),
            lapin::ExchangeKind::Direct,
            options,
            FieldTable::default(),
        )
        .await;
    found(looked).map(|found| found.is_some())
}

async fn messages_in(channel: &Channel, name: &str) -> Result<Option<u64>, RabbitMqError> {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let looked = channel
        .queue_declare(name.into(), options, FieldTable::default())
        .await;
    Ok(found(looked)?.map(|queue| u64::from(queue.message_count())))
}

fn found<T>(looked: Result<T, lapin::Error>) -> Result<Option<T>, RabbitMqError> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if RabbitMqError::says_not_found(&error) => Ok(None),
        Err(error) => Err(RabbitMqError::away(error)),
    }
}

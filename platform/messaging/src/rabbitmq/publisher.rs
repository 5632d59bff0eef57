//! Publishing with confirms: everything in a window is on its way at once, and all of it is answered.
//!
//! A channel belongs to one window at a time: so no two publishers mix up its delivery tags, and what the broker returns
//! belongs to this window. A channel on which something went wrong is not used again.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use plaza_kernel::topology::Topology;
use tokio::time::{Instant, timeout, timeout_at};

use super::declare::Declarer;
use super::link::Link;
use super::queues::TO_QUEUE;
use super::{RabbitMqError, RabbitMqSettings};
use crate::MessagingSettings;

/// How many channels are kept for the next windows.
const IDLE: usize = 8;

/// A message on its way.
pub(crate) struct Message<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) key: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) properties: BasicProperties,
    /// Whether there has to be a queue for it.
    pub(crate) mandatory: bool,
}

/// Publishes over one connection, on which the topology was declared before.
pub(crate) struct Publisher {
    pub(crate) link: Link,
    pub(crate) topology: &'static Topology,
    pub(crate) settings: Arc<RabbitMqSettings>,
    pub(crate) messaging: MessagingSettings,
    idle: Mutex<Vec<Channel>>,
    // Locked while somebody declares: the connection on which all was declared.
    declared: tokio::sync::Mutex<Option<Arc<Connection>>>,
    incomplete: AtomicBool,
}

impl Publisher {
    pub(crate) fn new(
        link: Link,
        topology: &'static Topology,
        settings: Arc<RabbitMqSettings>,
        messaging: MessagingSettings,
    ) -> Self {
        Self {
            link,
            topology,
            settings,
            messaging,
            idle: Mutex::default(),
            declared: tokio::sync::Mutex::default(),
            incomplete: AtomicBool::new(false),
        }
    }

    /// A connection on which everything is declared.
    pub(crate) async fn ready(&self) -> Result<Arc<Connection>, RabbitMqError> {
        let connection = self.link.connection().await?;
        let mut declared = self.declared.lock().await;
        let done = declared.as_ref().is_some_and(|on| Arc::ptr_eq(on, &connection));
        if done && !self.incomplete.load(Ordering::Acquire) {
            return Ok(connection);
        }
        // What is broken off half-way is begun anew.
        *declared = None;
        self.incomplete.store(false, Ordering::Release);
        for different in self.declarer(&connection).all().await? {
            tracing::error!(
                error = &different as &dyn std::error::Error,
                "the broker's topology differs"
            );
        }
        *declared = Some(Arc::clone(&connection));
        Ok(connection)
    }

    /// What declares on a connection.
    pub(crate) fn declarer<'a>(&'a self, connection: &'a Connection) -> Declarer<'a> {
        Declarer {
            connection,
            topology: self.topology,
            settings: &self.settings,
            messaging: &self.messaging,
        }
    }

    /// Something that has to be there is not: everything is declared again before the next message.
    pub(crate) fn declare_again(&self) {
        self.incomplete.store(true, Ordering::Release);
    }

    /// Publishes to a queue, and waits until the broker keeps it.
    pub(crate) async fn to_queue(
        &self,
        queue: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), RabbitMqError> {
        let message = Message {
            exchange: TO_QUEUE,
            key: queue,
            body,
            properties,
            mandatory: true,
        };
        let mut answers = self.window(vec![message], None).await;
        answers.pop().unwrap_or(Err(RabbitMqError::Unconfirmed))
    }

    /// Publishes all of these at once, in no order, and answers for each, at the latest when that time has come. Their ids
    /// differ.
    pub(crate) async fn window(
        &self,
        messages: Vec<Message<'_>>,
        until: Option<Instant>,
    ) -> Vec<Result<(), RabbitMqError>> {
        let count = messages.len();
        let opening = async { self.channel(&*self.ready().await?).await };
        // Declaring everything takes its time, and is limited by whoever publishes.
        let channel = match until {
            Some(until) => timeout_at(until, opening)
                .await
                .unwrap_or(Err(RabbitMqError::Unconfirmed)),
            None => opening.await,
        };
        let channel = match channel {
            Ok(channel) => channel,
            Err(error) => return vec![Err(error); count],
        };
        let ids: Vec<_> = messages
            .iter()
            .map(|message| message.properties.message_id().clone())
            .collect();
        let ends = Instant::now() + self.settings.confirm;
        let ends = until.map_or(ends, |until| until.min(ends));
        let confirms = messages
            .into_iter()
            .map(|message| confirmed(&channel, message, ends));
        let (mut returned, mut answers) = (HashSet::new(), Vec::with_capacity(count));
        for confirm in join_all(confirms).await {
            answers.push(match confirm {
                Ok(confirmation) => {
                    let kept = !confirmation.is_nack();
                    // Confirms of many at once do not say which of them it is that was returned.
                    returned.extend(
                        confirmation
                            .take_message()
                            .map(|message| message.delivery.properties.message_id().clone()),
                    );
                    if kept { Ok(()) } else { Err(RabbitMqError::Full) }
                }
                Err(error) => Err(error),
            });
        }
        if answers.iter().any(is_missing_exchange) {
            self.declare_again();
        }
        for (answer, id) in answers.iter_mut().zip(ids) {
            if answer.is_ok() && (returned.contains(&id) || (count == 1 && !returned.is_empty())) {
                self.declare_again();
                *answer = Err(RabbitMqError::Unroutable(
                    id.map(String::from).unwrap_or_default(),
                ));
            }
        }
        if answers.iter().all(|answer| {
            matches!(
                answer,
                Ok(()) | Err(RabbitMqError::Full | RabbitMqError::Unroutable(_))
            )
        }) {
            self.keep(channel);
        }
        answers
    }

    /// A channel with confirms that nobody else uses.
    async fn channel(&self, connection: &Connection) -> Result<Channel, RabbitMqError> {
        if connection.status().blocked() {
            return Err(RabbitMqError::Blocked);
        }
        while let Some(channel) = self.take_idle() {
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let opening = async {
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        };
        match timeout(self.settings.confirm, opening).await {
            Ok(opened) => opened.map_err(RabbitMqError::away),
            Err(_) => Err(RabbitMqError::Unconfirmed),
        }
    }

    fn take_idle(&self) -> Option<Channel> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, channel: Channel) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(channel);
        }
    }
}

/// The broker closes the channel then, so that the whole window is answered with it.
fn is_missing_exchange(answer: &Result<(), RabbitMqError>) -> bool {
    matches!(answer, Err(RabbitMqError::Away(error)) if RabbitMqError::says_not_found(error))
}

async fn confirmed(
    channel: &Channel,
    message: Message<'_>,
    ends: Instant,
) -> Result<Confirmation, RabbitMqError> {
    let options = BasicPublishOptions {
        mandatory: message.mandatory,
        ..BasicPublishOptions::default()
    };
    let publishing = async {
        let Message {
            exchange,
            key,
            body,
            properties,
            ..
        } = message;
        channel
            .basic_publish(exchange.into(), key.into(), options, body, properties)
            .await?
            .await
    };
    match timeout_at(ends, publishing).await {
        Ok(answer) => answer.map_err(RabbitMqError::away),
        Err(_) => Err(RabbitMqError::Unconfirmed),
    }
}

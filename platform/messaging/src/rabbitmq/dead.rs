//! The dead letters on the broker: read without taking them, put back, given back to their queue, or thrown away.
//!
//! What is looked at goes back when the channel is closed. A replayed one is acknowledged after the broker has confirmed
//! the copy in its old queue: a crash in between leaves two of it, never none, and the inbox keeps the effect to one.

use chrono::{DateTime, Utc};
use lapin::Channel;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use plaza_kernel::topology::{Queue, Reader};

use super::{RabbitMq, RabbitMqError, headers, queues};
use crate::dead_letters::{Letter, Which};

/// Why the broker gives up on a message that it had to deliver again too often.
const DELIVERY_LIMIT: &str = "delivery_limit";

/// What is done with a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Delivered again, with all its deliveries before it.
    Replayed,
    /// Gone for good.
    Discarded,
}

impl RabbitMq {
    /// The dead letters of a queue, or of all, oldest first; at most `limit` of each queue.
    pub(crate) async fn dead_letters(
        &self,
        queue: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Letter>, RabbitMqError> {
        let mut letters = Vec::new();
        for queue in self.queues(queue)? {
            let channel = self.looking().await?;
            let mut left = limit;
            while left > 0 {
                let Some(message) = next(&channel, queue).await? else {
                    break;
                };
                letters.push(self.letter(queue, &message));
                left -= 1;
            }
            give_back(channel).await;
        }
        Ok(letters)
    }

    /// Does this with the dead letters of a queue that were there when it began. Says with how many.
    pub(crate) async fn settle_dead_letters(
        &self,
        queue: &str,
        which: Which,
        fate: Fate,
    ) -> Result<u64, RabbitMqError> {
        let Some(queue) = self.queues(Some(queue))?.into_iter().next() else {
            return Ok(0);
        };
        let channel = self.looking().await?;
        let (mut settled, mut left) = (0, None);
        // What dies again meanwhile comes behind, and is left alone.
        while left != Some(0) {
            let Some(message) = next(&channel, queue).await? else {
                break;
            };
            left = Some(left.unwrap_or(message.message_count.saturating_add(1)) - 1);
            let meant = match which {
                Which::All => true,
                Which::One(event) => event_id(&message) == Some(event.to_string()),
            };
            if !meant {
                continue;
            }
            if fate == Fate::Replayed {
                let properties = headers::revived(&message.properties);
                self.publisher
                    .to_queue(queue.name, &message.data, properties)
                    .await?;
            }
            message
                .acker
                .ack(BasicAckOptions::default())
                .await
                .map_err(RabbitMqError::away)?;
            settled += 1;
        }
        give_back(channel).await;
        Ok(settled)
    }

    fn letter(&self, queue: &Queue, message: &BasicGetMessage) -> Letter {
        let attribute = |name| headers::attribute(message.properties.headers().as_ref(), name);
        let at = headers::header(message, headers::DIED_AT)
            .and_then(|at| DateTime::parse_from_rfc3339(&at).ok())
            .map(|at| at.with_timezone(&Utc));
        let (word, since) = headers::death(message).unzip();
        let reason = headers::header(message, headers::REASON);
        let attempts = headers::number(message.properties.headers().as_ref(), headers::ATTEMPTS)
            .and_then(|attempts| i32::try_from(attempts).ok());
        let attempts = match (word.as_deref(), queue.reader) {
            // It counted for itself.
            (Some(DELIVERY_LIMIT), Reader::Others) if reason.is_none() => {
                Some(attempts.unwrap_or_default() + self.publisher.messaging.deliveries())
            }
            _ => attempts,
        };
        Letter {
            queue: queue.name.to_owned(),
            event_id: attribute("id").and_then(|id| id.parse().ok()),
            name: attribute("type"),
            tenant_id: attribute("tenantid").and_then(|tenant| tenant.parse().ok()),
            key: attribute("partitionkey"),
            payload: String::from_utf8_lossy(&message.data).into_owned(),
            attempts,
            error: reason
                .or_else(|| word.as_deref().map(in_words))
                .unwrap_or_else(|| "put here by somebody else".to_owned()),
            died_at: at.or(since.flatten()),
        }
    }

    fn queues(&self, name: Option<&str>) -> Result<Vec<&'static Queue>, RabbitMqError> {
        let all = self.publisher.topology.queues.iter();
        let found: Vec<_> = all
            .filter(|queue| name.is_none_or(|name| queue.name == name))
            .collect();
        match name {
            Some(name) if found.is_empty() => Err(RabbitMqError::NoSuchQueue(name.to_owned())),
            _ => Ok(found),
        }
    }

    /// A channel to look with.
    async fn looking(&self) -> Result<Channel, RabbitMqError> {
        // Declared before: there is something to look at.
        let connection = self.publisher.ready().await?;
        connection.create_channel().await.map_err(RabbitMqError::away)
    }
}

async fn next(channel: &Channel, queue: &Queue) -> Result<Option<BasicGetMessage>, RabbitMqError> {
    channel
        .basic_get(queues::dead(queue.name).into(), BasicGetOptions::default())
        .await
        .map_err(RabbitMqError::away)
}

/// What was read and not acknowledged is in its place again.
async fn give_back(channel: Channel) {
    // If that fails the connection is gone, and the messages are back by that.
    let _ = channel.close(200, "looked".into()).await;
}

fn event_id(message: &BasicGetMessage) -> Option<String> {
    headers::attribute(message.properties.headers().as_ref(), "id")
}

/// The broker's word for why it made a dead letter of something.
fn in_words(word: &str) -> String {
    match word {
        DELIVERY_LIMIT => {
            "its deliveries came to no end: its readers gave it back or died with it".to_owned()
        }
        "rejected" => "its reader rejected it".to_owned(),
        other => format!("the broker gave it up: {other}"),
    }
}

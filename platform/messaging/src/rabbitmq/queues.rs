//! The queues that one queue of the table stands for, with their names and arguments.
//!
//! A queue `q` has retry queues `q.retry.1`, `q.retry.2`, …: what is put there comes back to `q` when its time is over.
//! What cannot be consumed ends in `q.dlq`, be it put there by us or by the broker, which gives up on a message that it
//! had to deliver again too often: soon where others read, and as a last resort where our consumers do.
//!
//! All are quorum queues, and dead lettering is at least once: that needs `reject-publish`, or it is silently at most once
//! (RabbitMQ, "Quorum Queues", "Dead lettering").

use std::time::Duration;

use lapin::types::{AMQPValue, FieldTable};
use plaza_kernel::topology::{Queue, Reader};

use super::RabbitMqSettings;
use crate::MessagingSettings;

/// A dead letter may be looked at often: each look counts as a delivery, and without a limit of its own a broker of version
/// 4 drops it after twenty.
const LOOKS: i32 = 1_000_000_000;

/// How often a broker delivers again what one of our consumers does not acknowledge. Tries are counted by us (`tries.rs`):
/// this is for what kills its reader before that.
const LAST_RESORT: i32 = 1_000;

/// The default exchange: its keys are the names of queues.
pub(crate) const TO_QUEUE: &str = "";

/// A queue with its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) arguments: FieldTable,
    /// What the arguments say, for people.
    pub(crate) told: String,
}

/// The retry queue of this level, counted from 1.
pub(crate) fn retry(queue: &str, level: usize) -> String {
    format!("{queue}.retry.{level}")
}

/// Where dead letters of a queue are.
pub(crate) fn dead(queue: &str) -> String {
    format!("{queue}.dlq")
}

/// What a queue of the table stands for: each before those that send to it.
pub(crate) fn all(
    queue: &Queue,
    messaging: &MessagingSettings,
    settings: &RabbitMqSettings,
) -> Vec<Declared> {
    let longest = i64::from(settings.longest_queue);
    let mut all = vec![Declared {
        name: dead(queue.name),
        arguments: Arguments::quorum(longest).with("x-delivery-limit", LOOKS).table(),
        told: "dead letters".to_owned(),
    }];
    all.push(main(queue, messaging, longest));
    let levels = messaging.delays.iter().enumerate();
    all.extend(levels.map(|(at, delay)| waiting(queue, at + 1, *delay, longest)));
    all
}

fn main(queue: &Queue, messaging: &MessagingSettings, longest: i64) -> Declared {
    let most = messaging.deliveries();
    let arguments = Arguments::quorum(longest).dead_lettering_to(&dead(queue.name));
    let (arguments, told) = match queue.reader {
        Reader::Consumer(_) => (
            arguments
                .with("x-delivery-limit", LAST_RESORT)
                .with("x-single-active-consumer", true),
            format!("at most {most} tries, one consumer at a time"),
        ),
        // The limit counts what comes after the first delivery.
        Reader::Others => (
            arguments.with("x-delivery-limit", most.saturating_sub(1)),
            format!("at most {most} deliveries"),
        ),
    };
    Declared {
        name: queue.name.to_owned(),
        arguments: arguments.table(),
        told,
    }
}

fn waiting(queue: &Queue, level: usize, delay: Duration, longest: i64) -> Declared {
    let milliseconds = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    Declared {
        name: retry(queue.name, level),
        arguments: Arguments::quorum(longest)
            .dead_lettering_to(queue.name)
            .with("x-message-ttl", milliseconds)
            .table(),
        told: format!("back after {delay:?}"),
    }
}

/// Arguments in the making.
struct Arguments(FieldTable);

impl Arguments {
    fn quorum(longest: i64) -> Self {
        Self(FieldTable::default())
            .with("x-queue-type", "quorum")
            .with("x-max-length", longest)
            .with("x-overflow", "reject-publish")
    }

    fn dead_lettering_to(self, queue: &str) -> Self {
        self.with("x-dead-letter-exchange", TO_QUEUE)
            .with("x-dead-letter-routing-key", queue)
            .with("x-dead-letter-strategy", "at-least-once")
    }

    fn with(mut self, name: &str, value: impl Into<Argument>) -> Self {
        let Argument(value) = value.into();
        self.0.insert(name.into(), value);
        self
    }

    fn table(self) -> FieldTable {
        self.0
    }
}

struct Argument(AMQPValue);

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self(AMQPValue::LongString(text.into()))
    }
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self(AMQPValue::LongLongInt(number))
    }
}

impl From<i32> for Argument {
    fn from(number: i32) -> Self {
        Self(AMQPValue::LongInt(number))
    }
}

impl From<bool> for Argument {
    fn from(whether: bool) -> Self {
        Self(AMQPValue::Boolean(whether))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: Queue = Queue {
        name: "ledger.book",
        exchange: "events",
        keys: &["shop.counted"],
        reader: Reader::Consumer("ledger.book"),
    };

    fn said(declared: &Declared, argument: &str) -> Option<String> {
        let value = declared.arguments.inner().get(argument)?;
        Some(match value {
            AMQPValue::LongString(text) => text.to_string(),
            AMQPValue::LongInt(number) => number.to_string(),
            AMQPValue::LongLongInt(number) => number.to_string(),
            AMQPValue::Boolean(whether) => whether.to_string(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn a_queue_has_its_dead_letters_and_four_retry_queues() {
        let all = all(
            &QUEUE,
            &MessagingSettings::default(),
            &RabbitMqSettings::default(),
        );
        let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "ledger.book.dlq",
                "ledger.book",
                "ledger.book.retry.1",
                "ledger.book.retry.2",
                "ledger.book.retry.3",
                "ledger.book.retry.4"
            ]
        );
        for one in &all {
            assert_eq!(said(one, "x-queue-type").as_deref(), Some("quorum"));
            assert_eq!(said(one, "x-overflow").as_deref(), Some("reject-publish"));
            assert!(said(one, "x-max-length").is_some());
        }
        for one in &all[1..] {
            assert_eq!(
                said(one, "x-dead-letter-strategy").as_deref(),
                Some("at-least-once")
            );
        }
        assert_eq!(said(&all[1], "x-delivery-limit").as_deref(), Some("1000"));
        assert_eq!(said(&all[1], "x-single-active-consumer").as_deref(), Some("true"));
        assert_eq!(
            said(&all[1], "x-dead-letter-routing-key").as_deref(),
            Some("ledger.book.dlq")
        );
        assert_eq!(said(&all[2], "x-message-ttl").as_deref(), Some("10000"));
        assert_eq!(
            said(&all[5], "x-dead-letter-routing-key").as_deref(),
            Some("ledger.book")
        );
    }

    #[test]
    fn others_read_their_queues_as_they_like() {
        let theirs = Queue {
            reader: Reader::Others,
            ..QUEUE
        };
        let all = all(
            &theirs,
            &MessagingSettings::default(),
            &RabbitMqSettings::default(),
        );
        assert_eq!(said(&all[1], "x-single-active-consumer"), None);
        assert_eq!(said(&all[1], "x-delivery-limit").as_deref(), Some("4"));
    }
}

//! Where events go and who reads them: the broker-neutral table that a transport declares.
//!
//! A [`Route`] gives every event the exchange and the key it is published with; a [`Queue`] says which keys its reader
//! gets. RabbitMQ takes the whole of it. Kafka needs routes and queues only: the key is the topic, the queue the consumer
//! group.

use std::collections::BTreeSet;

/// How an exchange chooses among the queues bound to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeKind {
    /// By the same key.
    Direct,
    /// By a pattern of keys: `*` is one word, `#` any number of them.
    Topic,
    /// All of them, whatever the key.
    Fanout,
}

/// A place that events are published to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Its name on the broker.
    pub name: &'static str,
    /// How it chooses.
    pub kind: ExchangeKind,
}

/// Where events of one name are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The event's name.
    pub event: &'static str,
    /// The exchange.
    pub exchange: &'static str,
    /// The routing key, which is the topic where there are topics.
    pub key: &'static str,
}

/// Who reads a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A consumer of ours, by its name: one process at a time, so that the order per key holds.
    Consumer(&'static str),
    /// Somebody else, in any number.
    Others,
}

/// A queue and what it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Its name on the broker.
    pub name: &'static str,
    /// The exchange it is bound to.
    pub exchange: &'static str,
    /// The keys it is bound with.
    pub keys: &'static [&'static str],
    /// Who reads it.
    pub reader: Reader,
}

/// All of it. Retry and dead-letter queues are not named: every queue has them, as the transport makes them.
#[derive(Debug, Clone, Copy)]
pub struct Topology {
    /// Every exchange.
    pub exchanges: &'static [Exchange],
    /// Every event's way.
    pub routes: &'static [Route],
    /// Every queue.
    pub queues: &'static [Queue],
}

impl Queue {
    /// Whether what is published there with this key gets into the queue.
    pub fn takes(&self, exchange: &Exchange, key: &str) -> bool {
        self.exchange == exchange.name
            && match exchange.kind {
                ExchangeKind::Fanout => true,
                ExchangeKind::Direct => self.keys.contains(&key),
                ExchangeKind::Topic => self.keys.iter().any(|pattern| matches(pattern, key)),
            }
    }
}

impl Topology {
    /// An event's way. None if it is not in the table.
    pub fn route(&self, event: &str) -> Option<&'static Route> {
        self.routes.iter().find(|route| route.event == event)
    }

    /// The exchange of this name.
    pub fn exchange(&self, name: &str) -> Option<&'static Exchange> {
        self.exchanges.iter().find(|exchange| exchange.name == name)
    }

    /// The queues that an event gets into.
    pub fn hearers(&self, event: &str) -> impl Iterator<Item = &'static Queue> {
        let (queues, place) = (self.queues, self.route(event));
        let place = place.and_then(|route| Some((self.exchange(route.exchange)?, route.key)));
        queues
            .iter()
            .filter(move |queue| place.is_some_and(|(exchange, key)| queue.takes(exchange, key)))
    }

    /// The queue of a consumer of ours.
    pub fn queue_of(&self, consumer: &str) -> Option<&'static Queue> {
        self.queues
            .iter()
            .find(|queue| matches!(queue.reader, Reader::Consumer(name) if name == consumer))
    }

    /// Whether this consumer, which listens to this event, has a queue that gets it.
    pub fn serves(&self, consumer: &str, event: &str) -> bool {
        self.queue_of(consumer)
            .is_some_and(|queue| self.hearers(event).any(|hearer| hearer == queue))
    }

    /// What is wrong with the table, one line each: names used twice, exchanges that are missing, keys that no route has.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        repeated(
            "exchange",
            self.exchanges.iter().map(|one| one.name),
            &mut problems,
        );
        repeated("route of", self.routes.iter().map(|one| one.event), &mut problems);
        repeated("queue", self.queues.iter().map(|one| one.name), &mut problems);
        let consumers = self.queues.iter().filter_map(|queue| match queue.reader {
            Reader::Consumer(name) => Some(name),
            Reader::Others => None,
        });
        repeated("queue of the consumer", consumers, &mut problems);
        for route in self.routes {
            if self.exchange(route.exchange).is_none() {
                problems.push(format!(
                    "{} goes to {}, which is no exchange",
                    route.event, route.exchange
                ));
            }
        }
        for queue in self.queues {
            match self.exchange(queue.exchange) {
                None => problems.push(format!(
                    "{} is bound to {}, which is no exchange",
                    queue.name, queue.exchange
                )),
                Some(exchange) => problems.extend(self.unrouted(queue, exchange)),
            }
        }
        problems
    }

    fn unrouted(&self, queue: &Queue, exchange: &Exchange) -> Vec<String> {
        let routed = |key: &str| {
            let alone = Queue { keys: &[], ..*queue };
            self.routes.iter().any(|route| {
                route.exchange == exchange.name
                    && (alone.takes(exchange, route.key) || matches(key, route.key))
            })
        };
        queue
            .keys
            .iter()
            .filter(|key| !routed(key))
            .map(|key| format!("{} waits for {key}, which no event has", queue.name))
            .collect()
    }
}

fn repeated(what: &str, names: impl Iterator<Item = &'static str>, problems: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    problems.extend(
        names
            .filter(|name| !seen.insert(*name))
            .map(|name| format!("two: {what} {name}")),
    );
}

/// A topic exchange's patterns (AMQP 0-9-1 §3.1.3.3): words between dots, `*` one of them, `#` any number.
fn matches(pattern: &str, key: &str) -> bool {
    let (pattern, key): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), key.split('.').collect());
    words_match(&pattern, &key)
}

fn words_match(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern.split_first(), key.split_first()) {
        (None, None) => true,
        (Some((&"#", rest)), _) => {
            words_match(rest, key)
                || key
                    .split_first()
                    .is_some_and(|(_, later)| words_match(pattern, later))
        }
        (Some((word, rest)), Some((first, later))) => {
            (*word == "*" || word == first) && words_match(rest, later)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: Topology = Topology {
        exchanges: &[
            Exchange {
                name: "events",
                kind: ExchangeKind::Topic,
            },
            Exchange {
                name: "all",
                kind: ExchangeKind::Fanout,
            },
        ],
        routes: &[
            Route {
                event: "shop.counted",
                exchange: "events",
                key: "shop.counted",
            },
            Route {
                event: "shop.closed",
                exchange: "all",
                key: "shop.closed",
            },
            Route {
                event: "shop.dusted",
                exchange: "events",
                key: "shop.dusted",
            },
        ],
        queues: &[
            Queue {
                name: "book",
                exchange: "events",
                keys: &["shop.counted"],
                reader: Reader::Consumer("ledger.book"),
            },
            Queue {
                name: "lamp",
                exchange: "all",
                keys: &[],
                reader: Reader::Others,
            },
        ],
    };

    #[test]
    fn an_event_gets_into_the_queues_that_are_bound_for_it() {
        let heard_by = |event| SHOP.hearers(event).map(|queue| queue.name).collect::<Vec<_>>();
        assert_eq!(heard_by("shop.counted"), ["book"]);
        assert_eq!(heard_by("shop.closed"), ["lamp"]);
        assert!(heard_by("shop.dusted").is_empty());
        assert!(heard_by("shop.unknown").is_empty());
        assert!(SHOP.serves("ledger.book", "shop.counted") && !SHOP.serves("ledger.book", "shop.closed"));
        assert_eq!(SHOP.problems(), Vec::<String>::new());
    }

    #[test]
    fn a_topic_pattern_matches_words() {
        for (pattern, key, whether) in [
            ("company.*", "company.created", true),
            ("company.*", "company", false),
            ("company.*", "company.created.twice", false),
            ("#", "anything.at.all", true),
            ("a.#.z", "a.z", true),
            ("a.#.z", "a.b.c.z", true),
            ("a.#.z", "a.b.c", false),
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
        ] {
            assert_eq!(matches(pattern, key), whether, "{pattern} {key}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = Topology {
            queues: &[
                Queue {
                    name: "book",
                    exchange: "events",
                    keys: &["shop.burnt"],
                    reader: Reader::Others,
                },
                Queue {
                    name: "book",
                    exchange: "nowhere",
                    keys: &[],
                    reader: Reader::Others,
                },
            ],
            ..SHOP
        };
        assert_eq!(
            wrong.problems(),
            [
                "two: queue book",
                "book waits for shop.burnt, which no event has",
                "book is bound to nowhere, which is no exchange",
            ]
        );
    }
}

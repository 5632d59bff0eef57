//! The broker: whether it is there, has the queues of the table, and keeps dead letters.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::broker_version;
use super::report::Report;
use super::secrets::{Secrets, address};
use crate::config::Config;

use secrecy::ExposeSecret;

/// How long the broker may take to say all that.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks a broker, and changes nothing there.
pub(crate) type BrokerProbe = BoxFuture<'static, anyhow::Result<BrokerFacts>>;

/// What a broker said.
#[derive(Debug, Clone, Default)]
pub(crate) struct BrokerFacts {
    /// Exchanges and queues of the table that are not there, by name.
    pub(crate) missing: Vec<String>,
    /// Those that are there in another form, each with what differs.
    pub(crate) different: Vec<String>,
    /// Queues of Plaza's consumers that hold messages, retry queues among them, and how many are in each.
    pub(crate) queued: Vec<(String, u64)>,
    /// Queues of dead letters, and how many are in each.
    pub(crate) dead: Vec<(String, u64)>,
}

pub(super) async fn look(
    config: &Config,
    probe: Option<BrokerProbe>,
    secrets: &Secrets,
    report: &mut Report,
) {
    report.area("broker");
    let Some(url) = &config.events.rabbitmq_url else {
        report.note(
            "broker",
            "none: events stay in the database, one process hosts all services",
        );
        return;
    };
    let shown = address(url.expose_secret());
    let Some(probe) = probe else {
        report.warn(
            "broker",
            format!("{shown} was not asked"),
            "plaza events topology --apply compares its queues with the table, plaza events dlq list shows dead letters",
        );
        return;
    };
    let advice = "are events.rabbitmq_url and its virtual host right, and may this machine reach it?";
    match timeout(PATIENCE, probe).await {
        Ok(Ok(facts)) => {
            let version = timeout(PATIENCE, broker_version::ask(url.expose_secret())).await;
            introduce(&shown, version.unwrap_or_default(), report);
            judge(&facts, report);
        }
        Ok(Err(error)) => report.fail("broker", format!("{shown}: {}", secrets.told(&*error)), advice),
        Err(_) => report.fail(
            "broker",
            format!("{shown} does not answer within {PATIENCE:?}"),
            advice,
        ),
    }
}

/// It is there; and it may be too old.
fn introduce(shown: &str, version: Option<String>, report: &mut Report) {
    match version {
        Some(version) if broker_version::is_too_old(&version) => report.fail(
            "broker",
            format!("{shown}, {version}"),
            "RabbitMQ 3.10 or newer is needed",
        ),
        Some(version) => report.ok("broker", format!("{shown}, {version}")),
        // Encrypted, or it does not say.
        None => report.ok("broker", format!("{shown} takes our login")),
    }
}

fn judge(facts: &BrokerFacts, report: &mut Report) {
    match (facts.missing.is_empty(), facts.different.is_empty()) {
        (true, true) => report.ok("topology", "every exchange and queue is there"),
        (false, _) => report.fail(
            "topology",
            format!("missing: {}", facts.missing.join(", ")),
            "make them: plaza events topology --apply",
        ),
        (true, false) => report.fail(
            "topology",
            format!("in another form: {}", facts.different.join("; ")),
            "a queue keeps the form it was declared with: empty it, delete it, then plaza events topology --apply",
        ),
    }
    queued(&facts.queued, report);
    let dead: Vec<_> = facts.dead.iter().filter(|(_, count)| *count > 0).collect();
    if dead.is_empty() {
        report.ok("dead letters", "none");
    }
    for (queue, count) in dead {
        report.warn(
            format!("dead letters of {queue}"),
            count.to_string(),
            "see why: plaza events dlq list; then replay or discard them",
        );
    }
}

/// That something is in a queue is nothing bad, and good to know before a broker is taken away.
fn queued(queues: &[(String, u64)], report: &mut Report) {
    if queues.is_empty() {
        report.note("queues", "empty, but for what is being worked on");
    }
    for (queue, count) in queues {
        report.note(format!("queue {queue}"), format!("{count} to consume"));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::super::report::Level;
    use super::*;
    use crate::config::{Environment, Flags};

    async fn told(probe: Option<BrokerProbe>) -> (Vec<Level>, String) {
        let mut flags = Flags::default();
        flags.push(
            "events.rabbitmq_url",
            Some("amqp://plaza:CANARY@broker.invalid/plaza"),
        );
        let config = Config::load(&flags, &Environment::of(std::iter::empty())).unwrap();
        let mut report = Report::default();
        look(&config, probe, &Secrets::of(&config), &mut report).await;
        let levels = report.lines().map(|line| line.level).collect();
        (levels, report.to_string())
    }

    fn facts(facts: BrokerFacts) -> Option<BrokerProbe> {
        Some(async { Ok(facts) }.boxed())
    }

    #[tokio::test]
    async fn a_broker_with_all_of_the_table_is_well() {
        let all = BrokerFacts {
            dead: vec![("ledger.book.dead".to_owned(), 0)],
            ..BrokerFacts::default()
        };
        let (levels, text) = told(facts(all)).await;
        assert_eq!(levels, [Level::Ok, Level::Ok, Level::Note, Level::Ok], "{text}");
        assert!(
            text.contains("amqp://plaza@broker.invalid/plaza takes our login"),
            "{text}"
        );
    }

    #[test]
    fn a_broker_that_is_too_old_is_refused() {
        for (version, wanted) in [("RabbitMQ 3.9.1", Level::Fail), ("RabbitMQ 4.1.0", Level::Ok)] {
            let mut report = Report::default();
            introduce("amqp://broker", Some(version.to_owned()), &mut report);
            assert_eq!(report.lines().next().unwrap().level, wanted);
            assert!(report.to_string().contains(version));
        }
    }

    #[tokio::test]
    async fn what_is_missing_different_or_dead_is_told() {
        let missing = BrokerFacts {
            missing: vec!["access.roles".to_owned()],
            queued: vec![("access.roles".to_owned(), 7)],
            dead: vec![("access.roles.dead".to_owned(), 3)],
            ..BrokerFacts::default()
        };
        let (levels, text) = told(facts(missing)).await;
        assert_eq!(
            levels,
            [Level::Ok, Level::Fail, Level::Note, Level::Warn],
            "{text}"
        );
        assert!(
            text.contains("queue access.roles ") && text.contains(" 7 to consume"),
            "{text}"
        );
        let different = BrokerFacts {
            different: vec!["access.roles is no quorum queue".to_owned()],
            ..BrokerFacts::default()
        };
        assert_eq!(told(facts(different)).await.0[1], Level::Fail);
    }

    #[tokio::test]
    async fn a_broker_that_is_away_is_told_without_its_password() {
        let away = async { anyhow::bail!("amqp://plaza:CANARY@broker.invalid/plaza: refused, CANARY") };
        let (levels, text) = told(Some(away.boxed())).await;
        assert_eq!(levels, [Level::Fail]);
        assert!(text.contains("refused") && !text.contains("CANARY"), "{text}");
        assert_eq!(told(None).await.0, [Level::Warn]);
    }
}

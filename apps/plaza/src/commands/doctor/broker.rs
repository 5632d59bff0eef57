//! The broker: whether it is there, has the queues of the table, and keeps dead letters.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::timeout;

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
    /// Product and version, as it introduces itself.
    pub(crate) version: Option<String>,
    /// Exchanges and queues of the table that are not there, by name.
    pub(crate) missing: Vec<String>,
    /// Those that are there in another form, each with what differs.
    pub(crate) different: Vec<String>,
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
        Ok(Ok(facts)) => judge(&shown, &facts, report),
        Ok(Err(error)) => report.fail("broker", format!("{shown}: {}", secrets.told(&*error)), advice),
        Err(_) => report.fail(
            "broker",
            format!("{shown} does not answer within {PATIENCE:?}"),
            advice,
        ),
    }
}

fn judge(shown: &str, facts: &BrokerFacts, report: &mut Report) {
    let version = facts.version.as_deref().unwrap_or("of unknown version");
    report.ok("broker", format!("{shown}, {version}"));
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
            Some("amqp://plaza:CANARY@broker.example/plaza"),
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
            version: Some("RabbitMQ 4.1.0".to_owned()),
            dead: vec![("ledger.book.dead".to_owned(), 0)],
            ..BrokerFacts::default()
        };
        let (levels, text) = told(facts(all)).await;
        assert_eq!(levels, [Level::Ok; 3], "{text}");
        assert!(
            text.contains("amqp://plaza@broker.example/plaza, RabbitMQ 4.1.0"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn what_is_missing_different_or_dead_is_told() {
        let missing = BrokerFacts {
            missing: vec!["access.roles".to_owned()],
            dead: vec![("access.roles.dead".to_owned(), 3)],
            ..BrokerFacts::default()
        };
        let (levels, text) = told(facts(missing)).await;
        assert_eq!(levels, [Level::Ok, Level::Fail, Level::Warn], "{text}");
        let different = BrokerFacts {
            different: vec!["access.roles is no quorum queue".to_owned()],
            ..BrokerFacts::default()
        };
        assert_eq!(told(facts(different)).await.0[1], Level::Fail);
    }

    #[tokio::test]
    async fn a_broker_that_is_away_is_told_without_its_password() {
        let away = async { anyhow::bail!("amqp://plaza:CANARY@broker.example/plaza: refused, CANARY") };
        let (levels, text) = told(Some(away.boxed())).await;
        assert_eq!(levels, [Level::Fail]);
        assert!(text.contains("refused") && !text.contains("CANARY"), "{text}");
        assert_eq!(told(None).await.0, [Level::Warn]);
    }
}

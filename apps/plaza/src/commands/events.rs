//! `plaza events`: the topology of the broker, and the letters that nobody could consume.

use anyhow::Context;
use futures_util::FutureExt;
use plaza_contracts::services::ALL;
use plaza_database::Databases;
use plaza_kernel::EventId;
use plaza_messaging::{DeadLetters, Letter, Which};

use crate::assembly::transport;
use crate::commands::doctor::{BrokerFacts, BrokerProbe};
use crate::config::{Config, Environment};
use crate::local::{Attached, Purpose};

/// How many letters are listed of each queue.
const LISTED: u32 = 500;

/// Prints every exchange, queue and event of the table; with `apply` it declares them on the configured broker too.
///
/// # Errors
/// When no broker is configured, it is away, or something exists there in another form.
pub(crate) async fn topology(config: &Config, apply: bool) -> anyhow::Result<()> {
    let settings = transport::settings(&config.events);
    if !apply {
        print!("{}", transport::render(&settings));
        return Ok(());
    }
    let broker = transport::broker(&config.events, &settings)?
        .context("events.rabbitmq_url (RABBITMQ_URL) is not set: there is no broker to declare it on")?;
    let different = broker
        .apply_topology()
        .await
        .context("the topology was not declared")?;
    broker.close().await;
    for one in &different {
        eprintln!("left as it is: {one}");
    }
    anyhow::ensure!(
        different.is_empty(),
        "{} of the table exist in another form: empty, delete, and apply again",
        different.len()
    );
    println!("declared");
    Ok(())
}

/// Asks the configured broker, for `plaza doctor`; None where none is configured.
///
/// # Errors
/// When its address cannot be used.
pub(crate) fn probe(config: &Config) -> anyhow::Result<Option<BrokerProbe>> {
    let Some(broker) = transport::broker(&config.events, &transport::settings(&config.events))? else {
        return Ok(None);
    };
    let look = async move {
        let found = broker.inspect().await;
        broker.close().await;
        let found = found?;
        Ok(BrokerFacts {
            missing: found.missing,
            different: found.different,
            queued: found.queued,
            dead: found.dead,
        })
    };
    Ok(Some(look.boxed()))
}

/// Which letters a command is about.
#[derive(Debug, Clone)]
pub(crate) enum Letters {
    /// Shows those of a queue, or of all.
    List { queue: Option<String> },
    /// Delivers one event's again, or all of a queue.
    Replay { queue: String, event: Option<String> },
    /// Throws one event's away, or all of a queue.
    Discard { queue: String, event: Option<String> },
}

/// Lists, replays or discards dead letters, in the databases and on the broker.
///
/// # Errors
/// When database or broker are away, or there is nothing of what was named.
pub(crate) async fn letters(
    mut config: Config,
    environment: &Environment,
    what: Letters,
) -> anyhow::Result<()> {
    let attached = Attached::find(&mut config, environment, Purpose::Look(&ALL)).await?;
    let databases = Databases::new(attached.local.database.clone())?;
    let each = ALL.map(|service| {
        let login = config.logins.get(&service).cloned().unwrap_or_default();
        databases.of(service, login)
    });
    let broker = transport::broker(&config.events, &transport::settings(&config.events))?;
    let each = each.into_iter().collect::<Result<Vec<_>, _>>()?;
    let done = act(&DeadLetters::new(each, broker.clone()), what).await;
    if let Some(broker) = broker {
        broker.close().await;
    }
    drop(databases);
    attached.release().await?;
    done
}

async fn act(letters: &DeadLetters, what: Letters) -> anyhow::Result<()> {
    match what {
        Letters::List { queue } => {
            let found = letters.list(queue.as_deref(), LISTED).await?;
            found.iter().for_each(print);
            eprintln!("{} dead letters", found.len());
        }
        Letters::Replay { queue, event } => {
            let replayed = letters.replay(&queue, which(event.as_deref())?).await?;
            anyhow::ensure!(replayed > 0, "there is no such dead letter of {queue}");
            println!("{replayed} replayed");
        }
        Letters::Discard { queue, event } => {
            let discarded = letters.discard(&queue, which(event.as_deref())?).await?;
            anyhow::ensure!(discarded > 0, "there is no such dead letter of {queue}");
            println!("{discarded} discarded");
        }
    }
    Ok(())
}

fn which(event: Option<&str>) -> anyhow::Result<Which> {
    match event {
        None => Ok(Which::All),
        Some(id) => {
            let id = id.parse::<EventId>();
            Ok(Which::One(
                id.ok().context("an event is named by its id, a UUID")?,
            ))
        }
    }
}

/// One line a letter, tab separated. Not the body: it may hold personal data.
fn print(letter: &Letter) {
    let text = |given: Option<String>| given.unwrap_or_else(|| "-".to_owned());
    println!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{}",
        letter.queue,
        text(letter.event_id.map(|id| id.to_string())),
        text(letter.name.clone()),
        text(letter.tenant_id.map(|id| id.to_string())),
        text(letter.attempts.map(|attempts| attempts.to_string())),
        text(letter.died_at.map(|at| at.to_rfc3339())),
        letter.error.replace(['\t', '\n'], " "),
    );
}

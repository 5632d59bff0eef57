//! The database: its server, the logins of each service, the migrations, and what waits in it.

use std::collections::BTreeMap;
use std::time::Instant;

use plaza_contracts::services::BROADCAST;
use plaza_database::{Database, DatabaseError, migrate, statements};
use plaza_kernel::{Clock, Failure as _, Kind, ServiceName};

use super::capacity::{self, Server};
use super::database_found::Found;
use super::left_over;
use super::report::Report;
use super::secrets::address;
use crate::assembly;
use crate::config::Config;

use secrecy::ExposeSecret;

statements! {
    static SERVER: () => Server =
        "SELECT current_setting('server_version') AS version,
                current_setting('server_version_num')::int4 AS number,
                extract(epoch FROM clock_timestamp())::float8 AS now,
                current_setting('max_connections')::int4 AS most,
                current_setting('superuser_reserved_connections')::int4
                    + coalesce(current_setting('reserved_connections', true), '0')::int4 AS reserved,
                (SELECT coalesce(sum(numbackends), 0)::int8 FROM pg_catalog.pg_stat_database) AS used,
                (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name LIKE 'plaza %') AS ours";
}

/// Looks. False if no service reaches its tables: then there is no use in looking further.
pub(super) async fn look(found: &Found, config: &Config, clock: &Clock, report: &mut Report) -> bool {
    report.note("address", address(found.settings.url.expose_secret()));
    let mut reached: Vec<Database> = Vec::new();
    for (service, database) in found.each() {
        match database {
            Ok(database) => {
                if logins(service, &database, found, report).await {
                    reached.push(database);
                }
            }
            Err(error) => report.fail(
                format!("logins of {service}"),
                found.secrets.told(&error),
                "see `database.url` in docs/plaza.toml",
            ),
        }
    }
    if let Some(database) = reached.first() {
        server(database, config, clock, found, report).await;
    }
    migrations(found, report).await;
    for database in &reached {
        if database.service() == BROADCAST {
            staging(database, found, report).await;
        }
        waiting(database, found, report).await;
        left_over::look(database, config.events.rabbitmq_url.is_some(), found, report).await;
        schedules(database, found, report).await;
    }
    !reached.is_empty()
}

/// Whether both logins of a service work and can do no more than they should.
async fn logins(service: ServiceName, database: &Database, found: &Found, report: &mut Report) -> bool {
    let what = format!("logins of {service}");
    let Err(error) = database.check_logins().await else {
        report.ok(
            what,
            format!("plaza_{service} and plaza_{service}_system: no more rights than they need"),
        );
        return true;
    };
    let advice = match error.kind() {
        Kind::Unavailable => {
            "is the server there, do roles and passwords fit this role key? `plaza migrate` makes the roles"
        }
        _ => "a service may only log in as its own two roles; `plaza migrate` makes them",
    };
    report.fail(what, found.secrets.told(&error), advice);
    false
}

/// Whether imports of recipients may take the quick way.
async fn staging(database: &Database, found: &Found, report: &mut Report) {
    let what = format!("temporary tables of {}", database.service());
    let advice = "imports are slower without: `GRANT TEMPORARY ON DATABASE … TO plaza_broadcast`";
    match database.may_stage().await {
        Ok(true) => report.ok(what, "its login may make them"),
        Ok(false) => report.warn(what, "its login may make none", advice),
        Err(error) => report.fail(what, found.secrets.told(&error), MIGRATE),
    }
}

async fn server(database: &Database, config: &Config, clock: &Clock, found: &Found, report: &mut Report) {
    // The first question makes the connection and prepares the statement: the second one measures.
    let asked = match database.read_platform(&SERVER, ()).await {
        Ok(_) => ask(database, clock).await,
        Err(error) => Err(error),
    };
    match asked {
        Ok((server, apart, asking)) => {
            let section = &config.database;
            let each =
                section.shared_connections + section.exclusive_connections + section.system_connections;
            capacity::version(&server, report);
            capacity::clock(apart, asking, report);
            capacity::connections(&server, found.each().count(), each, report);
        }
        Err(error) => report.fail(
            "server",
            found.secrets.told(&error),
            "it does not say what it is: look at its log",
        ),
    }
}

async fn ask(
    database: &Database,
    clock: &Clock,
) -> Result<(Server, f64, std::time::Duration), DatabaseError> {
    #[expect(clippy::cast_precision_loss, reason = "a difference of seconds")]
    let now = || clock.now().timestamp_micros() as f64 / 1e6;
    let (began, before) = (Instant::now(), now());
    let mut rows = database.read_platform(&SERVER, ()).await?;
    let (asking, after) = (began.elapsed(), now());
    let server = rows.pop().ok_or(DatabaseError::MissingRow)?;
    let apart = server.now - f64::midpoint(before, after);
    Ok((server, apart, asking))
}

async fn migrations(found: &Found, report: &mut Report) {
    match migrate::pending(&found.settings.url, &assembly::schemas()).await {
        Ok(pending) if pending.is_empty() => {
            report.ok("migrations", "all that this program knows are applied")
        }
        Ok(pending) => report.fail(
            "migrations",
            format!("{} are missing, the first is {}", pending.len(), pending[0]),
            "run `plaza migrate` with this program",
        ),
        Err(error) => report.warn(
            "migrations",
            format!("cannot be looked at: {}", found.secrets.told(&error)),
            "`database.url` is the login that migrates; services run without it",
        ),
    }
}

/// Events that do not travel.
async fn waiting(database: &Database, found: &Found, report: &mut Report) {
    let service = database.service();
    match plaza_messaging::pending(database).await {
        Ok(pending) if pending.parked + pending.dead > 0 => report.warn(
            format!("events of {service}"),
            format!(
                "{} given up by the relay, {} dead letters",
                pending.parked, pending.dead
            ),
            "see why: plaza events dlq list; then replay or discard them",
        ),
        Ok(pending) => report.ok(
            format!("events of {service}"),
            format!("{} to publish, {} to deliver", pending.outbox, pending.deliveries),
        ),
        Err(error) => report.fail(
            format!("events of {service}"),
            found.secrets.told(&error),
            MIGRATE,
        ),
    }
}

const MIGRATE: &str = "are all migrations applied?";

/// Work by the calendar that failed the last time.
async fn schedules(database: &Database, found: &Found, report: &mut Report) {
    let service = database.service();
    let all = match plaza_schedule::state(database).await {
        Ok(all) => all,
        Err(error) => {
            report.fail(
                format!("schedules of {service}"),
                found.secrets.told(&error),
                MIGRATE,
            );
            return;
        }
    };
    let failed: BTreeMap<_, _> = all
        .iter()
        .filter(|one| one.last_outcome.as_deref() == Some("failed"))
        .map(|one| (one.name.as_str(), one.last_error.as_deref().unwrap_or_default()))
        .collect();
    for (name, error) in &failed {
        report.warn(
            format!("schedule {name}"),
            format!("failed the last time: {}", found.secrets.out_of(error)),
            "it is tried again; the log has more",
        );
    }
    if !all.is_empty() && failed.is_empty() {
        report.ok(
            format!("schedules of {service}"),
            format!("{} in order", all.len()),
        );
    }
}

#[cfg(test)]
mod tests {
    use plaza_contracts::services::IDENTITY;
    use plaza_database::DatabaseSettings;
    use plaza_testkit::TestDatabase;
    use secrecy::SecretString;

    use super::super::report::Level;
    use super::super::secrets::Secrets;
    use super::*;
    use crate::config::{Environment, Flags};

    fn config() -> Config {
        Config::load(&Flags::default(), &Environment::of(std::iter::empty())).unwrap()
    }

    async fn told(settings: DatabaseSettings, config: &Config) -> (bool, Report) {
        let found = Found::of(settings, config, Secrets::of(config)).ok().unwrap();
        let mut report = Report::default();
        let reached = look(&found, config, &Clock::system(), &mut report).await;
        (reached, report)
    }

    fn wrong(report: &Report) -> Vec<&str> {
        let failed = report.lines().filter(|line| line.level == Level::Fail);
        failed.map(|line| line.what.as_str()).collect()
    }

    #[tokio::test]
    async fn a_migrated_database_is_well() {
        let database = TestDatabase::fresh(&assembly::schemas()).await;
        let (reached, report) = told(database.settings(), &config()).await;
        // How many connections the shared test cluster takes is its own affair.
        let others: Vec<_> = wrong(&report)
            .into_iter()
            .filter(|what| *what != "connections")
            .collect();
        assert!(reached && others.is_empty(), "{report}");
        let text = report.to_string();
        assert!(
            text.contains("ok    version") && text.contains("ok    clock"),
            "{text}"
        );
        assert!(
            !text.contains(database.settings().role_key.expose_secret()),
            "{text}"
        );
    }

    #[tokio::test]
    async fn missing_migrations_and_events_that_died_are_told() {
        let all = assembly::schemas();
        let database = TestDatabase::fresh(&all).await;
        let admin = database.admin().await;
        admin
            .batch_execute(
                "DELETE FROM broadcast.schema_history WHERE version = (SELECT max(version) FROM broadcast.schema_history);
                 INSERT INTO access.dead_letters
                        (consumer, event_id, key, name, version, source, payload, created_at, attempts, error, died_at)
                 VALUES ('access.x', '018f0000-0000-7000-8000-000000000001', 'k', 'n', 1, 's', '{}', now(), 5, 'e', now());
                 INSERT INTO identity.schedules (name, cron, zone, declared_at, next_at, last_outcome, last_error)
                 VALUES ('identity.expiries', '* * * * *', 'UTC', now(), now(), 'failed', 'the broom is broken')",
            )
            .await
            .unwrap();
        let (_, report) = told(database.settings(), &config()).await;
        let text = report.to_string();
        assert!(wrong(&report).contains(&"migrations"), "{text}");
        assert!(text.contains("1 are missing, the first is broadcast V"), "{text}");
        assert!(text.contains("0 given up by the relay, 1 dead letters"), "{text}");
        assert!(
            text.contains("failed the last time: the broom is broken"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_database_without_temporary_tables_is_told() {
        let database = TestDatabase::fresh(&assembly::schemas()).await;
        let revoke = "DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$";
        database.admin().await.batch_execute(revoke).await.unwrap();
        let (_, report) = told(database.settings(), &config()).await;
        let warned = report.lines().filter(|line| line.level == Level::Warn);
        let warned: Vec<_> = warned.map(|line| line.what.as_str()).collect();
        assert!(warned.contains(&"temporary tables of broadcast"), "{report}");
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_told_without_its_password() {
        let settings = DatabaseSettings {
            url: SecretString::from("postgresql://me:CANARY@127.0.0.1:1/plaza"),
            role_key: SecretString::from("CANARY-CANARY-CANARY-CANARY-CANARY"),
            shared: 1,
            exclusive: 1,
            system: 1,
        };
        let (reached, report) = told(settings, &config()).await;
        let text = report.to_string();
        assert!(!reached && wrong(&report).len() == 5, "{text}");
        assert!(
            text.contains("me@127.0.0.1:1/plaza") && !text.contains("CANARY"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn logins_that_are_swapped_or_too_mighty_are_refused() {
        let database = TestDatabase::fresh(&assembly::schemas()).await;
        let mut config = config();
        // The migrator's login may make roles; a service must never have it.
        let login = config.logins.entry(IDENTITY).or_default();
        login.service = Some(database.settings().url);
        let (_, report) = told(database.settings(), &config).await;
        let text = report.to_string();
        assert!(wrong(&report).contains(&"logins of identity"), "{text}");
        assert!(
            text.contains("may create roles") || text.contains("is not plaza_identity"),
            "{text}"
        );
    }
}

//! What is sealed at rest, and whether the configured keys open it: a process that lacks one of them does not start.

use plaza_crypto::KeyRing;
use plaza_kernel::Clock;
use plaza_vault::{KeyUse, Vault, VaultError, registered};

use super::database_found::Found;
use super::report::Report;

/// Looks.
pub(super) async fn look(found: &Found, report: &mut Report) {
    report.area("secrets at rest");
    // One that cannot be read was told with the keys.
    let ring = found.encryption_key.as_ref().map(KeyRing::parse);
    let Some(Ok(ring)) = ring else {
        return report.note(
            "sealed values",
            "cannot be looked at without encryption_key (ENCRYPTION_KEY)",
        );
    };
    let sealing = found
        .each()
        .filter(|(service, _)| registered(*service).next().is_some());
    for (_, database) in sealing {
        // A database whose settings cannot be used was told with its logins.
        if let Ok(database) = database {
            let vault = Vault::new(database, ring.clone(), Clock::system());
            of_service(&vault, ring.first_id(), found, report).await;
        }
    }
}

async fn of_service(vault: &Vault, first: &str, found: &Found, report: &mut Report) {
    let what = format!("secrets of {}", vault.service());
    let uses = async {
        vault.check().await?;
        vault.status().await
    };
    match uses.await {
        Ok(uses) => report_uses(what, first, &uses, report),
        Err(error @ (VaultError::KeyMissing { .. } | VaultError::OtherKey { .. })) => report.fail(
            what,
            error.to_string(),
            "put that key back into encryption_key (ENCRYPTION_KEY): no process starts without it",
        ),
        Err(error) => report.warn(
            what,
            format!("cannot be looked at: {}", found.secrets.told(&error)),
            "do its logins work, are all migrations applied?",
        ),
    }
}

fn report_uses(what: String, first: &str, uses: &[KeyUse], report: &mut Report) {
    let count = |used: &KeyUse| used.data_keys + used.values;
    let older = uses.iter().filter(|used| used.key != first && count(used) > 0);
    let older: Vec<&str> = older.map(|used| used.key.as_str()).collect();
    match older.is_empty() {
        true => report.ok(
            what,
            format!(
                "{} data keys and values, all under {first}",
                uses.iter().map(count).sum::<i64>()
            ),
        ),
        false => report.note(
            what,
            format!(
                "{} may not be taken out of encryption_key yet: `plaza secrets rotate`",
                older.join(", ")
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use plaza_contracts::services::IDENTITY;
    use plaza_testkit::TestDatabase;
    use secrecy::SecretString;

    use super::super::report::Level;
    use super::super::secrets::Secrets;
    use super::*;
    use crate::assembly;
    use crate::config::{Config, Environment, Flags};

    async fn told(database: &TestDatabase, key: Option<&str>) -> (Vec<Level>, String) {
        let mut flags = Flags::default();
        flags.push("encryption_key", key);
        let config = Config::load(&flags, &Environment::of(std::iter::empty())).unwrap();
        let found = Found::of(database.settings(), &config, Secrets::of(&config))
            .ok()
            .unwrap();
        let mut report = Report::default();
        look(&found, &mut report).await;
        let levels = report.lines().map(|line| line.level).collect();
        (levels, report.to_string())
    }

    fn key(id: &str, letter: &str) -> String {
        // 43 characters of base64 are 32 bytes.
        format!("{id}:{letter}{}=", "A".repeat(42))
    }

    #[tokio::test]
    async fn a_key_that_is_needed_and_not_there_is_told_before_a_process_does_not_start() {
        let database = TestDatabase::fresh(&assembly::schemas()).await;
        let (old, new) = (key("old", "a"), key("new", "b"));
        assert_eq!(told(&database, Some(&new)).await.0, [Level::Ok; 3]);

        let ring = KeyRing::parse(&SecretString::from(old.as_str())).unwrap();
        let vault = Vault::new(database.of(IDENTITY), ring, Clock::system());
        let tx = database.of(IDENTITY).begin_platform();
        let column = registered(IDENTITY).next().unwrap();
        vault.seal(&tx, column, "row", b"CANARY").await.unwrap();
        tx.commit().await.unwrap();

        let (levels, text) = told(&database, Some(&old)).await;
        assert!(
            levels == [Level::Ok; 3] && text.contains("1 data keys and values, all under old"),
            "{text}"
        );
        let (levels, text) = told(&database, Some(&format!("{new},{old}"))).await;
        assert_eq!(levels.iter().filter(|level| **level == Level::Note).count(), 1);
        assert!(text.contains("old may not be taken out"), "{text}");
        for (wrong, words) in [
            (new, "the encryption key `old` is missing"),
            (key("old", "c"), "is not the one that identity sealed with"),
        ] {
            let (levels, text) = told(&database, Some(&wrong)).await;
            assert_eq!(levels.iter().filter(|level| **level == Level::Fail).count(), 1);
            assert!(text.contains(words) && !text.contains(&"A".repeat(42)), "{text}");
        }
    }

    #[tokio::test]
    async fn without_the_key_nothing_is_said_about_what_is_sealed() {
        let database = TestDatabase::fresh(&assembly::schemas()).await;
        assert_eq!(told(&database, None).await.0, [Level::Note]);
    }
}

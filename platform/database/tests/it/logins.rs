//! A service does not start with a login that could reach more than the service may.

use plaza_database::{Database, DatabaseError, Databases, Login};
use plaza_testkit::TestDatabase;
use secrecy::{ExposeSecret, SecretString};

use crate::ledger::{self, LEDGER, Ledger};

fn with_login(test: &TestDatabase, login: Login) -> Database {
    Databases::new(test.settings())
        .unwrap()
        .of(LEDGER, login)
        .unwrap()
}

/// A login that exists only for this test, because roles belong to the whole cluster.
struct Stranger {
    name: String,
    url: SecretString,
    admin: tokio_postgres::Client,
}

impl Stranger {
    async fn enter(ledger: &Ledger, powers: &str) -> Self {
        let admin = ledger.test.admin().await;
        let name = format!("plaza_test_stranger_{}", ledger.clock.uuid().simple());
        admin
            .batch_execute(&format!("CREATE ROLE {name} LOGIN PASSWORD 'secret' {powers}"))
            .await
            .unwrap();
        let config: tokio_postgres::Config = ledger.test.url().expose_secret().parse().unwrap();
        let tokio_postgres::config::Host::Unix(folder) = &config.get_hosts()[0] else {
            panic!("no socket")
        };
        let url = format!(
            "host={} port={} user={name} password=secret dbname={}",
            folder.display(),
            config.get_ports().first().unwrap_or(&5432),
            config.get_dbname().unwrap(),
        );
        Self {
            name,
            url: url.into(),
            admin,
        }
    }

    async fn refusal(&self, ledger: &Ledger) -> &'static str {
        let login = Login {
            service: Some(self.url.clone()),
            system: None,
        };
        let error = with_login(&ledger.test, login).check_logins().await.unwrap_err();
        let system = Login {
            service: None,
            system: Some(self.url.clone()),
        };
        let as_system = with_login(&ledger.test, system).check_logins().await.unwrap_err();
        assert_eq!(error.to_string(), as_system.to_string(), "both doors judge alike");
        match error {
            DatabaseError::UnsafeLogin { role, reason } if role == self.name => reason,
            error => panic!("{error:?}"),
        }
    }

    async fn leave(self) {
        self.admin
            .batch_execute(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_derived_logins_are_accepted() {
    let ledger = Ledger::open().await;
    ledger.database.check_logins().await.unwrap();
    ledger.database.ping().await.unwrap();
}

#[tokio::test]
async fn a_login_with_more_power_is_refused() {
    let ledger = Ledger::open().await;
    for (powers, reason) in [
        ("SUPERUSER", "is a superuser"),
        ("BYPASSRLS", "bypasses row-level security"),
        ("CREATEROLE", "may create roles"),
    ] {
        let stranger = Stranger::enter(&ledger, powers).await;
        assert_eq!(stranger.refusal(&ledger).await, reason);
        stranger.leave().await;
    }
}

#[tokio::test]
async fn a_login_that_owns_a_table_is_refused() {
    let ledger = Ledger::open().await;
    let stranger = Stranger::enter(&ledger, "").await;
    let sql = format!(
        "CREATE TABLE ledger.loot (); ALTER TABLE ledger.loot OWNER TO {}",
        stranger.name
    );
    stranger.admin.batch_execute(&sql).await.unwrap();
    assert_eq!(stranger.refusal(&ledger).await, "owns tables");
    stranger.leave().await;
}

#[tokio::test]
async fn a_login_that_is_a_member_of_another_role_is_refused() {
    let ledger = Ledger::open().await;
    let stranger = Stranger::enter(&ledger, "").await;
    stranger
        .admin
        .batch_execute(&format!("GRANT plaza_owner TO {}", stranger.name))
        .await
        .unwrap();
    assert_eq!(stranger.refusal(&ledger).await, "is a member of another role");
    stranger.leave().await;
}

/// The address of one of our own roles, whose password is derived.
fn own(ledger: &Ledger, role: &str) -> SecretString {
    let settings = ledger.test.settings();
    let key = settings.role_key.expose_secret().as_bytes();
    let password = hex::encode(plaza_crypto::hmac_sha256(key, role.as_bytes()));
    let config: tokio_postgres::Config = settings.url.expose_secret().parse().unwrap();
    let tokio_postgres::config::Host::Unix(folder) = &config.get_hosts()[0] else {
        panic!("no socket")
    };
    format!(
        "host={} port={} user={role} password={password} dbname={}",
        folder.display(),
        config.get_ports().first().unwrap_or(&5432),
        config.get_dbname().unwrap(),
    )
    .into()
}

#[tokio::test]
async fn a_login_of_another_name_is_refused_and_so_are_swapped_ones() {
    let ledger = Ledger::open().await;
    let (service, system) = (own(&ledger, "plaza_ledger"), own(&ledger, "plaza_ledger_system"));
    let check = async |service: &SecretString, system: &SecretString| {
        let login = Login {
            service: Some(service.clone()),
            system: Some(system.clone()),
        };
        with_login(&ledger.test, login).check_logins().await
    };
    check(&service, &system).await.unwrap();
    for (given_service, given_system, wrong, right) in [
        (&system, &service, "plaza_ledger_system", "plaza_ledger"),
        (&service, &service, "plaza_ledger", "plaza_ledger_system"),
        (&system, &system, "plaza_ledger_system", "plaza_ledger"),
    ] {
        let error = check(given_service, given_system).await.unwrap_err();
        assert!(
            matches!(&error, DatabaseError::WrongLogin { role, expected } if role == wrong && expected == right),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains(&format!("the login {wrong} is not {right}, ")),
            "{text}"
        );
    }
    let stranger = Stranger::enter(&ledger, "").await;
    let error = check(&stranger.url, &system).await.unwrap_err();
    assert!(
        matches!(&error, DatabaseError::WrongLogin { role, .. } if *role == stranger.name),
        "{error:?}"
    );
    stranger.leave().await;
}

#[tokio::test]
async fn a_wrong_role_key_does_not_log_in() {
    let test = TestDatabase::fresh(&[ledger::schema()]).await;
    let mut settings = test.settings();
    settings.role_key = "another key".into();
    let database = Databases::new(settings)
        .unwrap()
        .of(LEDGER, Login::default())
        .unwrap();
    let error = database.check_logins().await.unwrap_err();
    assert!(matches!(error, DatabaseError::Unavailable(Some(_))), "{error:?}");
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_told_at_once() {
    let test = TestDatabase::fresh(&[ledger::schema()]).await;
    let login = Login {
        service: Some("nonsense".into()),
        system: None,
    };
    let error = Databases::new(test.settings())
        .unwrap()
        .of(LEDGER, login)
        .err()
        .unwrap();
    assert!(matches!(error, DatabaseError::Misconfigured(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_when_the_address_requires_it() {
    let test = TestDatabase::fresh(&[ledger::schema()]).await;
    let mut settings = test.settings();
    settings.url = format!("{}?sslmode=require", settings.url.expose_secret()).into();
    let database = Databases::new(settings).unwrap().of(LEDGER, Login::default());
    // Without root certificates on this machine it does not even get so far.
    let refused = match database {
        Ok(database) => database.check_logins().await,
        Err(error) => Err(error),
    };
    assert!(
        matches!(
            refused,
            Err(DatabaseError::Unavailable(_) | DatabaseError::Misconfigured(_))
        ),
        "{refused:?}"
    );
}

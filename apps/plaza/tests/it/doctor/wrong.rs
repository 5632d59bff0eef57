//! Configurations that are wrong, each in one thing.

use secrecy::ExposeSecret;

use super::{Site, Told};
use crate::plaza::{output, printed};

#[tokio::test]
async fn what_is_right_is_well_before_anything_is_broken() {
    let site = Site::open().await;
    let told = site.doctor_with(&[], &[]).await;
    told.is_well();
    told.ok("migrations");
    told.ok("topology");
    site.doctor_with(&["isolation"], &[]).await.is_well();
}

#[tokio::test]
async fn a_database_without_tables_and_a_broker_without_queues_are_told() {
    let site = Site::empty().await;
    let told = site.doctor_with(&[], &[]).await;
    told.fails(
        "migrations",
        &["are missing, the first is identity V", "run `plaza migrate`"],
    );
    told.fails(
        "topology",
        &[
            "missing: ",
            "identity.provision_owner",
            "plaza events topology --apply",
        ],
    );
}

#[tokio::test]
async fn what_is_away_is_told_with_its_address_and_without_its_password() {
    let site = Site::open().await;
    let told = site
        .doctor_with(&[], &[("RABBITMQ_URL", "amqp://plaza:CANARY@127.0.0.1:1/plaza")])
        .await;
    told.fails(
        "broker",
        &[
            "amqp://plaza@127.0.0.1:1/plaza",
            "are events.rabbitmq_url and its virtual host right",
        ],
    );
    told.counts(1);
    assert!(!told.report.contains("CANARY"), "{}", told.report);

    let told = site
        .doctor_with(
            &[],
            &[("DATABASE_URL", "postgresql://me:CANARY@127.0.0.1:1/plaza")],
        )
        .await;
    told.fails("logins of identity", &["is the server there"]);
    assert!(told.report.contains("me@127.0.0.1:1/plaza"), "{}", told.report);
    assert!(!told.report.contains("CANARY"), "{}", told.report);
    assert!(
        !told.report.contains("isolation of tenants"),
        "nothing more can be looked at\n{}",
        told.report
    );
}

#[tokio::test]
async fn a_service_that_logs_in_as_somebody_else_is_told() {
    let site = Site::open().await;
    let superuser = site.database.url();
    let told = site
        .doctor_with(&[], &[("PLAZA_IDENTITY_DATABASE_URL", superuser.expose_secret())])
        .await;
    told.fails(
        "logins of identity",
        &["is a superuser", "only log in as its own two roles"],
    );
    told.ok("logins of tenancy");

    let other = "another key, from which other passwords are derived";
    let told = site.doctor_with(&[], &[("PLAZA_DATABASE_ROLE_KEY", other)]).await;
    told.fails(
        "logins of broadcast",
        &["do roles and passwords fit this role key"],
    );
    let told = site
        .doctor_with(
            &[],
            &[("PLAZA_DATABASE_ROLE_KEY", "0123456789abcdef0123456789abcde")],
        )
        .await;
    told.fails("settings", &["shorter than 32 bytes"]);
}

#[tokio::test]
async fn more_connections_than_the_server_takes_are_told() {
    let site = Site::open().await;
    let told = site
        .doctor_with(&[], &[("PLAZA_DATABASE__SHARED_CONNECTIONS", "1000")])
        .await;
    told.fails("connections", &["5030 for all 5", "raise max_connections"]);
    told.counts(1);
}

#[tokio::test]
async fn an_address_where_nobody_is_is_told_and_so_is_what_is_none() {
    let site = Site::open().await;
    let key = ("PLAZA_INTERNAL_KEY", "0123456789abcdef0123456789abcdef");
    let told = site
        .doctor_with(
            &[],
            &[("PLAZA_SERVICES__ACCESS", "http://127.0.0.1:1,nonsense"), key],
        )
        .await;
    told.fails("access at http://127.0.0.1:1", &["cannot be reached"]);
    told.fails("access at ", &["is no address: write http://host:port"]);
    told.counts(2);
    let told = site
        .doctor_with(&[], &[("PLAZA_SERVICES__ACCESS", "http://127.0.0.1:1")])
        .await;
    told.fails(
        "internal keys",
        &[
            "services of other processes are configured",
            "openssl rand -hex 32",
        ],
    );
}

#[tokio::test]
async fn what_the_other_transport_left_behind_is_told() {
    let site = Site::open().await;
    let admin = site.database.admin().await;
    admin
        .batch_execute(
            "INSERT INTO access.waiting (tenant_id, consumer, event_id, key, attempts, level, due_at)
             VALUES ('018f0000-0000-7000-8000-000000000001', 'access.x', '018f0000-0000-7000-8000-000000000002', 'k', 1, 1, now());
             INSERT INTO access.deliveries (consumer, event_id, key, name, version, source, payload, created_at)
             VALUES ('access.x', '018f0000-0000-7000-8000-000000000003', 'k', 'n', 1, 's', '{}', now())",
        )
        .await
        .unwrap();
    let told = site.doctor_with(&[], &[]).await;
    let left = told.lines("warn", "events of access").concat();
    assert!(
        left.contains("1 are queued in the database") && left.contains("passes by itself"),
        "{}",
        told.report
    );
    told.is_well();
    // An empty variable is as good as none.
    let told = site.doctor_with(&[], &[("RABBITMQ_URL", "")]).await;
    told.fails(
        "events of access",
        &["1 wait on a broker, and none is configured", "RABBITMQ_URL"],
    );
    told.counts(1);
}

#[tokio::test]
async fn whoever_has_the_logins_of_one_service_sees_that_one() {
    let site = Site::open().await;
    let logins = printed(&output(site.command(&["database-logins"])).await);
    assert_eq!(logins.lines().count(), 10);
    let own = logins.lines().filter(|line| line.starts_with("PLAZA_ACCESS_"));
    let mut doctor = site.command(&["doctor"]);
    doctor
        .env_remove("PLAZA_DATABASE_ROLE_KEY")
        .envs(own.map(|line| line.split_once('=').unwrap()));
    let told = Told::of(&output(doctor).await);
    told.is_well();
    told.ok("logins of access");
    told.ok("rows of access");
    assert!(!told.report.contains("logins of identity"), "{}", told.report);
    assert!(told.report.contains("10 for all 1"), "{}", told.report);
}

//! The commands beside `plaza` itself. Those that act on a Plaza do so on one process and on its parts.

use std::io::Write;
use std::process::{Output, Stdio};
use std::time::Duration;

use http::Method;
use plaza_crypto::KeyRing;
use plaza_testkit::eventually;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::client::{Api, answer};
use crate::front::{Front, Running, Topology};
use crate::plaza::{Plaza, bare, complaint, folder, output, printed};
use crate::story::{self, testdata};
use crate::superuser::Superuser;

/// What a schedule does that was put forward; what runs beside may make a machine slow.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn the_table_of_routes() {
    insta::assert_snapshot!(printed(&output(bare(&["routes"])).await));
}

#[tokio::test]
async fn the_version_names_the_commit() {
    let told = printed(&output(bare(&["--version"])).await);
    let inside = told
        .trim()
        .strip_prefix(concat!("plaza ", env!("CARGO_PKG_VERSION"), " ("))
        .unwrap();
    let (commit, profile) = inside.strip_suffix(')').unwrap().split_once(", ").unwrap();
    assert!(
        !commit.is_empty() && ["debug", "release"].contains(&profile),
        "{told}"
    );
}

#[tokio::test]
async fn help_shows_examples() {
    let told = printed(&output(bare(&["--help"])).await);
    assert!(told.contains("Examples:\n  plaza "), "{told}");
    for command in [&["worker"][..], &["simulator"], &["import", "recipients"]] {
        let told = printed(&output(bare(&[command, &["--help"]].concat())).await);
        assert!(
            told.contains(&format!("Example:\n  plaza {}", command.join(" "))),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_worker_of_no_service_is_told_which_there_are() {
    let told = complaint(&output(bare(&["worker", "nonsense"])).await);
    assert_eq!(
        told,
        "plaza: `nonsense` is not a service; there are identity, tenancy, access, notification, broadcast\n"
    );
}

#[tokio::test]
async fn a_server_of_no_service_is_told_which_there_are() {
    let told = complaint(&output(bare(&["serve", "gateway", "nonsense"])).await);
    assert_eq!(
        told,
        "plaza: `nonsense` is not a service; there are gateway, identity, tenancy, access, notification, broadcast\n"
    );
}

#[tokio::test]
async fn recipients_are_imported_from_the_command_line_beside_a_running_plaza_and_without_one() {
    let mut plaza = Running::start(Topology::OneProcess).await;
    recipients_are_imported_beside_it_and_without_it(&mut plaza).await;
    plaza.stop().await;
}

/// And the demo on the same parts, before they run again.
#[tokio::test]
async fn the_commands_act_on_the_parts_of_a_plaza_and_on_what_they_left_in_pieces() {
    let mut plaza = Running::start(Topology::Pieces).await;
    a_tenant_that_is_not_there_is_named(&plaza).await;
    recipients_are_imported_beside_it_and_without_it(&mut plaza).await;
    plaza.stop().await;
    the_demo_is_made_without_it_and_can_work(&mut plaza).await;
    plaza.stop().await;
}

/// It runs before and after.
async fn recipients_are_imported_beside_it_and_without_it(plaza: &mut Running) {
    let admin = story::administrator(plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    let told = printed(
        &import(
            plaza,
            "recipients-10k.csv",
            &["--tenant", "acme", "--country", "DE"],
        )
        .await,
    );
    for (class, count) in [
        ("valid", 9500),
        ("duplicate", 184),
        ("missing_phone", 102),
        ("invalid_phone", 154),
        ("damaged_by_spreadsheet", 60),
    ] {
        assert!(told.contains(&format!("{class:<24} {count}\n")), "{told}");
    }
    let imports = acme.owner.all("/api/v1/broadcast/imports").await;
    assert_eq!(imports.len(), 1);
    assert_eq!(imports[0]["counts"]["valid"], 9500);
    assert_eq!(
        plaza.api().get("/readyz").await.status,
        200,
        "the running one is not disturbed"
    );

    plaza.stop().await;
    let told = printed(&import(plaza, "recipients-semicolon-latin1.csv", &["--tenant", "acme"]).await);
    assert!(told.contains(&format!("{:<24} 200\n", "valid")), "{told}");
    if let Running::OneProcess(plaza) = plaza {
        assert!(plaza.postmaster().is_none(), "what the command started, it stops");
    }

    plaza.restart_all().await;
    let owner = plaza.api().with_token(acme.owner.token().unwrap());
    assert_eq!(owner.all("/api/v1/broadcast/recipients").await.len(), 9700);
}

/// `plaza import recipients` of a file of the repository.
async fn import(plaza: &Running, file: &str, further: &[&str]) -> Output {
    let file = testdata(file);
    let arguments = ["import", "recipients", file.to_str().unwrap()];
    plaza.run(&[&arguments, further].concat()).await
}

async fn a_tenant_that_is_not_there_is_named(plaza: &Running) {
    let told = complaint(&import(plaza, "recipients-semicolon-latin1.csv", &["--tenant", "nobody"]).await);
    assert!(told.contains("plaza: tenant `nobody`: "), "{told}");
}

#[tokio::test]
async fn an_import_into_nowhere_or_of_nothing_says_so() {
    let plaza = Plaza::builder().prepare(folder());
    let told = complaint(
        &plaza
            .run(&["import", "recipients", "nothing.csv", "--tenant", "acme"])
            .await,
    );
    assert_eq!(told, "plaza: nothing.csv is not a file\n");
    assert!(!plaza.data().exists(), "nothing was begun");

    let plaza = Running::OneProcess(plaza);
    a_tenant_that_is_not_there_is_named(&plaza).await;
    let Running::OneProcess(plaza) = plaza else {
        unreachable!()
    };
    assert!(
        plaza.postmaster().is_none(),
        "what the command started, it stops, also when it fails"
    );
}

#[tokio::test]
async fn the_demo_has_a_random_password_that_is_printed_once() {
    let mut plaza = Running::OneProcess(Plaza::builder().prepare(folder()));
    the_demo_is_made_without_it_and_can_work(&mut plaza).await;
    plaza.stop().await;
}

/// It does not run before, and runs after.
async fn the_demo_is_made_without_it_and_can_work(plaza: &mut Running) {
    let told = printed(&plaza.run(&["seed", "demo"]).await);
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("password  "))
        .unwrap();
    let password = line.strip_suffix("   (shown once)").unwrap();

    plaza.restart_all().await;
    let login = json!({"email": "owner@demo.example", "password": password});
    let pair = plaza.api().post("/api/v1/auth/login", login).await.ok();
    let owner = plaza.api().with_token(pair["access_token"].as_str().unwrap());
    assert_eq!(owner.get("/api/v1/auth/me").await.ok()["role"], "owner");
    assert_eq!(owner.all("/api/v1/broadcast/recipients").await.len(), 3);
    assert_eq!(owner.all("/api/v1/broadcast/templates").await.len(), 1);
    assert_eq!(
        owner.all("/api/v1/notifications/senders").await.len(),
        1,
        "the demo can send"
    );

    let told = complaint(&plaza.run(&["seed", "demo"]).await);
    assert!(told.contains("409"), "{told}");
}

#[tokio::test]
async fn the_keys_of_a_deleted_tenant_are_destroyed_and_those_of_no_other() {
    let mut plaza = Running::start(Topology::OneProcess).await;
    let admin = story::administrator(&plaza).await;
    let (acme, rival) = (
        story::tenant(&admin, "acme").await,
        story::tenant(&admin, "rival").await,
    );
    for tenant in [&acme, &rival] {
        keeps_a_secret(&tenant.owner, &tenant.id).await;
    }
    let superuser = plaza.superuser().await;
    let shred = async |tenant: &str| {
        let arguments = ["secrets", "shred", "--yes", "--tenant", tenant];
        plaza.run(&arguments).await
    };
    let unsure = plaza.run(&["secrets", "shred", "--tenant", &acme.id]).await;
    assert!(complaint(&unsure).contains("--yes"));
    let nobody = uuid::Uuid::nil().to_string().replace('0', "7");
    assert!(complaint(&shred(&nobody).await).contains("never was a tenant"));
    assert!(complaint(&shred(&acme.id).await).contains("the tenant is active"));
    admin
        .delete(&format!("/api/v1/admin/tenants/{}", acme.id))
        .await
        .ok();
    assert!(complaint(&shred(&acme.id).await).contains("the tenant is deleting"));
    assert_ne!(data_keys(&superuser, &acme.id).await, 0, "it may be restored");

    is_ended(&superuser, &acme.id).await;
    let told = printed(&shred(&acme.id).await);
    assert!(told.contains("tenancy\t1 data keys destroyed"), "{told}");
    assert_eq!(data_keys(&superuser, &acme.id).await, 0);
    assert_ne!(data_keys(&superuser, &rival.id).await, 0);
    plaza.stop().await;
}

async fn keeps_a_secret(owner: &Api, tenant: &str) {
    let path = format!("/api/v1/admin/tenants/{tenant}/secrets/messaging/whatsapp_token");
    let put = owner
        .request(Method::PUT, &path)
        .json(&json!({"value": "a token"}));
    assert_eq!(answer(put).await.status, 204);
}

async fn data_keys(superuser: &Superuser, tenant: &str) -> u64 {
    let of = |service| format!("SELECT id FROM {service}.data_keys WHERE tenant_id = '{tenant}'");
    let all = ["identity", "tenancy", "notification"]
        .map(of)
        .join(" UNION ALL ");
    superuser
        .number(&format!("SELECT count(*) FROM ({all}) AS keys"))
        .await
}

/// Its days of grace are over, and the night has come.
async fn is_ended(superuser: &Superuser, tenant: &str) {
    let over =
        "UPDATE tenancy.tenants SET delete_after = now() - interval '1 hour' WHERE tenant_id::text = $1";
    superuser.rows(over, &[&tenant]).await;
    let due = "UPDATE tenancy.schedules SET next_at = now() WHERE name = 'tenancy.end_tenants'";
    superuser.rows(due, &[]).await;
    let ended = "SELECT 1 FROM tenancy.tenants WHERE tenant_id::text = $1 AND status = 'deleted'";
    eventually(PATIENCE, || async {
        !superuser.rows(ended, &[&tenant]).await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_key_that_a_setting_is_sealed_with_does_not_go() {
    let (old, new) = (KeyRing::generate(), KeyRing::generate());
    let (old, new) = (old.expose_secret(), new.expose_secret());
    let mut plaza = Plaza::builder().env("ENCRYPTION_KEY", old).start().await;
    let sealed = sealed_by(&plaza, "market").await;
    assert!(sealed.starts_with("enc:v1."), "{sealed}");
    plaza.stop().await;
    plaza.set("ENCRYPTION_KEY", Some(&format!("{new},{old}")));
    plaza.set("OTEL_SERVICE_NAME", Some(&sealed));
    plaza.restart().await;

    let id = old.split(':').next().unwrap();
    printed(&plaza.run(&["secrets", "rotate"]).await);
    let status = printed(&plaza.run(&["secrets", "status"]).await);
    assert!(
        status.contains(&format!("configuration\t{id}\t0\t1\tconfigured")),
        "{status}"
    );
    let told = complaint(&plaza.run(&["secrets", "retire", id]).await);
    assert!(
        told.contains(&format!("telemetry.service_name are still sealed with {id}")),
        "{told}"
    );
    let anew = sealed_by(&plaza, "market").await;
    plaza.set("OTEL_SERVICE_NAME", Some(&anew));
    let told = printed(&plaza.run(&["secrets", "retire", id]).await);
    assert!(told.contains("take it out"), "{told}");
    plaza.stop().await;
}

/// `plaza secrets encrypt` as it should be used: no argument shows what is sealed.
async fn sealed_by(plaza: &Plaza, value: &str) -> String {
    let mut command = plaza.command(&["secrets", "encrypt"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
    let output = tokio::task::spawn_blocking(move || running.wait_with_output().unwrap());
    printed(&output.await.unwrap()).trim().to_owned()
}

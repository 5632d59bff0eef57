//! Mails, asked for as identity asks for them, and taken by a mail server that shares no code with us.

use std::collections::BTreeMap;

use plaza_contracts::proto::notification::SendMailRequest;
use plaza_contracts::proto::notification::mails_client::MailsClient;
use plaza_contracts::services::{IDENTITY, NOTIFICATION};
use plaza_kernel::{Clock, Kind, TenantId};
use plaza_notification::NotificationConfig;
use plaza_rpc::{Carried, Directory, RpcSettings, Transport, carry};
use plaza_schedule::{ScheduleSettings, Scheduler};
use plaza_testkit::smtp::{SmtpOptions, SmtpServer, SmtpTls};
use plaza_testkit::{callers, eventually};
use tonic::Status;

use crate::rpc::assert_failed;
use crate::stage::{PATIENCE, Stage, quick};

const LINK: &str = "https://plaza.example/reset?token=s3cr3t-t0ken";

/// Settings under which nothing takes long, with this mail server.
pub(crate) fn with_server(url: &str) -> NotificationConfig {
    let mut config = quick();
    config.mail.url = Some(url.to_owned());
    config.mail.from = "Plaza <no-reply@plaza.example>".to_owned();
    config.mail.connections = 1;
    config.mail.timeout_milliseconds = 2_000;
    config.mail.retry_milliseconds = 20;
    config.mail.poll_milliseconds = 50;
    config
}

async fn towards(server: &SmtpServer) -> Stage {
    let stage = Stage::open("http://127.0.0.1:9", with_server(&server.url())).await;
    stage.start();
    stage
}

/// The way that identity calls it.
pub(crate) fn post(stage: &Stage) -> MailsClient<Transport> {
    let directory = Directory::new(RpcSettings::default());
    directory.host(NOTIFICATION, stage.notification.grpc());
    MailsClient::new(directory.acting_as(IDENTITY).transport(NOTIFICATION))
}

pub(crate) fn reset(to: &str) -> SendMailRequest {
    SendMailRequest {
        mail_id: Clock::system().uuid().to_string(),
        tenant_id: String::new(),
        recipient: to.to_owned(),
        template: "reset".to_owned(),
        locale: "de-AT".to_owned(),
        values: BTreeMap::from([
            ("link".to_owned(), LINK.to_owned()),
            ("minutes".to_owned(), "30".to_owned()),
        ]),
        from_name: String::new(),
    }
}

async fn send(stage: &Stage, mail: SendMailRequest) -> Result<(), Status> {
    post(stage).send_mail(mail).await.map(drop)
}

/// State, attempts, doubts and error of the mail to an address.
async fn row(stage: &Stage, to: &str) -> (String, i32, i32, Option<String>) {
    let sql = "SELECT state, attempts, doubts, error_text FROM notification.mails WHERE recipient = $1";
    let row = stage.database.admin().await.query_one(sql, &[&to]).await.unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

async fn until(stage: &Stage, to: &str, state: &str) {
    eventually(PATIENCE, || async { row(stage, to).await.0 == state }).await;
}

#[tokio::test]
async fn a_mail_arrives_in_both_forms_and_what_it_said_is_forgotten() {
    let server = SmtpServer::start().await;
    let stage = Stage::open("http://127.0.0.1:9", with_server(&server.url())).await;
    let mail = reset("ada@example.org");
    send(&stage, mail.clone()).await.unwrap();
    let sealed = "SELECT sealed, subject FROM notification.mails";
    let kept = stage.database.admin().await.query_one(sealed, &[]).await.unwrap();
    let (sealed, subject): (String, String) = (kept.get(0), kept.get(1));
    assert!(sealed.starts_with('v') && !sealed.contains("s3cr3t"), "{sealed}");
    assert_eq!(subject, "Neues Passwort setzen");
    stage.start();
    let received = server.mail_to("ada@example.org").await;
    assert_eq!(received.subject, "Neues Passwort setzen");
    assert_eq!(received.from, "Plaza <no-reply@plaza.example>");
    assert_eq!(received.sender, "no-reply@plaza.example");
    assert_eq!(received.link(), LINK);
    let html = received.html.as_deref().unwrap();
    assert!(
        html.contains(&format!("href=\"{LINK}\"")) && html.contains("lang=\"de\""),
        "{html}"
    );
    let id = format!("<{}@plaza.example>", mail.mail_id);
    assert_eq!(received.header("Message-ID"), Some(id.as_str()));
    assert_eq!(received.header("Auto-Submitted"), Some("auto-generated"));
    until(&stage, "ada@example.org", "sent").await;
    let gone = "SELECT count(*) FROM notification.mails WHERE sealed IS NOT NULL";
    let row = stage.database.admin().await.query_one(gone, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn asking_again_is_asking_once() {
    let server = SmtpServer::start().await;
    let stage = towards(&server).await;
    let mail = reset("ada@example.org");
    for _ in 0..3 {
        send(&stage, mail.clone()).await.unwrap();
    }
    until(&stage, "ada@example.org", "sent").await;
    send(&stage, mail).await.unwrap();
    send(&stage, reset("bob@example.org")).await.unwrap();
    server.mail_to("bob@example.org").await;
    server.mail_to("ada@example.org").await;
}

#[tokio::test]
async fn what_is_refused_for_now_is_tried_again_and_what_is_refused_for_good_is_not() {
    let server = SmtpServer::start().await;
    let stage = towards(&server).await;
    for to in [
        "later-3.a@example.org",
        "never@example.org",
        "refused@example.org",
        "ada@example.org",
    ] {
        send(&stage, reset(to)).await.unwrap();
    }
    until(&stage, "later-3.a@example.org", "sent").await;
    assert_eq!(row(&stage, "later-3.a@example.org").await.1, 3);
    for (to, code) in [("never@example.org", "550"), ("refused@example.org", "554")] {
        until(&stage, to, "failed").await;
        let (_, attempts, _, error) = row(&stage, to).await;
        assert_eq!(attempts, 0);
        assert!(
            error.as_deref().unwrap_or_default().starts_with(code),
            "{to}: {error:?}"
        );
    }
    server.mail_to("ada@example.org").await;
    server.mail_to("later-3.a@example.org").await;
}

#[tokio::test]
async fn nobody_waits_for_a_mail_to_where_the_server_does_not_send() {
    let server = SmtpServer::start().await;
    let mut config = with_server(&server.url());
    config.mail.retry_milliseconds = 60_000;
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    stage.start();
    send(&stage, reset("denied@example.org")).await.unwrap();
    eventually(PATIENCE, || async {
        row(&stage, "denied@example.org").await.3.is_some()
    })
    .await;
    let (_, attempts, _, error) = row(&stage, "denied@example.org").await;
    assert!(error.as_deref().unwrap().starts_with("454"), "{error:?}");
    assert_eq!(attempts, 1, "it counts as a try, so that it ends some time");
    send(&stage, reset("ada@example.org")).await.unwrap();
    server.mail_to("ada@example.org").await;
}

#[tokio::test]
async fn what_is_refused_again_and_again_has_failed() {
    let server = SmtpServer::start().await;
    let mut config = with_server(&server.url());
    config.mail.attempts = 3;
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    stage.start();
    send(&stage, reset("later-99.a@example.org")).await.unwrap();
    until(&stage, "later-99.a@example.org", "failed").await;
    assert_eq!(row(&stage, "later-99.a@example.org").await.1, 3);
}

#[tokio::test]
async fn a_mail_waits_for_a_server_that_is_away_and_it_is_not_held_against_it() {
    let first = SmtpServer::start().await;
    let (url, port) = (first.url(), first.port());
    drop(first);
    let mut config = with_server(&url);
    config.mail.attempts = 1;
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    stage.start();
    send(&stage, reset("ada@example.org")).await.unwrap();
    eventually(PATIENCE, || async {
        row(&stage, "ada@example.org").await.3.is_some()
    })
    .await;
    assert_eq!(row(&stage, "ada@example.org").await.1, 0);
    let server = SmtpServer::start_with(SmtpOptions {
        port,
        ..SmtpOptions::default()
    })
    .await;
    server.mail_to("ada@example.org").await;
    until(&stage, "ada@example.org", "sent").await;
}

#[tokio::test]
async fn a_server_that_does_not_say_whether_it_took_a_mail_gets_it_once_more_and_no_more() {
    let server = SmtpServer::start().await;
    let mut config = with_server(&server.url());
    config.mail.timeout_milliseconds = 300;
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    stage.start();
    for (to, times, state) in [
        ("silent-1.a@example.org", 2, "sent"),
        ("cut-1.a@example.org", 2, "sent"),
        ("silent-9.a@example.org", 2, "failed"),
        ("cut-9.a@example.org", 2, "failed"),
    ] {
        send(&stage, reset(to)).await.unwrap();
        until(&stage, to, state).await;
        let mails = server.wait_for(times, to).await;
        assert_eq!(mails.len(), times, "{to}");
        assert_eq!(
            mails[0].header("Message-ID"),
            mails[1].header("Message-ID"),
            "it can be known by it"
        );
    }
    // What the silent server may still say is not taken for an answer to another mail.
    send(&stage, reset("never@example.org")).await.unwrap();
    until(&stage, "never@example.org", "failed").await;
}

#[tokio::test]
async fn whoever_has_to_log_in_does_and_over_tls() {
    let login = Some(("plaza".to_owned(), "p@ss wörd".to_owned()));
    for (tls, scheme) in [(SmtpTls::StartTls, "smtp+starttls"), (SmtpTls::AtOnce, "smtps")] {
        let server = SmtpServer::start_with(SmtpOptions {
            login: login.clone(),
            tls,
            ..SmtpOptions::default()
        })
        .await;
        let mut config = with_server(&format!("{scheme}://localhost:{}", server.port()));
        config.mail.username = Some("plaza".to_owned());
        config.mail.password = Some("p@ss wörd".into());
        config.mail.authorities = Some(server.certificate());
        let stage = Stage::open("http://127.0.0.1:9", config).await;
        stage.start();
        send(&stage, reset("ada@example.org")).await.unwrap();
        let received = server.mail_to("ada@example.org").await;
        assert_eq!(
            (received.tls, received.login.as_deref()),
            (true, Some("plaza")),
            "{scheme}"
        );
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_cannot_be_trusted() {
    let open = SmtpServer::start().await;
    let strange = SmtpServer::start_with(SmtpOptions {
        tls: SmtpTls::StartTls,
        ..SmtpOptions::default()
    })
    .await;
    // One offers no TLS, the other's certificate is nobody's that we know.
    for server in [&open, &strange] {
        let config = with_server(&format!("smtp+starttls://localhost:{}", server.port()));
        let stage = Stage::open("http://127.0.0.1:9", config).await;
        stage.start();
        send(&stage, reset("ada@example.org")).await.unwrap();
        eventually(PATIENCE, || async {
            row(&stage, "ada@example.org").await.3.is_some()
        })
        .await;
        let (state, attempts, ..) = row(&stage, "ada@example.org").await;
        assert!(state != "sent" && state != "failed" && attempts == 0, "{state}");
        assert_eq!(server.mails(), []);
    }
}

#[tokio::test]
async fn a_wrong_password_costs_no_mail() {
    let server = SmtpServer::start_with(SmtpOptions {
        login: Some(("plaza".to_owned(), "right".to_owned())),
        ..SmtpOptions::default()
    })
    .await;
    let mut config = with_server(&server.url());
    config.mail.username = Some("plaza".to_owned());
    config.mail.password = Some("wrong".into());
    let stage = Stage::open("http://127.0.0.1:9", config.clone()).await;
    stage.start();
    send(&stage, reset("ada@example.org")).await.unwrap();
    eventually(PATIENCE, || async {
        row(&stage, "ada@example.org").await.3.is_some()
    })
    .await;
    let (state, attempts, _, error) = row(&stage, "ada@example.org").await;
    assert!(state == "queued" || state == "leased", "{state}");
    assert_eq!(attempts, 0);
    assert!(error.as_deref().unwrap().starts_with("535"), "{error:?}");
}

#[tokio::test]
async fn tenants_have_their_turns_however_many_mails_one_of_them_has() {
    let server = SmtpServer::start().await;
    let stage = Stage::open("http://127.0.0.1:9", with_server(&server.url())).await;
    let (large, small) = (callers::tenant(), callers::tenant());
    let of = |tenant: Option<TenantId>, to: String| SendMailRequest {
        tenant_id: tenant.map(|tenant| tenant.to_string()).unwrap_or_default(),
        ..reset(&to)
    };
    for at in 0..30 {
        send(&stage, of(Some(large), format!("large-{at}@example.org")))
            .await
            .unwrap();
    }
    for at in 0..3 {
        send(&stage, of(Some(small), format!("small-{at}@example.org")))
            .await
            .unwrap();
        send(&stage, of(None, format!("platform-{at}@example.org")))
            .await
            .unwrap();
    }
    stage.start();
    eventually(PATIENCE, || async { server.mails().len() == 36 }).await;
    let order: Vec<String> = server
        .mails()
        .into_iter()
        .map(|mail| mail.recipients[0].clone())
        .collect();
    for others in ["small-", "platform-"] {
        let last = order.iter().rposition(|to| to.starts_with(others)).unwrap();
        assert!(last < 10, "{order:?}");
    }
}

#[tokio::test]
async fn a_mail_whose_worker_died_is_sent_by_another() {
    let server = SmtpServer::start().await;
    let stage = Stage::open("http://127.0.0.1:9", with_server(&server.url())).await;
    send(&stage, reset("ada@example.org")).await.unwrap();
    let died =
        "UPDATE notification.mails SET state = 'leased', epoch = 1, lease_until = now() - interval '1 s'";
    stage.sql(died).await;
    stage.start();
    server.mail_to("ada@example.org").await;
    until(&stage, "ada@example.org", "sent").await;
}

#[tokio::test]
async fn what_cannot_stand_in_a_mail_is_refused() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let with = |name: &str, value: &str| {
        let mut mail = reset("ada@example.org");
        mail.values.insert(name.to_owned(), value.to_owned());
        mail
    };
    let good = || reset("ada@example.org");
    for mail in [
        with("link", "https://plaza.example/x\r\nBcc: b@example.org"),
        with("link", "javascript:alert(1)"),
        with("minutes", "30\r\n"),
        SendMailRequest {
            recipient: "ada@example.org\r\nBcc: b@example.org".to_owned(),
            ..good()
        },
        SendMailRequest {
            recipient: "ada@example.org, b@example.org".to_owned(),
            ..good()
        },
        SendMailRequest {
            recipient: String::new(),
            ..good()
        },
        SendMailRequest {
            template: "newsletter".to_owned(),
            ..good()
        },
        SendMailRequest {
            from_name: "Plaza\r\nBcc: b@example.org".to_owned(),
            ..good()
        },
        SendMailRequest {
            values: BTreeMap::new(),
            ..good()
        },
    ] {
        assert_failed(send(&stage, mail).await, Kind::Invalid, "INVALID_REQUEST");
    }
    for (mail_id, tenant_id) in [("x", ""), ("", ""), (&*good().mail_id, "x")] {
        let mail = SendMailRequest {
            mail_id: mail_id.to_owned(),
            tenant_id: tenant_id.to_owned(),
            ..good()
        };
        assert_failed(send(&stage, mail).await, Kind::Invalid, "INVALID_ID");
    }
    let all = "SELECT count(*) FROM notification.mails";
    let row = stage.database.admin().await.query_one(all, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn nobody_has_mails_sent_in_anothers_name() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let (own, other) = (callers::tenant(), callers::tenant());
    let as_owner = async |tenant: String| {
        let carried = Carried {
            caller: Some(callers::owner(own)),
            ..Carried::default()
        };
        let mail = SendMailRequest {
            tenant_id: tenant,
            ..reset("ada@example.org")
        };
        carry(carried, send(&stage, mail)).await
    };
    assert_failed(as_owner(other.to_string()).await, Kind::Forbidden, "OTHER_TENANT");
    assert_failed(as_owner(String::new()).await, Kind::Forbidden, "FORBIDDEN");
    as_owner(own.to_string()).await.unwrap();
}

#[tokio::test]
async fn without_a_server_mails_are_kept_and_old_ones_are_removed() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    stage.start();
    send(&stage, reset("ada@example.org")).await.unwrap();
    send(&stage, reset("old@example.org")).await.unwrap();
    assert_eq!(row(&stage, "ada@example.org").await.0, "kept");
    stage
        .sql("UPDATE notification.mails SET updated_at = now() - interval '31 days' WHERE recipient = 'old@example.org'")
        .await;
    let database = stage.database.of(NOTIFICATION);
    let schedules = stage.notification.schedules();
    let scheduler = Scheduler::new(database, schedules, Clock::system(), ScheduleSettings::default());
    scheduler.run_due().await.unwrap();
    stage
        .sql("UPDATE notification.schedules SET next_at = now()")
        .await;
    assert!(scheduler.run_due().await.unwrap() >= 1);
    let left = "SELECT recipient FROM notification.mails";
    let rows = stage.database.admin().await.query(left, &[]).await.unwrap();
    let left: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(left, ["ada@example.org"]);
}

//! Mails that lead people into their accounts, taken by a mail server that shares no code with us, and followed.

use http::Method;
use plaza_testkit::smtp::{ReceivedMail, SmtpOptions, SmtpServer};
use serde_json::json;

use crate::client::{Api, answer};
use crate::front::{Front, Running, Topology};
use crate::plaza::Plaza;
use crate::story;

const NEW_PASSWORD: &str = "amber quarry 9 kestrels";
const SOMEWHERE_ELSE: &str = "evil.example";

/// A Plaza whose mails go to this server.
async fn plaza(topology: Topology, server: &SmtpServer) -> Running {
    let url = server.url();
    let variables = [
        ("PLAZA_NOTIFICATION__MAIL__URL", url.as_str()),
        ("PLAZA_NOTIFICATION__MAIL__FROM", "Plaza <no-reply@plaza.example>"),
        ("PLAZA_NOTIFICATION__MAIL__RETRY_MILLISECONDS", "200"),
        ("PLAZA_IDENTITY__REGISTRATION", "open"),
        ("PLAZA_IDENTITY__EMAIL_VERIFICATION", "required"),
        ("PLAZA_IDENTITY__THROTTLE__LOOPBACK_EXEMPT", "true"),
        // Somebody asks more often here than people do.
        ("PLAZA_IDENTITY__THROTTLE__RECOVERY_PER_MAILBOX", "20/h"),
    ];
    Running::start_with(topology, &variables).await
}

/// The path of a link that has to lead to Plaza, as a browser would ask for it there.
fn path(plaza: &impl Front, mail: &ReceivedMail) -> String {
    let (link, origin) = (mail.link(), plaza.url(""));
    let path = link.strip_prefix(&origin);
    path.unwrap_or_else(|| panic!("{link} does not lead to {origin}"))
        .to_owned()
}

fn token(path: &str) -> String {
    path.split_once("token=").unwrap().1.to_owned()
}

async fn forgot(api: &Api, email: &str) {
    let taken = api
        .post("/api/v1/auth/forgot-password", json!({"email": email}))
        .await;
    assert_eq!(taken.status, 202, "{}", taken.text());
}

async fn may_log_in(api: &Api, email: &str, password: &str) -> bool {
    let login = json!({"email": email, "password": password});
    let answer = api.post("/api/v1/auth/login", login).await;
    answer.status.is_success()
}

#[tokio::test]
async fn an_account_is_proven_and_a_password_forgotten_by_mail() {
    an_account_is_proven_and_a_password_forgotten_by_mail_in(Topology::OneProcess).await;
}

#[tokio::test]
async fn an_account_is_proven_and_a_password_forgotten_by_mail_in_pieces() {
    an_account_is_proven_and_a_password_forgotten_by_mail_in(Topology::Pieces).await;
}

async fn an_account_is_proven_and_a_password_forgotten_by_mail_in(topology: Topology) {
    const ADA: &str = "ada@example.org";
    let server = SmtpServer::start().await;
    let mut plaza = plaza(topology, &server).await;
    let admin = story::administrator(&plaza).await;
    story::tenant(&admin, "acme").await;
    let api = plaza.api();
    let account = json!({"email": ADA, "password": story::PASSWORD, "tenant": "acme"});
    let registered = api.post("/api/v1/auth/register", account).await;
    assert_eq!(registered.status, 202, "{}", registered.text());
    let mail = server.mail_to(ADA).await;
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    let verify = path(&plaza, &mail);
    assert!(
        !may_log_in(&api, ADA, story::PASSWORD).await,
        "the address is not proven yet"
    );

    // Programs that look for harm in links ask for all of them, in every way but a person's.
    for method in [Method::HEAD, Method::GET] {
        for accept in ["*/*", "text/html"] {
            let scanned = answer(api.request(method.clone(), &verify).header("accept", accept)).await;
            assert_eq!(scanned.status, 200, "{method} {accept}");
        }
    }
    assert!(
        !may_log_in(&api, ADA, story::PASSWORD).await,
        "looking at a link proves nothing"
    );
    let proof = json!({"token": token(&verify)});
    api.post("/api/v1/auth/verify-email", proof.clone()).await.ok();
    assert!(may_log_in(&api, ADA, story::PASSWORD).await);
    api.post("/api/v1/auth/verify-email", proof)
        .await
        .assert_failed(400, "TOKEN_USED");

    forgot(&api, ADA).await;
    let reset = path(&plaza, &server.wait_for(2, ADA).await[1]);
    assert_eq!(api.get(&reset).await.status, 200, "the link leads to a page");
    let change = json!({"token": token(&reset), "password": NEW_PASSWORD});
    let changed = api.post("/api/v1/auth/reset-password", change.clone()).await;
    assert_eq!(changed.status, 204, "{}", changed.text());
    api.post("/api/v1/auth/reset-password", change)
        .await
        .assert_failed(400, "TOKEN_USED");
    assert!(!may_log_in(&api, ADA, story::PASSWORD).await);
    assert!(may_log_in(&api, ADA, NEW_PASSWORD).await);
    let told = &server.wait_for(3, ADA).await[2];
    assert!(told.subject.contains("password"), "{}", told.subject);
    plaza.stop().await;
}

#[tokio::test]
async fn a_link_leads_to_us_whatever_the_request_says_of_hosts() {
    const OWNER: &str = "owner@acme.example";
    let server = SmtpServer::start().await;
    let mut plaza = plaza(Topology::OneProcess, &server).await;
    let admin = story::administrator(&plaza).await;
    story::tenant(&admin, "acme").await;
    let api = plaza.api();
    let mut mails = 0;
    for (name, value) in [
        ("x-forwarded-host", SOMEWHERE_ELSE),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "https://evil.example/reset"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example/"),
        // The host of a tenant is one of ours, and still not where links are made of.
        ("host", "acme.localhost"),
        ("host", SOMEWHERE_ELSE),
    ] {
        let body = json!({"email": OWNER});
        let asked = api
            .request(Method::POST, "/api/v1/auth/forgot-password")
            .json(&body);
        let asked = answer(asked.header(name, value)).await;
        // A host that is not ours is answered by nobody, and nobody gets a mail for it.
        if (name, value) == ("host", SOMEWHERE_ELSE) {
            asked.assert_failed(404, "UNKNOWN_HOST");
            continue;
        }
        assert_eq!(asked.status, 202, "{name}: {}", asked.text());
        mails += 1;
        let received = server.wait_for(mails, OWNER).await;
        leads_to_us(&plaza, &received[mails - 1], name);

        // The same of a link that proves an address.
        let somebody = format!("somebody{mails}@acme.example");
        let account = json!({"email": somebody, "password": story::PASSWORD, "tenant": "acme"});
        let request = api.request(Method::POST, "/api/v1/auth/register").json(&account);
        let registered = answer(request.header(name, value)).await;
        assert_eq!(registered.status, 202, "{name}: {}", registered.text());
        leads_to_us(&plaza, &server.mail_to(&somebody).await, name);
    }
    assert_eq!(mails, 6);
    plaza.stop().await;
}

fn leads_to_us(plaza: &impl Front, mail: &ReceivedMail, header: &str) {
    path(plaza, mail);
    let said = format!("{:?}{:?}{:?}", mail.headers, mail.text, mail.html);
    assert!(!said.contains("evil"), "{header}: {said}");
}

#[tokio::test]
async fn a_mail_server_that_is_away_gets_the_mails_when_it_is_back() {
    const OWNER: &str = "owner@acme.example";
    let server = SmtpServer::start().await;
    let mut plaza = plaza(Topology::OneProcess, &server).await;
    let admin = story::administrator(&plaza).await;
    story::tenant(&admin, "acme").await;
    let port = server.port();
    drop(server);
    forgot(&plaza.api(), OWNER).await;
    let superuser = plaza.superuser().await;
    let waiting = "SELECT count(*) FROM notification.mails WHERE error_text IS NOT NULL AND attempts = 0";
    plaza_testkit::eventually(std::time::Duration::from_secs(60), || {
        let asked = superuser.number(waiting);
        async move { asked.await == 1 }
    })
    .await;
    // It outlives the process too.
    plaza.stop().await;
    let back = SmtpOptions {
        port,
        ..SmtpOptions::default()
    };
    let server = SmtpServer::start_with(back).await;
    plaza.restart_all().await;
    let mail = server.mail_to(OWNER).await;
    let change = json!({"token": token(&mail.link()), "password": NEW_PASSWORD});
    let changed = plaza.api().post("/api/v1/auth/reset-password", change).await;
    assert_eq!(changed.status, 204, "{}", changed.text());
    plaza.stop().await;
}

#[tokio::test]
async fn on_a_laptop_mails_are_read_in_the_inbox() {
    let mut plaza = Plaza::start().await;
    let admin = story::administrator(&plaza).await;
    story::tenant(&admin, "acme").await;
    forgot(&plaza.api(), "owner@acme.example").await;
    let list = "/dev/inbox/mails?to=owner@acme.example";
    let mut mail = json!(null);
    for _ in 0..600 {
        mail = plaza.api().get(list).await.ok()["items"][0].clone();
        if !mail.is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(
        (&mail["state"], &mail["template"]),
        (&json!("kept"), &json!("reset")),
        "{mail}"
    );
    let text = mail["text"].as_str().unwrap();
    let link = text.lines().find(|line| line.starts_with("http")).unwrap().trim();
    let page = plaza.api().get("/dev/inbox").await;
    assert!(page.text().contains(link), "{}", page.text());
    // Somebody whose browser is led here by another name sees nothing.
    for host in ["acme.localhost.evil.example", "evil.example"] {
        let request = plaza.api().request(Method::GET, list).header("host", host);
        assert_eq!(answer(request).await.status, 404, "{host}");
    }
    // Nor does somebody whom a proxy of this machine passed on.
    for (name, value) in [("x-forwarded-for", "192.0.2.1"), ("via", "1.1 proxy")] {
        let request = plaza.api().request(Method::GET, list).header(name, value);
        assert_eq!(answer(request).await.status, 404, "{name}");
    }
    let change = json!({"token": token(link), "password": NEW_PASSWORD});
    assert_eq!(
        plaza
            .api()
            .post("/api/v1/auth/reset-password", change)
            .await
            .status,
        204
    );
    assert!(may_log_in(&plaza.api(), "owner@acme.example", NEW_PASSWORD).await);
    plaza.stop().await;
}

//! The development inbox: for who sits at the machine, where the settings say so, and for nobody else.

use axum::body::Body;
use http::{Request, StatusCode};
use plaza_contracts::edge::ClientAddress;
use plaza_testkit::Reply;

use crate::mails::{post, reset};
use crate::stage::{Stage, quick};

const PATHS: [&str; 2] = ["/dev/inbox", "/dev/inbox/mails"];

async fn stage(inbox: bool) -> Stage {
    let mut config = quick();
    config.mail.inbox = inbox;
    let stage = Stage::open("http://127.0.0.1:9", config).await;
    post(&stage).send_mail(reset("Ada@example.org")).await.unwrap();
    post(&stage).send_mail(reset("bob@example.org")).await.unwrap();
    stage
}

async fn ask(stage: &Stage, path: &str, host: &str, client: Option<&str>) -> Reply {
    let mut request = Request::get(path).header("host", host);
    if let Some(client) = client {
        request = request.extension(ClientAddress(client.parse().unwrap()));
    }
    let request = request.body(Body::empty()).unwrap();
    stage.mounted.anonymous().send(request).await
}

#[tokio::test]
async fn a_developer_reads_the_mails_that_went_nowhere() {
    let stage = stage(true).await;
    let here = |path: String| {
        let stage = &stage;
        async move {
            ask(stage, &path, "localhost:8080", Some("127.0.0.1"))
                .await
                .assert_ok()
        }
    };
    let page = here("/dev/inbox".to_owned()).await;
    assert!(
        page.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'none'")
    );
    assert!(
        page.text()
            .contains("<a href=\"https://plaza.example/reset?token=s3cr3t-t0ken\">")
    );
    let all = here("/dev/inbox/mails".to_owned()).await.value();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let theirs = here("/dev/inbox/mails?to=ada@EXAMPLE.org".to_owned())
        .await
        .value();
    let [mail] = theirs["items"].as_array().unwrap().as_slice() else {
        panic!("{theirs}")
    };
    assert_eq!(
        (&mail["to"], &mail["state"]),
        (&"Ada@example.org".into(), &"kept".into())
    );
    assert!(mail["text"].as_str().unwrap().contains("token=s3cr3t-t0ken"));
    let id = mail["id"].as_str().unwrap();
    let one = here(format!("/dev/inbox/mails/{id}")).await.value();
    assert_eq!(&one, mail);
    let random = uuid::Uuid::from_u128(7);
    let none = ask(
        &stage,
        &format!("/dev/inbox/mails/{random}"),
        "localhost",
        Some("::1"),
    )
    .await;
    none.assert_failed(StatusCode::NOT_FOUND, "MAIL_NOT_FOUND");
    assert_eq!(
        here("/dev/inbox/mails?to=nobody".to_owned()).await.value()["items"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn it_does_not_exist_for_who_is_elsewhere_or_asks_for_elsewhere() {
    let stage = stage(true).await;
    for path in PATHS {
        for host in ["localhost", "127.0.0.1:8080", "[::1]:8080", "plaza.localhost"] {
            for client in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
                ask(&stage, path, host, Some(client)).await.assert_ok();
            }
        }
        for (host, client) in [
            ("localhost", None),
            ("localhost", Some("192.0.2.1")),
            ("localhost", Some("10.0.0.1")),
            ("localhost", Some("::ffff:192.0.2.1")),
            ("plaza.example", Some("127.0.0.1")),
            ("localhost.plaza.example", Some("127.0.0.1")),
            ("127.0.0.1.plaza.example", Some("127.0.0.1")),
            ("", Some("127.0.0.1")),
        ] {
            let reply = ask(&stage, path, host, client).await;
            reply.assert_failed(StatusCode::NOT_FOUND, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn it_does_not_exist_unless_the_settings_say_so() {
    let stage = stage(false).await;
    for path in PATHS {
        let reply = ask(&stage, path, "localhost", Some("127.0.0.1")).await;
        reply.assert_failed(StatusCode::NOT_FOUND, "NOT_FOUND");
    }
}

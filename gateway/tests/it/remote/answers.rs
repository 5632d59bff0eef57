//! What comes back is passed on as it is, or not at all.

use axum::body::Body;
use http::Method;
use plaza_gateway::GatewaySettings;

use crate::elsewhere::{Served, body_of, impatient, status_of};
use crate::house::{House, request};
use crate::rough::{Rough, Talk};

async fn served(service: &Rough) -> (House, Served) {
    let house = House::before_addresses(impatient(), std::slice::from_ref(&service.uri));
    let gateway = Served::gateway(&house).await;
    (house, gateway)
}

#[tokio::test]
async fn an_answer_arrives_whole_and_without_what_was_meant_for_the_gateway() {
    let service = Rough::saying(
        "HTTP/1.1 201 Made To Measure\r\nContent-Length: 5\r\nX-Kept: 1\r\nX-Hop: 1\r\nConnection: x-hop\r\n\
         X-Plaza-Note: inside\r\nKeep-Alive: timeout=5\r\n\r\nhello",
    )
    .await;
    let (_house, gateway) = served(&service).await;
    let answer = gateway.get("/setup").await;
    assert_eq!((status_of(&answer), body_of(&answer)), (201, "hello"));
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert!(answer.contains("x-kept: 1\r\n"));
    for gone in ["x-hop", "x-plaza", "keep-alive", "Measure"] {
        assert!(!answer.contains(gone), "{gone} in {answer}");
    }
}

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let service =
        Rough::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
            .await;
    let (house, _gateway) = served(&service).await;
    for _ in 0..20 {
        let answer = house.call(Method::GET, "localhost", "/setup").await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_slice()),
            (200, &b"abc"[..])
        );
    }
    assert_eq!((service.connections(), service.requests()), (1, 20));
}

#[tokio::test]
async fn answers_without_a_body_keep_the_connection() {
    let service = Rough::start(|_, mut talk: Talk| async move {
        loop {
            let head = talk.request().await?;
            let answer = match head.split(' ').next()? {
                "HEAD" => "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
                "PUT" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"7\"\r\n\r\n",
                _ => "HTTP/1.1 204 No Content\r\n\r\n",
            };
            talk.say(answer).await?;
        }
    })
    .await;
    let (house, gateway) = served(&service).await;
    let head = gateway
        .exchange("HEAD /setup HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!((status_of(&head), body_of(&head)), (200, ""));
    assert!(head.contains("content-length: 5000\r\n"), "{head}");
    let token = house.owner();
    let unchanged = house
        .call_as(&token, Method::PUT, "localhost", "/api/v1/auth/me")
        .await;
    assert_eq!((unchanged.status.as_u16(), unchanged.body.len()), (304, 0));
    assert_eq!(unchanged.header("etag"), Some("\"7\""));
    let nothing = house.call(Method::GET, "localhost", "/setup").await;
    assert_eq!((nothing.status.as_u16(), nothing.body.len()), (204, 0));
    assert_eq!(service.connections(), 1);
}

#[tokio::test]
async fn provisional_answers_are_not_the_answer() {
    let service = Rough::saying(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let (_house, gateway) = served(&service).await;
    let answer = gateway.get("/setup").await;
    assert_eq!((status_of(&answer), body_of(&answer)), (200, "ok"));
}

#[tokio::test]
async fn a_service_that_closes_is_believed() {
    let service = Rough::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
    let (house, _gateway) = served(&service).await;
    for _ in 0..5 {
        let answer = house.call(Method::POST, "localhost", "/webhooks/meta").await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!((service.connections(), service.requests()), (5, 5));
}

#[tokio::test]
async fn what_cannot_be_passed_on_safely_is_no_answer() {
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "a".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Many: 1\r\n".repeat(200));
    let answers: [&'static str; 9] = [
        // Ends with its connection: half of it would look like all of it.
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of a",
        "HTTP/1.0 200 OK\r\n\r\nhalf of a",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nX-Split : 1\r\nContent-Length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        long.leak(),
        many.leak(),
    ];
    for answer in answers {
        let service = Rough::start(move |_, mut talk| async move {
            talk.request().await?;
            talk.say(answer).await
        })
        .await;
        let (house, _gateway) = served(&service).await;
        let problem = house.call(Method::POST, "localhost", "/webhooks/meta").await;
        let start: String = answer.chars().take(60).collect();
        assert_eq!(
            problem.problem(),
            (503, "UPSTREAM_INTERRUPTED".to_owned()),
            "{start}"
        );
        assert_eq!(problem.header("retry-after"), Some("1"));
        assert_eq!(service.requests(), 1);
    }
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_are_nobodys_answer() {
    let two =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray";
    let service = Rough::start(move |_, mut talk| async move {
        talk.request().await?;
        talk.say(two).await?;
        talk.until_gone().await
    })
    .await;
    let (house, _gateway) = served(&service).await;
    for _ in 0..3 {
        let answer = house.call(Method::GET, "localhost", "/setup").await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.as_slice()),
            (200, &b"one"[..])
        );
    }
    assert_eq!(service.connections(), 3);
}

#[tokio::test]
async fn a_problem_of_a_service_arrives_as_it_is() {
    let clock = House::new().clock;
    let router = plaza_web::ApiError::nothing_here;
    let router = axum::Router::new().fallback(move || async move { router() });
    let service = Served::start(router, &clock).await;
    let house = House::before_addresses(GatewaySettings::default(), &[service.uri]);
    let request = request(Method::GET, "localhost", "/setup").header("x-request-id", "mine");
    let answer = house.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.problem(), (404, "NOT_FOUND".to_owned()));
    assert!(String::from_utf8_lossy(&answer.body).contains("\"request_id\":\"mine\""));
}

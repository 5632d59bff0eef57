//! What `GET /api/v1/auth/me` costs: through the gateway and the database, one round trip to PostgreSQL.

use plaza_testkit::TestDatabase;
use secrecy::ExposeSecret;

use crate::flights::Flights;
use crate::plaza::{Plaza, folder, printed};
use crate::story;

const REQUESTS: u64 = 200;

#[tokio::test]
async fn me_through_gateway_and_database_is_one_round_trip() {
    let database = TestDatabase::fresh(&[]).await;
    let settings = database.settings();
    let flights = Flights::to(settings.url.expose_secret()).await;
    // Every login of every service goes through the proxy.
    let mut plaza = Plaza::builder()
        .env("DATABASE_URL", flights.through(settings.url.expose_secret()))
        .env("PLAZA_DATABASE_ROLE_KEY", settings.role_key.expose_secret())
        .env(
            "ENCRYPTION_KEY",
            plaza_crypto::KeyRing::generate().expose_secret(),
        )
        // Sessions are confirmed in the background at half of this age: not while the requests are counted.
        .env("PLAZA_GATEWAY__REVOCATION_SECONDS", 600)
        .arg("serve")
        .prepare(folder());
    printed(&plaza.run(&["migrate"]).await);
    plaza.restart().await;
    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    let member = story::member(&acme.owner, "low@acme.example").await;

    for (who, api) in [
        ("administrator", &admin),
        ("owner", &acme.owner),
        ("member", &member),
    ] {
        // Connections, statements and the session get known.
        for _ in 0..20 {
            api.get("/api/v1/auth/me").await.ok();
        }
        flights.take();
        for _ in 0..REQUESTS {
            api.get("/api/v1/auth/me").await.ok();
        }
        let mut counted = flights.take();
        println!("{who}: {REQUESTS} requests, flights by login {counted:?}");
        assert_eq!(
            counted.remove("plaza_identity"),
            Some(REQUESTS),
            "the requests of the {who}"
        );
        // What remains is background work, and none of it grows with requests.
        let others: u64 = counted.values().sum();
        assert!(others < REQUESTS / 4, "more than background work: {counted:?}");
    }
    plaza.stop().await;
}

/// The proxy counts what it is there to count.
#[tokio::test]
async fn a_second_statement_is_a_second_flight() {
    let database = TestDatabase::fresh(&[]).await;
    let url = database.url();
    let flights = Flights::to(url.expose_secret()).await;
    let config: tokio_postgres::Config = flights.through(url.expose_secret()).parse().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a client without any of Plaza in it")]
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "ends with the client")]
    tokio::spawn(connection);
    flights.take();
    for _ in 0..3 {
        client.batch_execute("SELECT 1; SELECT 2").await.unwrap();
    }
    assert_eq!(flights.take().values().sum::<u64>(), 3);
    let (first, second) = tokio::join!(client.batch_execute("SELECT 1"), client.batch_execute("SELECT 2"));
    first.and(second).unwrap();
    assert!(flights.take().values().sum::<u64>() <= 2, "spoken at once");
}

//! What `GET /api/v1/auth/me` costs: through the gateway and the database, one round trip to PostgreSQL.

use std::collections::BTreeMap;
use std::time::Instant;

use plaza_testkit::TestDatabase;
use secrecy::ExposeSecret;

use crate::client::Api;
use crate::fleet::Fleet;
use crate::flights::Flights;
use crate::front::Front;
use crate::plaza::{Plaza, folder, printed};
use crate::story;

const REQUESTS: u64 = 200;
/// So many are made in a row …
const PART: u64 = 50;
/// The login whose flights are those of the requests.
const IDENTITY: &str = "plaza_identity";

/// … in so many rounds at the most: the other parts ask every second whether identity is ready, an event may be consumed, or a
/// schedule due (once 88 flights at a time). What a request costs shows in every round, what those cost does not.
const ROUNDS: u64 = 24;

/// Sessions are confirmed in the background at half of this age: not while the requests are counted.
const CONFIRMED: (&str, u32) = ("PLAZA_GATEWAY__REVOCATION_SECONDS", 600);

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
        .env(CONFIRMED.0, CONFIRMED.1)
        .arg("serve")
        .prepare(folder());
    printed(&plaza.run(&["migrate"]).await);
    plaza.restart().await;
    me_is_one_round_trip(&plaza, &flights).await;
    plaza.stop().await;
}

/// Nobody else asks the database: the gateway has none, and the others are not asked.
#[tokio::test]
async fn me_through_gateway_and_identity_is_one_round_trip_in_pieces() {
    let mut fleet = Fleet::builder().env(CONFIRMED.0, CONFIRMED.1).prepare().await;
    let url = fleet.database().settings().url;
    let flights = Flights::to(url.expose_secret()).await;
    fleet.tell("DATABASE_URL", flights.through(url.expose_secret()));
    fleet.spawn_all();
    fleet.all_ready().await;
    me_is_one_round_trip(&fleet, &flights).await;
    fleet.stop().await;
}

async fn me_is_one_round_trip(plaza: &impl Front, flights: &Flights) {
    let admin = story::administrator(plaza).await;
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
        let (mut exactly, mut quiet) = (0, 0);
        for _ in 0..ROUNDS {
            let (identity, others) = flights_of_requests(who, api, flights).await;
            exactly += if identity == PART { PART } else { 0 };
            quiet += if others < PART.cast_signed() / 4 { PART } else { 0 };
            if exactly >= REQUESTS && quiet >= REQUESTS {
                break;
            }
        }
        assert!(
            exactly >= REQUESTS,
            "only {exactly} requests of the {who} with one flight each"
        );
        assert!(
            quiet >= REQUESTS,
            "only {quiet} requests of the {who} beside no more flights of others than background work makes"
        );
    }
}

/// Flights of identity's login while the requests are made, and how many more all others made than in as much time without
/// requests: services look for work by the clock, so more often the slower the machine is with the requests.
async fn flights_of_requests(who: &str, api: &Api, flights: &Flights) -> (u64, i64) {
    flights.take();
    let begun = Instant::now();
    for _ in 0..PART {
        api.get("/api/v1/auth/me").await.ok();
    }
    let took = begun.elapsed();
    let mut counted = flights.take();
    tokio::time::sleep(took).await;
    let mut idle = flights.take();
    println!("{who}: {PART} requests in {took:.1?}, flights by login {counted:?}, without them {idle:?}");
    let identity = counted.remove(IDENTITY).unwrap_or_default();
    idle.remove(IDENTITY);
    let all = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>().cast_signed();
    (identity, all(&counted) - all(&idle))
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

//! What nobody can consume: five deliveries, a dead letter, and an operator who replays or discards it. The same in one
//! process and over RabbitMQ.

use std::process::Output;
use std::time::Duration;

use plaza_testkit::eventually;
use serde_json::json;

use crate::client::Api;
use crate::front::{Front, Running, Topology};
use crate::plaza::{complaint, printed};
use crate::story;
use crate::superuser::Superuser;

const PATIENCE: Duration = Duration::from_secs(120);
/// The consumer that is made to fail.
const QUEUE: &str = "access.give_first_role";
/// Short pauses between the five deliveries.
const DELAYS: [(&str, &str); 1] = [("PLAZA_EVENTS__DELAYS_MILLISECONDS", "[50, 50, 50, 50]")];

/// A line of `plaza events dlq list`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Letter {
    queue: String,
    event: String,
    name: String,
    tenant: String,
    attempts: String,
    reason: String,
}

impl Letter {
    fn of(line: &str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let [queue, event, name, tenant, attempts, _, reason] = fields[..] else {
            panic!("not a dead letter: {line}");
        };
        Self {
            queue: queue.to_owned(),
            event: event.to_owned(),
            name: name.to_owned(),
            tenant: tenant.to_owned(),
            attempts: attempts.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

/// An installation of which roles cannot be given out while it is poisoned.
struct Poisoned {
    plaza: Running,
    superuser: Superuser,
}

impl Poisoned {
    async fn over(topology: Topology) -> Self {
        let plaza = Running::start_with(topology, &DELAYS).await;
        let superuser = plaza.superuser().await;
        let poisoned = Self { plaza, superuser };
        // A sequence counts what is rolled back too: every delivery that came as far as its effect.
        poisoned.sql("CREATE SCHEMA poison").await;
        poisoned.sql("CREATE SEQUENCE poison.deliveries").await;
        poisoned
            .sql(
                "CREATE FUNCTION poison.fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                 BEGIN
                     PERFORM nextval('poison.deliveries');
                     RAISE EXCEPTION 'poison';
                 END $$",
            )
            .await;
        poisoned
    }

    async fn sql(&self, statement: &str) {
        self.superuser.rows(statement, &[]).await;
    }

    async fn poison(&self) {
        self.sql("CREATE TRIGGER poison BEFORE INSERT ON access.assignments EXECUTE FUNCTION poison.fail()")
            .await;
    }

    async fn cure(&self) {
        self.sql("DROP TRIGGER poison ON access.assignments").await;
    }

    /// How often a delivery came as far as its effect and failed there.
    async fn deliveries(&self) -> u64 {
        let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM poison.deliveries";
        self.superuser.number(sql).await
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        self.plaza.run(arguments).await
    }

    async fn letters(&self) -> Vec<Letter> {
        let listed = printed(&self.run(&["events", "dlq", "list"]).await);
        listed.lines().map(Letter::of).collect()
    }

    /// Waits until this many deliveries have failed and the event is a dead letter: the only one.
    async fn dead_after(&self, deliveries: u64) -> Letter {
        eventually(PATIENCE, || async { self.deliveries().await >= deliveries }).await;
        eventually(PATIENCE, || async { !self.letters().await.is_empty() }).await;
        assert_eq!(self.deliveries().await, deliveries);
        let letters = self.letters().await;
        assert_eq!(letters.len(), 1, "{letters:?}");
        letters[0].clone()
    }

    /// Invites a member; the user's id.
    async fn invite(&self, owner: &Api, email: &str) -> String {
        let invited = owner.post("/api/v1/auth/users", json!({"email": email})).await;
        invited.ok();
        self.user(email).await
    }

    async fn user(&self, email: &str) -> String {
        let sql = "SELECT id::text FROM identity.users WHERE email = $1";
        let rows = self.superuser.rows(sql, &[&email]).await;
        rows[0].get(0)
    }

    async fn has_a_role(&self, user: &str) -> bool {
        let sql = "SELECT 1 FROM access.assignments WHERE user_id::text = $1";
        !self.superuser.rows(sql, &[&user]).await.is_empty()
    }
}

#[tokio::test]
async fn a_poison_event_is_a_dead_letter_after_five_deliveries_and_can_be_replayed_or_discarded() {
    the_story_of_a_poison_event(Topology::OneProcess).await;
}

#[tokio::test]
async fn a_poison_event_is_a_dead_letter_after_five_deliveries_and_can_be_replayed_or_discarded_in_pieces() {
    the_story_of_a_poison_event(Topology::Pieces).await;
}

async fn the_story_of_a_poison_event(topology: Topology) {
    let mut house = Poisoned::over(topology).await;
    let admin = story::administrator(&house.plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    assert_eq!(house.letters().await, []);

    house.poison().await;
    let ada = house.invite(&acme.owner, "ada@acme.example").await;
    let letter = house.dead_after(5).await;
    assert_eq!(
        (
            letter.queue.as_str(),
            letter.name.as_str(),
            letter.attempts.as_str()
        ),
        (QUEUE, "user.registered", "5")
    );
    assert_eq!(letter.tenant, acme.id);
    assert!(letter.reason.contains("poison"), "{letter:?}");

    // Replayed while it is still poison: five deliveries again.
    let replay = ["events", "dlq", "replay", QUEUE, &letter.event];
    assert_eq!(printed(&house.run(&replay).await), "1 replayed\n");
    assert_eq!(house.dead_after(10).await.event, letter.event);

    // Replayed when it is none any more.
    house.cure().await;
    assert_eq!(printed(&house.run(&replay).await), "1 replayed\n");
    eventually(PATIENCE, || house.has_a_role(&ada)).await;
    assert_eq!(house.letters().await, []);
    assert!(complaint(&house.run(&replay).await).contains("no such dead letter"));

    // Another one, which nobody wants.
    house.poison().await;
    let ben = house.invite(&acme.owner, "ben@acme.example").await;
    let unwanted = house.dead_after(15).await;
    assert_ne!(unwanted.event, letter.event);
    house.cure().await;
    let discard = ["events", "dlq", "discard", QUEUE, "--all"];
    assert_eq!(printed(&house.run(&discard).await), "1 discarded\n");
    assert_eq!(house.letters().await, []);
    assert!(complaint(&house.run(&discard).await).contains("no such dead letter"));

    a_body_that_cannot_be_read(&house, &acme.id).await;
    // What comes after is consumed, and what was discarded never was.
    let cleo = house.invite(&acme.owner, "cleo@acme.example").await;
    eventually(PATIENCE, || house.has_a_role(&cleo)).await;
    assert!(!house.has_a_role(&ben).await);
    assert_eq!(house.deliveries().await, 15);
    house.plaza.stop().await;
}

/// Trying again would not help: it is a dead letter at once.
async fn a_body_that_cannot_be_read(house: &Poisoned, tenant: &str) {
    let rows = house
        .superuser
        .rows(
            "INSERT INTO identity.outbox (event_id, tenant_id, key, name, version, source, payload, created_at)
             VALUES (gen_random_uuid(), $1::text::uuid, 'broken', 'user.registered', 1, 'identity', '{\"user_id\": 7}', now())
             RETURNING event_id::text",
            &[&tenant],
        )
        .await;
    let event: String = rows[0].get(0);
    eventually(PATIENCE, || async { !house.letters().await.is_empty() }).await;
    let letters = house.letters().await;
    let told: Vec<_> = letters
        .iter()
        .map(|letter| (letter.event.as_str(), letter.attempts.as_str()))
        .collect();
    assert_eq!(told, [(event.as_str(), "1")], "{letters:?}");
    let discard = ["events", "dlq", "discard", QUEUE, &event];
    assert_eq!(printed(&house.run(&discard).await), "1 discarded\n");
}

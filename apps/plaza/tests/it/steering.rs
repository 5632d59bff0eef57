//! A campaign that is paused, and one that is called off, while its messages leave: what notification was told holds, and
//! the provider sees it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Api;
use crate::fleet::Fleet;
use crate::front::Front;
use crate::plaza::{Plaza, folder, free_address};
use crate::simulator::SimulatorProcess;
use crate::story;

const SECRET: &str = "what both sides know";
const PEOPLE: u64 = 2_000;
/// Some ten seconds for all of them.
const RATE: (&str, u64) = ("PLAZA_NOTIFICATION__DEFAULT_RATE", 200);
/// Everybody can be reached.
const REACHED: (&str, &str) = ("PLAZA_SIMULATOR__FAILURE_RATE", "0.0");
/// How many messages of a sender are with the provider at once.
const IN_FLIGHT: u64 = 8;
/// How soon what was decided is true. It takes milliseconds, and nothing else has the machine for itself.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_is_told_to_stop_stops() {
    let listen = free_address();
    let callback = format!("http://{listen}/webhooks/meta");
    let simulator = SimulatorProcess::start(&callback, SECRET, 7, &[REACHED]).await;
    let mut plaza = Plaza::builder()
        .env("PLAZA_LISTEN", &listen)
        .env("PLAZA_DEVELOPMENT__SIMULATOR_URL", simulator.url())
        .env("PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET", SECRET)
        .env(RATE.0, RATE.1)
        .start()
        .await;
    what_is_told_to_stop_stops_for(&plaza, &simulator.api()).await;
    simulator.stop().await;
    plaza.stop().await;
}

#[tokio::test]
async fn what_is_told_to_stop_stops_in_pieces() {
    let mut fleet = Fleet::builder()
        .simulated(REACHED.0, REACHED.1)
        .env(RATE.0, RATE.1)
        .start()
        .await;
    what_is_told_to_stop_stops_for(&fleet, &fleet.simulator_api()).await;
    fleet.stop().await;
}

async fn what_is_told_to_stop_stops_for(plaza: &impl Front, simulator: &Api) {
    let admin = story::administrator(plaza).await;
    let owner = story::tenant(&admin, "acme").await.owner;
    let folder = folder();
    let file = folder.path().join("people.csv");
    let mut people = "id,name,phone,opted_in\n".to_owned();
    for number in 0..PEOPLE {
        writeln!(people, "{number},Ada,+49151{:08},yes", 17_400_000 + number).unwrap();
    }
    std::fs::write(&file, people).unwrap();
    assert_eq!(story::import(&owner, &file).await["counts"]["valid"], PEOPLE);
    let template = story::template(&owner).await;

    let paused = story::campaign(&owner, "Paused", &template).await;
    let left = stop(&owner, simulator, &paused, 0, ("pause", "paused")).await;
    assert!(left < PEOPLE, "all had left before the pause: {left}");
    ask(&owner, &paused, "resume").await;
    let counts = story::completed(&owner, &paused).await["counts"].take();
    assert_eq!(known(&counts), PEOPLE, "{counts}");
    let after = simulator.get("/_simulator/counts").await.ok();
    assert_eq!(
        (&after["accepted"], &after["duplicates"]),
        (&json!(PEOPLE), &json!(0)),
        "everybody got one: {after}"
    );

    let cancelled = story::campaign(&owner, "Cancelled", &template).await;
    let left = stop(&owner, simulator, &cancelled, PEOPLE, ("cancel", "cancelled")).await;
    let path = format!("/api/v1/broadcast/campaigns/{cancelled}");
    let open = |counts: &Value, state: &str| counts[state].as_u64().unwrap_or_default();
    // What was planned and on its way to notification when it was called off is called off as it comes.
    let all_know = |campaign: &Value| {
        let counts = &campaign["counts"];
        open(counts, "queued") + open(counts, "leased") == 0 && known(counts) == campaign["planned"]["send"]
    };
    let campaign = story::until(&owner, &path, all_know).await;
    let called_off = open(&campaign["counts"], "cancelled");
    assert_eq!(called_off + left, known(&campaign["counts"]), "{campaign}");
    assert!(
        called_off > 0,
        "all had left before it was called off: {campaign}"
    );
    assert_eq!(campaign["state"], "cancelled");
}

/// Sends a campaign, stops it when some have left, and says how many of its messages the provider got in the end.
async fn stop(
    owner: &Api,
    simulator: &Api,
    campaign: &str,
    before: u64,
    (verb, at_last): (&str, &str),
) -> u64 {
    story::send(owner, campaign).await;
    let accepted = async || {
        simulator.get("/_simulator/counts").await.ok()["accepted"]
            .as_u64()
            .unwrap()
    };
    let begun = Instant::now();
    while accepted().await < before + 100 {
        assert!(begun.elapsed() < 3 * SOON, "nothing leaves");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = Instant::now();
    ask(owner, campaign, verb).await;
    let path = format!("/api/v1/broadcast/campaigns/{campaign}");
    story::until(owner, &path, |campaign| campaign["state"] == at_last).await;
    let took = asked.elapsed();
    let then = accepted().await;
    println!(
        "{at_last} after {took:.2?}, with {} of {PEOPLE} at the provider",
        then - before
    );
    assert!(took < SOON, "{took:?}");
    // Long enough for hundreds, if they still left.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let at_rest = accepted().await;
    assert!(
        at_rest <= then + IN_FLIGHT,
        "{} left after it was {at_last}",
        at_rest - then
    );
    at_rest - before
}

async fn ask(owner: &Api, campaign: &str, verb: &str) {
    let path = format!("/api/v1/broadcast/campaigns/{campaign}/{verb}");
    let answer = owner.post_nothing(&path).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// How many messages notification knows.
fn known(counts: &Value) -> u64 {
    let counts = counts.as_object().unwrap();
    counts.values().map(|count| count.as_u64().unwrap()).sum()
}

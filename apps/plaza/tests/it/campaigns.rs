//! A small campaign of which every message has another story, through a simulator that is a process of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::Api;
use crate::fleet::Fleet;
use crate::front::Front;
use crate::plaza::{Plaza, folder, free_address};
use crate::simulator::SimulatorProcess;
use crate::story;

const SECRET: &str = "what both sides know";

/// Everybody who can be reached reads.
pub(crate) const READERS: [(&str, &str); 2] = [
    ("PLAZA_SIMULATOR__READ_RATE", "1.0"),
    ("PLAZA_SIMULATOR__FAILURE_RATE", "0.0"),
];

/// Numbers that are kept free for fiction; the simulator tells by the last two digits what happens.
const FILE: &str = "\
id,name,phone,country,opted_in
1,Ada,+12025550111,US,yes
2,Ben,+12025550129,US,yes
3,Cleo,+12025550126,US,yes
4,Dan,+12025550112,US,yes
5,Eve,+12025550113,US,no
6,Fay,+12025550114,US,yes
";

#[tokio::test]
async fn every_recipient_of_a_campaign_ends_as_it_has_to() {
    let listen = free_address();
    let callback = format!("http://{listen}/webhooks/meta");
    let simulator = SimulatorProcess::start(&callback, SECRET, 7, &READERS).await;
    let mut plaza = Plaza::builder()
        .env("PLAZA_LISTEN", &listen)
        .env("PLAZA_DEVELOPMENT__SIMULATOR_URL", simulator.url())
        .env("PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET", SECRET)
        .env("PLAZA_NOTIFICATION__RETRY_MILLISECONDS", 50)
        .start()
        .await;
    every_recipient_ends_as_it_has_to(&plaza, &simulator.api()).await;
    simulator.stop().await;
    plaza.stop().await;
}

#[tokio::test]
async fn every_recipient_of_a_campaign_ends_as_it_has_to_in_pieces() {
    let [(read, reads), (failure, fails)] = READERS;
    let mut fleet = Fleet::builder()
        .simulated(read, reads)
        .simulated(failure, fails)
        .env("PLAZA_NOTIFICATION__RETRY_MILLISECONDS", 50)
        .start()
        .await;
    every_recipient_ends_as_it_has_to(&fleet, &fleet.simulator_api()).await;
    fleet.stop().await;
}

pub(crate) async fn every_recipient_ends_as_it_has_to(plaza: &impl Front, simulator: &Api) {
    let admin = story::administrator(plaza).await;
    let owner = story::tenant(&admin, "acme").await.owner;

    let folder = folder();
    let file = folder.path().join("people.csv");
    std::fs::write(&file, FILE).unwrap();
    assert_eq!(story::import(&owner, &file).await["counts"]["valid"], 6);
    let suppressed = json!({"address": "+12025550112", "reason": "asked by telephone"});
    owner
        .post("/api/v1/notifications/suppressions", suppressed)
        .await
        .ok();
    let fay = owner
        .all("/api/v1/broadcast/recipients?phone=%2B12025550114")
        .await;
    let fay = format!("/api/v1/broadcast/recipients/{}", fay[0]["id"].as_str().unwrap());
    assert_eq!(owner.delete(&fay).await.status, 204);

    let template = story::template(&owner).await;
    let campaign = story::campaign(&owner, "Spring", &template).await;
    story::send(&owner, &campaign).await;
    let planned = story::completed(&owner, &campaign).await["planned"].take();
    assert_eq!(planned, json!({"send": 3, "no_consent": 1, "suppressed": 1}));

    let path = format!("/api/v1/broadcast/campaigns/{campaign}");
    let settled = |campaign: &Value| campaign["counts"] == json!({"read": 2, "failed": 1});
    story::until(&owner, &path, settled).await;
    let logs = owner
        .all(&format!("/api/v1/broadcast/logs?campaign_id={campaign}"))
        .await;
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let told = logs.iter().map(|entry| {
        let end = (
            text(entry, "state"),
            text(entry, "error_code"),
            entry["attempts"].as_u64().unwrap(),
        );
        (text(entry, "recipient_name"), end)
    });
    let expected = [
        ("Ada", ("read", "", 1)),
        // Refused twice for being too fast.
        ("Ben", ("read", "", 3)),
        ("Cleo", ("failed", "131026", 1)),
    ];
    let expected = expected.map(|(who, (state, code, attempts))| {
        (who.to_owned(), (state.to_owned(), code.to_owned(), attempts))
    });
    assert_eq!(told.collect::<BTreeMap<_, _>>(), BTreeMap::from(expected));

    let counts = simulator.get("/_simulator/counts").await.ok();
    assert_eq!(
        (&counts["accepted"], &counts["duplicates"]),
        (&json!(3), &json!(0)),
        "{counts}"
    );
}

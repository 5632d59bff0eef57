//! One campaign, told by broadcast, by notification and by the simulator: the same messages, to the same people, with
//! the same ends.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::truth::text;
use crate::client::Api;
use crate::story::testdata;

/// What a message can be when nothing more happens to it.
const TERMINAL: [&str; 7] = [
    "sent",
    "delivered",
    "read",
    "failed",
    "skipped",
    "expired",
    "cancelled",
];

type Counts = BTreeMap<String, u64>;

/// Message id → number and state.
type Messages = BTreeMap<String, (String, String)>;

pub(super) async fn assert_sums_are_equal(owner: &Api, simulator: &Api, campaign: &str) {
    let seen = owner
        .get(&format!("/api/v1/broadcast/campaigns/{campaign}"))
        .await
        .ok();
    let planned = plan(owner, campaign, &seen).await;

    let messages = owner
        .all(&format!(
            "/api/v1/notifications/messages?source=campaign:{campaign}"
        ))
        .await;
    let messages = by_id(&messages, "id");
    assert_eq!(
        messages.keys().collect::<BTreeSet<_>>(),
        planned.keys().collect::<BTreeSet<_>>()
    );
    for (id, (to, state)) in &messages {
        assert_eq!(&planned[id], to, "message {id} went to somebody else");
        assert!(
            TERMINAL.contains(&state.as_str()),
            "message {id} is still {state}"
        );
    }
    let logs = owner
        .all(&format!("/api/v1/broadcast/logs?campaign_id={campaign}"))
        .await;
    assert!(
        by_id(&logs, "message_id") == messages,
        "the log is not what notification says"
    );
    assert_eq!(
        counts(&seen["counts"]),
        tally(messages.values().map(|(_, state)| state))
    );

    let told = simulator.get("/_simulator/counts").await.ok();
    assert_eq!(
        (&told["accepted"], &told["duplicates"]),
        (&json!(messages.len()), &json!(0)),
        "{told}"
    );
    assert_eq!(told["unique_references"], json!(messages.len()), "{told}");
    assert_eq!(accepted(simulator).await, planned);
    let ends: Counts = counts(&told["messages"])
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(ends, counts(&seen["counts"]));
}

/// One row per recipient, and a message exactly for who said yes; message id → number.
async fn plan(owner: &Api, campaign: &str, seen: &Value) -> BTreeMap<String, String> {
    let rows = owner
        .all(&format!("/api/v1/broadcast/campaigns/{campaign}/plan"))
        .await;
    let recipients = owner.all("/api/v1/broadcast/recipients").await;
    let whose: BTreeMap<&str, &Value> = recipients.iter().map(|it| (text(it, "id"), it)).collect();
    let decided: BTreeSet<&str> = rows.iter().map(|row| text(row, "recipient_id")).collect();
    assert_eq!(
        (rows.len(), decided),
        (recipients.len(), whose.keys().copied().collect()),
        "not one row per recipient"
    );
    assert_eq!(
        counts(&seen["planned"]),
        tally(rows.iter().map(|row| row["reason"].as_str().unwrap()))
    );

    let willing = willing();
    let mut planned = BTreeMap::new();
    for row in &rows {
        let recipient = whose[text(row, "recipient_id")];
        let said_yes = recipient["external_id"]
            .as_str()
            .is_some_and(|id| willing.contains(id));
        assert_eq!(
            text(row, "reason"),
            if said_yes { "send" } else { "no_consent" },
            "{recipient}"
        );
        assert_eq!(row["message_id"].is_string(), said_yes, "{row}");
        if said_yes {
            planned.insert(
                text(row, "message_id").to_owned(),
                text(recipient, "phone").to_owned(),
            );
        }
    }
    assert_eq!(seen["planned"]["send"], planned.len(), "two rows share a message");
    planned
}

/// The customers of the file that said yes.
fn willing() -> BTreeSet<String> {
    let text = std::fs::read_to_string(testdata("recipients-10k.csv")).unwrap();
    let mut file = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let headers = file.headers().unwrap().clone();
    let column = |name| headers.iter().position(|header| header == name).unwrap();
    let (id, opted_in) = (column("customer_id"), column("opted_in"));
    let records = file.records().map(Result::unwrap);
    records
        .filter(|record| &record[opted_in] == "yes")
        .map(|record| record[id].to_owned())
        .collect()
}

/// Reference → number of what the simulator accepted.
async fn accepted(simulator: &Api) -> BTreeMap<String, String> {
    let items = simulator.all("/_simulator/messages").await;
    let messages = items.iter().map(|item| {
        let reference = text(item, "biz_opaque_callback_data").to_owned();
        (reference, format!("+{}", text(item, "to")))
    });
    let accepted: BTreeMap<_, _> = messages.collect();
    assert_eq!(accepted.len(), items.len(), "a reference was accepted twice");
    accepted
}

fn by_id(items: &[Value], id: &str) -> Messages {
    let told = items.iter().map(|item| {
        (
            text(item, id).to_owned(),
            (text(item, "to").to_owned(), text(item, "state").to_owned()),
        )
    });
    let messages: Messages = told.collect();
    assert_eq!(messages.len(), items.len(), "a message is told twice");
    messages
}

fn counts(object: &Value) -> Counts {
    let object = object
        .as_object()
        .unwrap_or_else(|| panic!("no counts: {object}"));
    object
        .iter()
        .map(|(name, count)| (name.clone(), count.as_u64().unwrap()))
        .collect()
}

fn tally(names: impl Iterator<Item = impl ToString>) -> Counts {
    names.fold(Counts::new(), |mut counts, name| {
        *counts.entry(name.to_string()).or_default() += 1;
        counts
    })
}

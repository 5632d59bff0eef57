//! The end of a campaign, as broadcast, notification and the provider each tell it: they have to agree to the last
//! message.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::{Value, json};

use super::bench::{Bench, PATIENCE, Receipts};
use super::truth::Truth;
use crate::client::Api;

/// What came of a campaign.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Messages that were to be sent, and were.
    pub(super) messages: usize,
    /// Accepted by the provider a second time.
    pub(super) duplicates: u64,
}

/// Nothing will change any more. `accepted` is none of them, but the last that is known where no receipt arrives.
const TERMINAL: [&str; 7] = [
    "sent",
    "delivered",
    "read",
    "failed",
    "skipped",
    "expired",
    "cancelled",
];

/// Waits for the last receipt.
pub(super) async fn at_rest(bench: &Bench, owner: &Api, campaign: &str) -> Value {
    let begun = Instant::now();
    loop {
        // In this order: the last receipt is in what is read after it.
        let counts = bench.counts().await;
        let found = owner.get(campaign).await.ok();
        let told = bench.receipts == Receipts::Never || counts["callbacks"]["pending"] == json!(0);
        if found["state"] == "completed" && told {
            return found;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "the campaign does not end: {found}\n{counts}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Holds all three against each other and against the truth.
pub(super) async fn of(bench: &Bench, owner: &Api, campaign: &str, truth: &Truth) -> Outcome {
    let end = at_rest(bench, owner, campaign).await;
    let numbers = numbers(owner).await;
    let planned = plan(owner, campaign, &numbers, truth).await;
    let messages = messages(owner, campaign, &planned).await;
    let (accepted, duplicates) = accepted(bench).await;

    assert_eq!(
        messages.keys().collect::<Vec<_>>(),
        accepted.keys().collect::<Vec<_>>(),
        "lost, or from nowhere"
    );
    for (id, (to, state)) in &messages {
        let terminal = TERMINAL.contains(&state.as_str());
        assert!(
            terminal || (bench.receipts == Receipts::Never && state == "accepted"),
            "message {id} is {state}"
        );
        let (at, rung) = &accepted[id];
        assert_eq!(
            (at, rung.as_str()),
            (&to.replace('+', ""), state.as_str()),
            "message {id} as the provider has it"
        );
    }
    // The sums: of broadcast's plan, of broadcast's counts, of notification, of the provider.
    let by_state = tally(messages.values().map(|(_, state)| state));
    assert_eq!(end["planned"]["send"], json!(messages.len()), "{end}");
    assert_eq!(nonzero(&end["counts"]), by_state, "{end}");
    assert_eq!(tally(accepted.values().map(|(_, rung)| rung)), by_state);
    let most = bench.in_doubt() as u64;
    assert!(
        duplicates <= most,
        "{duplicates} duplicates, {most} may be after {:?}",
        bench.killed
    );
    Outcome {
        messages: messages.len(),
        duplicates,
    }
}

/// Numbers by recipient.
async fn numbers(owner: &Api) -> BTreeMap<String, String> {
    let recipients = owner.all("/api/v1/broadcast/recipients").await;
    recipients
        .iter()
        .map(|recipient| (text(recipient, "id"), text(recipient, "phone")))
        .collect()
}

/// The recipient of each message, as it was planned. Everybody who said yes is in it once.
async fn plan(
    owner: &Api,
    campaign: &str,
    numbers: &BTreeMap<String, String>,
    truth: &Truth,
) -> BTreeMap<String, String> {
    let rows = owner.all(&format!("{campaign}/plan")).await;
    let people: BTreeSet<String> = rows.iter().map(|row| text(row, "recipient_id")).collect();
    assert_eq!(people.len(), rows.len(), "somebody is planned twice");
    assert_eq!(
        people,
        numbers.keys().cloned().collect(),
        "every recipient has a row with a reason"
    );
    let excluded = rows.iter().filter(|row| row["reason"] == "no_consent").count();
    assert_eq!(
        excluded,
        truth.valid.len() - truth.opted_in.len(),
        "who did not say yes is left out for that"
    );
    let to_send: Vec<&Value> = rows.iter().filter(|row| row["reason"] == "send").collect();
    let phones: BTreeSet<String> = to_send
        .iter()
        .map(|row| numbers[&text(row, "recipient_id")].clone())
        .collect();
    assert_eq!(phones, truth.opted_in, "planned, against who said yes");
    assert_eq!(to_send.len(), truth.opted_in.len(), "a number is planned twice");
    to_send
        .iter()
        .map(|row| {
            (
                text(row, "message_id"),
                numbers[&text(row, "recipient_id")].clone(),
            )
        })
        .collect()
}

/// Number and state of each message, as notification knows it.
async fn messages(
    owner: &Api,
    campaign: &str,
    planned: &BTreeMap<String, String>,
) -> BTreeMap<String, (String, String)> {
    let id = campaign.rsplit('/').next().unwrap();
    let logs = owner
        .all(&format!("/api/v1/broadcast/logs?campaign_id={id}"))
        .await;
    let direct = owner
        .all(&format!("/api/v1/notifications/messages?source=campaign:{id}"))
        .await;
    let listed: BTreeMap<String, String> = direct
        .iter()
        .map(|message| (text(message, "id"), text(message, "state")))
        .collect();
    let messages: BTreeMap<String, (String, String)> = logs
        .iter()
        .map(|entry| {
            (
                text(entry, "message_id"),
                (text(entry, "to"), text(entry, "state")),
            )
        })
        .collect();
    assert_eq!(
        (messages.len(), listed.len()),
        (logs.len(), direct.len()),
        "a message is listed twice"
    );
    let states = messages
        .iter()
        .map(|(id, (_, state))| (id.clone(), state.clone()));
    assert_eq!(
        states.collect::<BTreeMap<_, _>>(),
        listed,
        "broadcast's log, against notification's list"
    );
    let numbers = messages.iter().map(|(id, (to, _))| (id.clone(), to.clone()));
    assert_eq!(
        numbers.collect::<BTreeMap<_, _>>(),
        *planned,
        "messages, against the plan"
    );
    messages
}

/// Number and highest rung of each message, as the provider has it; and how many it has more than once.
async fn accepted(bench: &Bench) -> (BTreeMap<String, (String, String)>, u64) {
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut copies = 0;
    let mut next = Some("0".to_owned());
    while let Some(cursor) = next {
        let path = format!("/_simulator/messages?limit=1000&cursor={cursor}");
        let page = bench.simulator().get(&path).await.ok();
        for message in page["items"].as_array().unwrap() {
            copies += 1;
            let rung = highest(message);
            let entry = found.entry(text(message, "biz_opaque_callback_data"));
            let (to, best) = entry.or_insert_with(|| (text(message, "to"), rung.clone()));
            assert_eq!(*to, text(message, "to"), "one reference for two people");
            if rank(&rung) > rank(best) {
                *best = rung;
            }
        }
        next = page["next_cursor"].as_str().map(str::to_owned);
    }
    let counts = bench.counts().await;
    assert_eq!(counts["accepted"], json!(copies), "{counts}");
    let duplicates = copies - found.len() as u64;
    assert_eq!(counts["duplicates"], json!(duplicates), "{counts}");
    (found, duplicates)
}

/// The ladder: a later rung wins, and who has read it has it, whatever was said before.
fn rank(state: &str) -> usize {
    ["accepted", "sent", "failed", "delivered", "read"]
        .iter()
        .position(|rung| *rung == state)
        .unwrap()
}

fn highest(message: &Value) -> String {
    let statuses = message["statuses"].as_array().unwrap().iter();
    let told = statuses
        .filter(|status| status["acknowledged"] == true)
        .map(|status| text(status, "status"));
    told.max_by_key(|status| rank(status))
        .unwrap_or_else(|| "accepted".to_owned())
}

fn tally<'a>(states: impl Iterator<Item = &'a String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    states.for_each(|state| *counts.entry(state.clone()).or_default() += 1);
    counts
}

fn nonzero(counts: &Value) -> BTreeMap<String, u64> {
    let counts = counts
        .as_object()
        .unwrap_or_else(|| panic!("no counts: {counts}"));
    let counts = counts
        .iter()
        .map(|(state, count)| (state.clone(), count.as_u64().unwrap()));
    counts.filter(|(_, count)| *count > 0).collect()
}

fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {value}"))
        .to_owned()
}

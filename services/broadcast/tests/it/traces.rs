//! What is done for somebody later is done in the trace that it was asked for in.

use std::collections::HashSet;

use plaza_broadcast::Repeatable;
use plaza_telemetry::trace::{self, TraceContext};
use tracing::Instrument;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use crate::town::{Owner, Town, testdata};

/// This thread keeps traces: a test and all that it starts run on it alone.
fn keep_traces() -> DefaultGuard {
    tracing::subscriber::set_default(Registry::default().with(trace::layer()))
}

/// Runs a piece of work in a trace of its own; that trace's id.
async fn in_a_trace(work: impl Future<Output = ()>) -> String {
    let traced = async {
        work.await;
        trace::current().unwrap().trace_id()
    };
    traced
        .instrument(tracing::info_span!(target: "plaza_test", parent: None, "request"))
        .await
}

/// The traces of the events of this name, and the spans in them.
async fn written(town: &Town, name: &str) -> (HashSet<String>, HashSet<String>) {
    let sql = "SELECT traceparent FROM broadcast.outbox WHERE name = $1";
    let rows = town.database.admin().await.query(sql, &[&name]).await.unwrap();
    let contexts: HashSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let trace = |context: &String| TraceContext::parse(context).unwrap().trace_id();
    (contexts.iter().map(trace).collect(), contexts)
}

async fn import(town: &Town, owner: &Owner) {
    let path = testdata("recipients-semicolon-latin1.csv");
    let import = town
        .broadcast
        .import_file(owner.tenant, &path, Default::default());
    import.await.unwrap();
}

#[tokio::test]
async fn a_campaign_is_planned_in_the_trace_of_its_sending() {
    let _traces = keep_traces();
    let town = Town::asleep(|config| config.planner_batch = 50).await;
    let owner = town.owner();
    import(&town, &owner).await;
    let mut town = town.wake();
    owner
        .end_of_import(owner.all("/imports").await[0]["id"].as_str().unwrap())
        .await;
    town.stop().await;
    let granted = "UPDATE broadcast.recipients SET consent = 'granted'";
    town.database.admin().await.batch_execute(granted).await.unwrap();

    let id = owner.campaign().await;
    let send = async {
        drop(
            town.broadcast
                .send_campaign(owner.tenant, id.parse().unwrap(), &Repeatable::never())
                .await
                .unwrap(),
        )
    };
    let asked_in = in_a_trace(send).await;
    let mut town = town.wake();
    owner
        .waited(&format!("/campaigns/{id}"), |state| state == "running")
        .await;
    town.stop().await;
    let (traces, spans) = written(&town, "broadcast.send").await;
    assert_eq!(traces, HashSet::from([asked_in]));
    assert_eq!(spans.len(), 4, "one for each batch");
}

#[tokio::test]
async fn an_import_is_read_in_the_trace_of_its_upload() {
    let _traces = keep_traces();
    let town = Town::asleep(|_| {}).await;
    let owner = town.owner();
    let asked_in = in_a_trace(import(&town, &owner)).await;
    let mut town = town.wake();
    owner
        .end_of_import(owner.all("/imports").await[0]["id"].as_str().unwrap())
        .await;
    town.stop().await;
    let (traces, _) = written(&town, "broadcast.import.completed").await;
    assert_eq!(traces, HashSet::from([asked_in]));
}

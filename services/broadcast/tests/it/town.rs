//! What the tests of this service start from: a database, a stub of notification, and the service mounted on both.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plaza_broadcast::{Broadcast, BroadcastConfig};
use plaza_contracts::events::{BroadcastSend, OutgoingMessage};
use plaza_contracts::proto::notification::notification_server::{Notification, NotificationServer};
use plaza_contracts::proto::notification::{
    CancelReply, CancelRequest, CountsReply, CountsRequest, GetMessageRequest, HoldReply, HoldRequest,
    Message, MessagesReply, MessagesRequest, OpenReply, OpenRequest, ReceiptsReply, ReceiptsRequest,
    ReleaseReply, ReleaseRequest, ReportReply, ReportRequest, RetryFailedReply, RetryFailedRequest,
    SendReply, SendRequest, SenderReply, SenderRequest, SuppressedReply, SuppressedRequest,
};
use plaza_contracts::services::{BROADCAST, IDENTITY, NOTIFICATION};
use plaza_kernel::{Clock, Failure, Kind, TenantId};
use plaza_rpc::{Directory, RpcSettings, Transport};
use plaza_schedule::{ScheduleSettings, Scheduler};
use plaza_testkit::{Client, Mounted, Permit, Reply, TestDatabase, callers, eventually};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};

pub(crate) const API: &str = "/api/v1/broadcast";
const PATIENCE: Duration = Duration::from_secs(60);

/// Whatever a test wants notification to say.
#[derive(Default)]
pub(crate) struct Says {
    pub(crate) away: bool,
    pub(crate) no_sender: bool,
    pub(crate) suppressed: HashSet<String>,
    /// Why, where it is not because of a suppression.
    pub(crate) reasons: BTreeMap<String, String>,
    pub(crate) counts: BTreeMap<String, u64>,
    /// How long looking up addresses takes it, finding a sender, and reporting.
    pub(crate) looking_up: Duration,
    pub(crate) finding: Duration,
    /// How often it was asked for a sender.
    pub(crate) found: usize,
    pub(crate) reporting: Duration,
    /// How long counting takes it, and how often it was asked to.
    pub(crate) counting: Duration,
    pub(crate) counted: usize,
    /// Whether it has something left to send, whatever the counts say.
    pub(crate) open: bool,
    pub(crate) messages: Vec<Message>,
    pub(crate) next_cursor: String,
    /// What it was asked for by `Messages`.
    pub(crate) asked: Vec<MessagesRequest>,
    /// What it was told about campaigns, in order: `hold PAUSED`, `release`, `cancel`, `retry 131049`.
    pub(crate) told: Vec<String>,
    /// Whether it hears none of that, and how long it takes to answer.
    pub(crate) deaf: bool,
    pub(crate) telling: Duration,
    /// How often it began to hear something of that.
    pub(crate) heard: usize,
    /// How often calling off is not done yet.
    pub(crate) cancels_left: usize,
    /// What it answers to retries, in order; after that nothing is left.
    pub(crate) retries: VecDeque<(u64, bool)>,
    /// After which message it was asked to go on each time, and whether it says where it ended, as it did not always.
    pub(crate) retried_after: Vec<String>,
    pub(crate) forgetful: bool,
    pub(crate) report: ReportReply,
}

#[derive(Clone, Default)]
pub(crate) struct Stub(Arc<Mutex<Says>>);

impl Stub {
    pub(crate) fn says(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.0.lock().unwrap());
    }

    fn ask<T>(&self, answer: impl FnOnce(&mut Says) -> T) -> Result<Response<T>, Status> {
        let mut says = self.0.lock().unwrap();
        if says.away {
            Err(Status::unavailable("away"))
        } else {
            Ok(Response::new(answer(&mut says)))
        }
    }

    /// Hears what was decided about a campaign.
    async fn hear<T>(
        &self,
        what: String,
        answer: impl FnOnce(&mut Says) -> T,
    ) -> Result<Response<T>, Status> {
        let telling = {
            let mut says = self.0.lock().unwrap();
            if says.deaf {
                return Err(Status::unavailable("deaf"));
            }
            says.heard += 1;
            says.telling
        };
        tokio::time::sleep(telling).await;
        self.ask(|says| {
            says.told.push(what);
            answer(says)
        })
    }

    /// Waits until it has begun to hear something so often.
    pub(crate) async fn hears(&self, times: usize) {
        eventually(PATIENCE, || async { self.0.lock().unwrap().heard == times }).await;
    }

    /// What it was told so far.
    pub(crate) fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().told.clone()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no such sender")]
struct NoSender;

impl Failure for NoSender {
    fn kind(&self) -> Kind {
        Kind::NotFound
    }
    fn code(&self) -> &'static str {
        "SENDER_NOT_FOUND"
    }
}

#[tonic::async_trait]
impl Notification for Stub {
    async fn counts(&self, _: Request<CountsRequest>) -> Result<Response<CountsReply>, Status> {
        let counting = self.0.lock().unwrap().counting;
        tokio::time::sleep(counting).await;
        self.ask(|says| {
            says.counted += 1;
            CountsReply {
                by_state: says.counts.clone().into_iter().collect(),
            }
        })
    }

    async fn open(&self, _: Request<OpenRequest>) -> Result<Response<OpenReply>, Status> {
        self.ask(|says| OpenReply { open: says.open })
    }

    async fn messages(&self, request: Request<MessagesRequest>) -> Result<Response<MessagesReply>, Status> {
        self.ask(|says| {
            says.asked.push(request.into_inner());
            MessagesReply {
                messages: says.messages.clone(),
                next_cursor: says.next_cursor.clone(),
            }
        })
    }

    async fn suppressed(
        &self,
        request: Request<SuppressedRequest>,
    ) -> Result<Response<SuppressedReply>, Status> {
        let looking_up = self.0.lock().unwrap().looking_up;
        tokio::time::sleep(looking_up).await;
        let asked = request.into_inner().addresses;
        assert!(asked.len() <= 1_000, "notification takes at most 1,000 at once");
        // As notification does: the suppressed ones are listed, and why is told of all that are not to be written to.
        self.ask(|says| {
            let mut reasons = says.reasons.clone();
            let suppressed = says.suppressed.iter().cloned();
            reasons.extend(suppressed.map(|address| (address, "suppressed".to_owned())));
            reasons.retain(|address, _| asked.contains(address));
            let is_suppressed =
                |address: &String| reasons.get(address).is_some_and(|why| why == "suppressed");
            SuppressedReply {
                addresses: asked
                    .iter()
                    .filter(|address| is_suppressed(address))
                    .cloned()
                    .collect(),
                reasons,
            }
        })
    }

    async fn hold(&self, request: Request<HoldRequest>) -> Result<Response<HoldReply>, Status> {
        let reason = request.into_inner().reason;
        self.hear(format!("hold {reason}"), |_| HoldReply {}).await
    }

    async fn release(&self, _: Request<ReleaseRequest>) -> Result<Response<ReleaseReply>, Status> {
        self.hear("release".to_owned(), |_| ReleaseReply {}).await
    }

    async fn cancel(&self, _: Request<CancelRequest>) -> Result<Response<CancelReply>, Status> {
        let left = |says: &mut Says| {
            let more = says.cancels_left > 0;
            says.cancels_left = says.cancels_left.saturating_sub(1);
            CancelReply { cancelled: 1, more }
        };
        self.hear("cancel".to_owned(), left).await
    }

    async fn retry_failed(
        &self,
        request: Request<RetryFailedRequest>,
    ) -> Result<Response<RetryFailedReply>, Status> {
        let RetryFailedRequest { codes, after, .. } = request.into_inner();
        let codes = codes.join(",");
        let next = |says: &mut Says| {
            says.retried_after.push(after);
            let (requeued, more) = says.retries.pop_front().unwrap_or_default();
            let at = says.retried_after.len();
            let last = (requeued > 0 && !says.forgetful).then(|| format!("message {at}"));
            let last = last.unwrap_or_default();
            RetryFailedReply { requeued, more, last }
        };
        self.hear(format!("retry {codes}"), next).await
    }

    async fn report(&self, _: Request<ReportRequest>) -> Result<Response<ReportReply>, Status> {
        let reporting = self.0.lock().unwrap().reporting;
        tokio::time::sleep(reporting).await;
        self.ask(|says| says.report.clone())
    }

    async fn send(&self, _: Request<SendRequest>) -> Result<Response<SendReply>, Status> {
        Err(Status::unimplemented("broadcast sends by events"))
    }

    async fn get_message(&self, _: Request<GetMessageRequest>) -> Result<Response<Message>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn receipts(&self, _: Request<ReceiptsRequest>) -> Result<Response<ReceiptsReply>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn sender(&self, request: Request<SenderRequest>) -> Result<Response<SenderReply>, Status> {
        let named = request.into_inner().sender_id;
        let finding = {
            let mut says = self.0.lock().unwrap();
            says.found += 1;
            says.finding
        };
        tokio::time::sleep(finding).await;
        if self.0.lock().unwrap().no_sender {
            return plaza_rpc::answer(Err::<SenderReply, _>(NoSender));
        }
        let sender_id = if named.is_empty() {
            Clock::system().uuid().to_string()
        } else {
            named
        };
        self.ask(|_| SenderReply {
            sender_id,
            name: "main".to_owned(),
        })
    }
}

/// A platform of its own for one test.
pub(crate) struct Town {
    pub(crate) database: TestDatabase,
    pub(crate) objects: tempfile::TempDir,
    pub(crate) notification: Stub,
    pub(crate) broadcast: Broadcast,
    pub(crate) config: BroadcastConfig,
    mounted: Mounted,
    running: Option<(TaskTracker, CancellationToken)>,
}

impl Town {
    /// With nobody at work in the background.
    pub(crate) async fn asleep(change: impl FnOnce(&mut BroadcastConfig)) -> Self {
        plaza_testkit::show_logs();
        let database = TestDatabase::fresh(&[plaza_broadcast::schema()]).await;
        let objects = tempfile::tempdir().unwrap();
        let mut config = BroadcastConfig {
            objects: objects.path().to_owned(),
            lease_seconds: 1,
            poll_milliseconds: 20,
            reconcile_milliseconds: 50,
            ..BroadcastConfig::default()
        };
        change(&mut config);
        let notification = Stub::default();
        let broadcast = serve(&database, &config, &notification);
        let mounted = Mounted::new(broadcast.http(Permit::all()));
        Self {
            database,
            objects,
            notification,
            broadcast,
            config,
            mounted,
            running: None,
        }
    }

    /// With its background work running.
    pub(crate) async fn awake() -> Self {
        Self::asleep(|_| {}).await.wake()
    }

    /// Starts the background work.
    pub(crate) fn wake(mut self) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        self.broadcast.start(&tasks, stop.clone());
        self.running = Some((tasks, stop));
        self
    }

    /// Stops the background work the way a process that ends in order does.
    pub(crate) async fn stop(&mut self) {
        if let Some((tasks, stop)) = self.running.take() {
            stop.cancel();
            tasks.close();
            tokio::time::timeout(Duration::from_secs(10), tasks.wait())
                .await
                .unwrap();
        }
    }

    /// A process of its own that does the background work, to be killed.
    pub(crate) fn victim(&self) -> Victim {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        // Its own connections: they end with it, in whatever transaction they are.
        let broadcast = serve(&self.database, &self.config, &self.notification);
        broadcast.start(&TaskTracker::new(), CancellationToken::new());
        drop(entered);
        Victim(Some(runtime))
    }

    /// The way that another service would call it.
    pub(crate) fn transport(&self) -> Transport {
        let directory = Directory::new(RpcSettings::default());
        directory.host(BROADCAST, self.broadcast.grpc());
        directory.acting_as(IDENTITY).transport(BROADCAST)
    }

    /// An owner of a tenant that nobody else has.
    pub(crate) fn owner(&self) -> Owner {
        let tenant = callers::tenant();
        Owner {
            client: self.mounted.as_caller(&callers::owner(tenant)),
            tenant,
        }
    }

    /// Until what is due every hour was done.
    pub(crate) async fn an_hour_passes(&self) {
        let scheduler = Scheduler::new(
            self.database.of(BROADCAST),
            self.broadcast.schedules(),
            Clock::system(),
            ScheduleSettings::default(),
        );
        scheduler.declare().await.unwrap();
        let due = "UPDATE broadcast.schedules SET next_at = now()";
        self.database.admin().await.batch_execute(due).await.unwrap();
        let declared = scheduler.state().await.unwrap();
        assert_eq!(scheduler.run_due().await.unwrap(), declared.len());
        let state = scheduler.state().await.unwrap();
        assert!(state.iter().all(|schedule| schedule.last_error.is_none()));
    }

    /// One number out of the database, as a superuser sees it.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.database
            .admin()
            .await
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }

    /// Everything that was asked of notification, in order.
    pub(crate) async fn sent(&self) -> Vec<BroadcastSend> {
        let sql = "SELECT payload FROM broadcast.outbox WHERE name = 'broadcast.send' ORDER BY id";
        let rows = self.database.admin().await.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| serde_json::from_str(row.get(0)).unwrap())
            .collect()
    }

    /// Every message that notification was asked to send.
    pub(crate) async fn messages(&self) -> Vec<OutgoingMessage> {
        self.sent()
            .await
            .into_iter()
            .flat_map(|event| event.messages)
            .collect()
    }
}

fn serve(database: &TestDatabase, config: &BroadcastConfig, notification: &Stub) -> Broadcast {
    let directory = Directory::new(RpcSettings::default());
    directory.host(
        NOTIFICATION,
        tonic::service::Routes::new(NotificationServer::new(notification.clone())),
    );
    Broadcast::new(
        config.clone(),
        database.of(BROADCAST),
        &directory.acting_as(BROADCAST),
        Clock::system(),
    )
}

/// Background work in a runtime of its own.
pub(crate) struct Victim(Option<tokio::runtime::Runtime>);

impl Victim {
    /// Ends it at whatever it is doing.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.end();
    }
}

/// Somebody who may do everything in a tenant.
pub(crate) struct Owner {
    pub(crate) client: Client,
    pub(crate) tenant: TenantId,
}

impl Owner {
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.client.get(&format!("{API}{path}")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.client.post(&format!("{API}{path}"), body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.client.delete(&format!("{API}{path}")).await
    }

    /// `PUT`, if it is in this version.
    pub(crate) async fn put(&self, path: &str, version: &str, body: &Value) -> Reply {
        self.with_header("PUT", path, ("if-match", version), Some(body))
            .await
    }

    /// `POST`, which may be repeated under a key.
    pub(crate) async fn post_once(&self, path: &str, key: &str, body: Option<&Value>) -> Reply {
        self.with_header("POST", path, ("idempotency-key", key), body)
            .await
    }

    async fn with_header(
        &self,
        method: &str,
        path: &str,
        (name, value): (&str, &str),
        body: Option<&Value>,
    ) -> Reply {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{API}{path}"))
            .header(name, value);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        self.client.send(request.body(body.into()).unwrap()).await
    }

    /// Asks a campaign for something that has no body.
    pub(crate) async fn ask(&self, campaign: &str, verb: &str) -> Reply {
        self.post(&format!("/campaigns/{campaign}/{verb}"), &json!({}))
            .await
    }

    /// A campaign to one person that is being sent.
    pub(crate) async fn running(&self) -> String {
        let ada = json!({"phone": "+4915117404120", "name": "Ada", "opted_in": true});
        self.post("/recipients", &ada).await.assert_ok();
        let id = self.campaign().await;
        self.send(&id).await.assert_ok();
        self.until(&id, "running").await;
        id
    }

    /// A campaign that is running by what its row says, though nobody works on it.
    pub(crate) async fn running_asleep(&self, town: &Town) -> String {
        let id = self.campaign().await;
        let sql = format!("UPDATE broadcast.campaigns SET state = 'running' WHERE id = '{id}'");
        town.database.admin().await.batch_execute(&sql).await.unwrap();
        id
    }

    /// Waits until a campaign is in this state.
    pub(crate) async fn until(&self, campaign: &str, state: &str) -> Value {
        self.waited(&format!("/campaigns/{campaign}"), |now| now == state)
            .await
    }

    pub(crate) async fn upload(&self, content: &[u8], mapping: Option<Value>) -> Reply {
        let mapping = mapping.map(|mapping| mapping.to_string());
        let texts: Vec<(&str, &str)> = mapping
            .iter()
            .map(|mapping| ("mapping", mapping.as_str()))
            .collect();
        self.client
            .post_file(&format!("{API}/recipients/import"), "people.csv", content, &texts)
            .await
    }

    /// Uploads a file and waits for the end of its import.
    pub(crate) async fn import(&self, content: &[u8]) -> Value {
        let id = id_of(
            &self
                .upload(content, None)
                .await
                .assert_status(http::StatusCode::ACCEPTED),
        );
        self.end_of_import(&id).await
    }

    pub(crate) async fn end_of_import(&self, id: &str) -> Value {
        let path = format!("/imports/{id}");
        self.waited(&path, |state| state.starts_with("done") || state == "failed")
            .await
    }

    pub(crate) async fn waited(&self, path: &str, reached: impl Fn(&str) -> bool) -> Value {
        let found = Mutex::new(Value::Null);
        eventually(PATIENCE, || async {
            let value = self.get(path).await.assert_ok().value();
            let done = reached(value["state"].as_str().unwrap());
            *found.lock().unwrap() = value;
            done
        })
        .await;
        found.into_inner().unwrap()
    }

    /// All items of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        let joint = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self
                .get(&format!("{path}{joint}limit=200{cursor}"))
                .await
                .assert_ok()
                .value();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    pub(crate) async fn template(&self) -> String {
        let body = json!({
            "name": "hello", "language": "en", "category": "MARKETING", "body": "Hello {{1}}!", "variables": ["name"],
        });
        id_of(&self.post("/templates", &body).await.assert_ok())
    }

    /// A draft to everybody who said yes.
    pub(crate) async fn campaign(&self) -> String {
        let body = json!({"name": "Spring", "template_id": self.template().await});
        id_of(&self.post("/campaigns", &body).await.assert_ok())
    }

    pub(crate) async fn send(&self, campaign: &str) -> Reply {
        self.post(&format!("/campaigns/{campaign}/send"), &json!({}))
            .await
    }
}

pub(crate) fn id_of(reply: &Reply) -> String {
    reply.value()["id"].as_str().unwrap().to_owned()
}

pub(crate) fn testdata(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(name)
}

/// A row of `recipients-10k.truth.csv`.
pub(crate) struct Truth {
    pub(crate) row: i64,
    pub(crate) class: String,
    pub(crate) e164: String,
}

pub(crate) fn truth() -> Vec<Truth> {
    let text = std::fs::read_to_string(testdata("recipients-10k.truth.csv")).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        Truth {
            row: cells[0].parse().unwrap(),
            class: cells[2].to_owned(),
            e164: cells[3].to_owned(),
        }
    });
    rows.collect()
}

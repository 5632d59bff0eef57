//! One notification service, its tenant with a sender, and what a test asks of them.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use plaza_contracts::events::{BroadcastSend, ConfigChanged, MessageContent, OutgoingMessage};
use plaza_contracts::ids::{CampaignId, MessageId, SenderId};
use plaza_contracts::services::{BROADCAST, NOTIFICATION};
use plaza_crypto::KeyRing;
use plaza_database::{Databases, Login};
use plaza_kernel::{Clock, TenantId};
use plaza_messaging::outbox;
use plaza_notification::{Notification, NotificationConfig};
use plaza_rpc::{Directory, RpcSettings, Transport};
use plaza_simulator::{Simulator, SimulatorSettings};
use plaza_testkit::{Client, Mounted, Permit, TestDatabase, callers, eventually, settle};
use plaza_web::server::{self, ServerSettings};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub(crate) const APP_SECRET: &str = "app-secret";
pub(crate) const ACCOUNT: &str = "106540352242922";
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Settings under which nothing takes long.
pub(crate) fn quick() -> NotificationConfig {
    let mut config = NotificationConfig {
        lease_milliseconds: 2_000,
        unknown_wait_milliseconds: 400,
        retry_milliseconds: 40,
        poll_milliseconds: 50,
        default_rate: 0,
        ..NotificationConfig::default()
    };
    config.whatsapp.app_secret = Some(APP_SECRET.into());
    config.whatsapp.verify_token = Some("verify-me".into());
    config.whatsapp.timeout_milliseconds = 1_000;
    config.whatsapp.pair_seconds = 0;
    config
}

/// The same for answers that a test holds back: nobody gives them up.
pub(crate) fn patient() -> NotificationConfig {
    let mut config = quick();
    config.lease_milliseconds = 120_000;
    config.whatsapp.timeout_milliseconds = 60_000;
    config
}

pub(crate) struct Stage {
    pub(crate) database: TestDatabase,
    pub(crate) config: NotificationConfig,
    pub(crate) keys: KeyRing,
    pub(crate) notification: Notification,
    pub(crate) mounted: Mounted,
    pub(crate) tenant: TenantId,
    pub(crate) sender: SenderId,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    _end: DropGuard,
}

impl Stage {
    /// A service whose provider is at `base_url`; it does not send before [`Stage::start`].
    pub(crate) async fn open(base_url: &str, mut config: NotificationConfig) -> Self {
        install_tls();
        let database = TestDatabase::fresh(&[plaza_notification::schema()]).await;
        keep_what_is_told(&database).await;
        config.whatsapp.base_url = base_url.to_owned();
        let keys = KeyRing::parse(&KeyRing::generate()).unwrap();
        let notification = compose(&config, database.databases(), &keys, Clock::system());
        let mounted = Mounted::new(notification.http(Permit::all()));
        let stop = CancellationToken::new();
        let tenant = callers::tenant();
        let sender = create_sender(&owner(&mounted, tenant), "Shop", ACCOUNT).await;
        let (tasks, end) = (TaskTracker::new(), stop.clone().drop_guard());
        Self {
            database,
            config,
            keys,
            notification,
            mounted,
            tenant,
            sender,
            tasks,
            stop,
            _end: end,
        }
    }

    /// The same with the simulator as its provider, whose callbacks come over HTTP.
    pub(crate) async fn with_simulator(
        config: NotificationConfig,
        settings: SimulatorSettings,
    ) -> (Self, Simulator) {
        let simulated = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", simulated.local_addr().unwrap());
        let stage = Self::open(&base_url, config).await;
        let settings = SimulatorSettings {
            callback_url: Some(stage.serve_webhooks().await),
            app_secret: APP_SECRET.into(),
            ..settings
        };
        let simulator = Simulator::new(settings, Clock::system()).unwrap();
        simulator.start(&stage.tasks, stage.stop.clone());
        let (serving, stop) = (simulator.clone(), stage.stop.clone());
        stage
            .tasks
            .spawn(async move { serving.serve(simulated, stop).await });
        (stage, simulator)
    }

    /// Serves the routes on a socket; gives the address for callbacks.
    pub(crate) async fn serve_webhooks(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/meta", listener.local_addr().unwrap());
        let router = self.notification.http(Permit::none()).router;
        let (stop, tasks) = (self.stop.clone(), self.tasks.clone());
        let settings = ServerSettings::default();
        self.tasks.spawn(async move {
            server::serve(listener, router, settings, Clock::system(), stop, &tasks).await
        });
        url
    }

    /// The way that broadcast calls it.
    pub(crate) fn transport(&self) -> Transport {
        let directory = Directory::new(RpcSettings::default());
        directory.host(NOTIFICATION, self.notification.grpc());
        directory.acting_as(BROADCAST).transport(NOTIFICATION)
    }

    /// Lets it send.
    pub(crate) fn start(&self) {
        self.notification.start(&self.tasks, self.stop.clone());
    }

    /// Ends everything, and waits for it.
    pub(crate) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The tenant's owner.
    pub(crate) fn owner(&self) -> Client {
        owner(&self.mounted, self.tenant)
    }

    /// Another process with the same database: connections, clients and memory of its own.
    pub(crate) fn another_process(&self) -> Notification {
        self.another_process_with(Clock::system())
    }

    /// The same on a machine whose clock is another.
    pub(crate) fn another_process_with(&self, clock: Clock) -> Notification {
        let databases = Databases::new(self.database.settings()).unwrap();
        compose(&self.config, &databases, &self.keys, clock)
    }

    /// Queues a message to each of these, by the event that a campaign makes.
    pub(crate) async fn queue(&self, campaign: CampaignId, to: &[String]) -> Vec<MessageId> {
        let mut ids = Vec::with_capacity(to.len());
        for (shard, to) in (0..).zip(to.chunks(500)) {
            let batch = batch(campaign, self.sender, shard, to);
            ids.extend(batch.messages.iter().map(|message| message.message_id));
            self.publish(&batch).await;
        }
        self.settle().await;
        ids
    }

    /// One message to somebody.
    pub(crate) async fn queue_one(&self, to: &str) -> MessageId {
        self.queue(campaign(), &[to.to_owned()]).await[0]
    }

    pub(crate) async fn publish(&self, event: &BroadcastSend) {
        let database = self.database.of(NOTIFICATION);
        let tx = database.begin(self.tenant);
        outbox::append(&tx, &Clock::system(), event).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Until all events have arrived.
    pub(crate) async fn settle(&self) {
        settle([(self.database.of(NOTIFICATION), self.notification.subscriptions())]).await;
    }

    /// How many messages are in each state, whoever asks.
    pub(crate) async fn states(&self) -> BTreeMap<String, i64> {
        let sql = "SELECT state, count(*) FROM notification.messages GROUP BY state";
        let rows = self.database.admin().await.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// A message as its owner sees it.
    pub(crate) async fn message(&self, id: MessageId) -> Value {
        let reply = self
            .owner()
            .get(&format!("/api/v1/notifications/messages/{id}"))
            .await;
        reply.assert_status(StatusCode::OK).value()
    }

    pub(crate) async fn state(&self, id: MessageId) -> String {
        self.message(id).await["state"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn until_state(&self, id: MessageId, state: &str) {
        eventually(PATIENCE, || async { self.state(id).await == state }).await;
    }

    /// Until no message is in a state from which more is sent or told.
    pub(crate) async fn until_all_told(&self) {
        eventually(PATIENCE, || async {
            let states = self.states().await;
            ["queued", "leased", "unknown", "accepted"]
                .iter()
                .all(|open| !states.contains_key(*open))
        })
        .await;
    }

    pub(crate) async fn sql(&self, statement: &str) {
        self.database
            .admin()
            .await
            .batch_execute(statement)
            .await
            .unwrap();
    }

    /// Announcements that a source is settled.
    pub(crate) async fn outbox(&self) -> Vec<Value> {
        self.told("notification.source.settled").await
    }

    /// Events of a name that were written.
    pub(crate) async fn told(&self, name: &str) -> Vec<Value> {
        let sql = "SELECT payload FROM public.told WHERE name = $1 ORDER BY id";
        let rows = self.database.admin().await.query(sql, &[&name]).await.unwrap();
        rows.iter()
            .map(|row| serde_json::from_str(row.get(0)).unwrap())
            .collect()
    }

    /// Consumes an event as if another service had published it.
    pub(crate) async fn hear<E: plaza_kernel::Event>(&self, event: &E) {
        let database = self.database.of(NOTIFICATION);
        let tx = database.begin(self.tenant);
        outbox::append(&tx, &Clock::system(), event).await.unwrap();
        tx.commit().await.unwrap();
        self.settle().await;
    }

    /// The tenant configures how it sends.
    pub(crate) async fn configure(&self, version: u64, document: Value) {
        self.hear(&ConfigChanged {
            tenant_id: self.tenant,
            namespace: "messaging".to_owned(),
            version,
            document,
        })
        .await;
    }

    /// The account took a message once: it is the tenant's.
    pub(crate) async fn prove(&self) {
        let sender = self.sender;
        self.sql(&format!(
            "UPDATE notification.senders SET proven_at = now() WHERE id = '{sender}'"
        ))
        .await;
    }
}

fn compose(config: &NotificationConfig, databases: &Databases, keys: &KeyRing, clock: Clock) -> Notification {
    let database = databases.of(NOTIFICATION, Login::default()).unwrap();
    let directory = Directory::new(RpcSettings::default());
    Notification::new(config.clone(), database, &directory, clock, keys.clone()).unwrap()
}

pub(crate) fn owner(mounted: &Mounted, tenant: TenantId) -> Client {
    mounted.as_caller(&callers::owner(tenant))
}

pub(crate) async fn create_sender(owner: &Client, name: &str, account: &str) -> SenderId {
    let body = json!({"name": name, "phone_number_id": account, "access_token": "EAAG-secret-token"});
    let reply = owner.post("/api/v1/notifications/senders", &body).await;
    let id = reply.assert_status(StatusCode::CREATED).value()["id"].clone();
    serde_json::from_value(id).unwrap()
}

pub(crate) fn campaign() -> CampaignId {
    CampaignId::generate(&Clock::system())
}

/// Numbers that belong to no fault of the simulator.
pub(crate) fn people(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("+4915117{at:06}")).collect()
}

pub(crate) fn batch(campaign: CampaignId, sender: SenderId, shard: u32, to: &[String]) -> BroadcastSend {
    let clock = Clock::system();
    let message = |to: &String| OutgoingMessage {
        message_id: MessageId::generate(&clock),
        channel: "whatsapp".to_owned(),
        to: to.clone(),
        content: MessageContent::Template {
            name: "order_update_v1".to_owned(),
            language: "en_US".to_owned(),
            body: vec!["Zoë".to_owned(), "A123".to_owned()],
            header: None,
            buttons: Vec::new(),
        },
        class: None,
        zone: None,
        expires_at: None,
    };
    BroadcastSend {
        campaign_id: campaign,
        sender_id: sender,
        shard,
        messages: to.iter().map(message).collect(),
    }
}

/// Every test process needs a provider of cryptography; whoever comes first installs it.
fn install_tls() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The outbox forgets what was published, which may be before a test looks.
async fn keep_what_is_told(database: &TestDatabase) {
    let statements = "CREATE TABLE public.told (id bigint, name text, payload text);
         CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $$ BEGIN INSERT INTO public.told VALUES (NEW.id, NEW.name, NEW.payload); RETURN NULL; END $$;
         CREATE TRIGGER keep AFTER INSERT ON notification.outbox FOR EACH ROW EXECUTE FUNCTION public.keep()";
    database.admin().await.batch_execute(statements).await.unwrap();
}

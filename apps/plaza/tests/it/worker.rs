//! `plaza worker` beside `plaza serve`: two processes on one machine and one database, and every message once. Beside a
//! `serve` of everything, and beside one of notification only, with everything else elsewhere.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use plaza_testkit::TestDatabase;
use rustix::process::Signal;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::client::Api;
use crate::fleet::Fleet;
use crate::front::Front;
use crate::plaza::{Builder, Plaza, folder, free_address, printed};
use crate::simulator::SimulatorProcess;
use crate::{process, story};

const SECRET: &str = "what both sides know";
const PATIENCE: Duration = Duration::from_secs(90);
/// People whom every campaign writes to: those who are reached at once …
const EASY: u64 = 40;
/// … and those whose messages are refused twice for a reason that passes. They fall due again when the process that
/// sent them first has nothing more to do, and nobody is told of it. The numbers are kept free for fiction.
const AREAS: [u32; 10] = [202, 212, 213, 305, 312, 404, 415, 503, 617, 702];
const PEOPLE: u64 = EASY + AREAS.len() as u64;
/// Campaigns after which both processes have sent something, or never will.
const CAMPAIGNS: u64 = 20;

/// Nobody refuses but where the story wants it, and nobody waits for a rate.
const EVEN: (&str, &str) = ("PLAZA_SIMULATOR__FAILURE_RATE", "0.0");
const RATE: (&str, u32) = ("PLAZA_NOTIFICATION__DEFAULT_RATE", 0);
const RETRY: (&str, u32) = ("PLAZA_NOTIFICATION__RETRY_MILLISECONDS", 200);
/// Looks at the queue more often than usual, and so finds what falls due while the other one sleeps.
const POLL: (&str, &str) = ("PLAZA_NOTIFICATION__POLL_MILLISECONDS", "10");

/// A running `plaza worker notification`. Dropped, it is killed.
struct Worker {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Worker {
    /// Starts it with the folder and the variables of a `serve`, but for the internal listener, and waits until it is
    /// ready.
    async fn beside(serve: &Plaza) -> Self {
        let mut command = serve.command(&["worker", "notification"]);
        command
            .env_remove("PLAZA_INTERNAL_LISTEN")
            .env(POLL.0, POLL.1)
            .stdin(Stdio::null());
        let log = |name: &str| serve.root().join(format!("worker-{name}.log"));
        let (stdout, stderr) = (log("stdout"), log("stderr"));
        command.stdout(File::create(&stdout).unwrap());
        command.stderr(File::create(&stderr).unwrap());
        let mut worker = Self {
            child: command.spawn().unwrap(),
            stdout,
            stderr,
        };
        let begun = Instant::now();
        while !worker.stdout().contains(" is ready in ") || !worker.stdout().contains("  data ") {
            let ended = worker.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}\n{}", worker.stderr());
            assert!(begun.elapsed() < PATIENCE, "{}", worker.stderr());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        worker
    }

    fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Its internal listener, as it printed it.
    fn internal(&self) -> String {
        let printed = self.stdout();
        let line = printed
            .lines()
            .find(|line| line.trim_start().starts_with("internal "));
        line.unwrap().split_whitespace().last().unwrap().to_owned()
    }

    /// Asks it to end.
    async fn stop(mut self) {
        process::signal(self.child.id(), Signal::TERM);
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}\n{}", self.stderr());
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{}", self.stderr());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- worker\n{}\n{}", self.stdout(), self.stderr());
        }
    }
}

/// `plaza serve` on a database of the shared test cluster, with a provider.
fn serve(database: &TestDatabase, listen: &str, simulator: &SimulatorProcess) -> Builder {
    let settings = database.settings();
    Plaza::builder()
        .env("DATABASE_URL", settings.url.expose_secret())
        .env("PLAZA_DATABASE_ROLE_KEY", settings.role_key.expose_secret())
        .env(
            "ENCRYPTION_KEY",
            plaza_crypto::KeyRing::generate().expose_secret(),
        )
        .env("PLAZA_LISTEN", listen)
        .env("PLAZA_NOTIFICATION__WHATSAPP__BASE_URL", simulator.url())
        .env("PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET", SECRET)
        .env("PLAZA_NOTIFICATION__DEVELOPMENT_SENDER", true)
        .env(RATE.0, RATE.1)
        .env(RETRY.0, RETRY.1)
        .arg("serve")
}

/// People who said yes.
async fn people(owner: &Api) {
    let folder = folder();
    let file = folder.path().join("people.csv");
    let easy = (0..EASY).map(|n| format!("Person {n},+49151174{n:05},yes\n"));
    let hard = AREAS
        .iter()
        .map(|area| format!("Person of {area},+1{area}5550150,yes\n"));
    let rows: String = easy.chain(hard).collect();
    fs::write(&file, format!("name,phone,opted_in\n{rows}")).unwrap();
    let imported = story::import(owner, &file).await;
    assert_eq!(imported["counts"]["valid"], PEOPLE, "{imported}");
}

/// How many messages the provider took from a process.
async fn sent_by(internal: &str) -> u64 {
    let metrics = Api::at(internal).get("/metrics").await.text();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("plaza_messages_total{") && line.contains("outcome=\"accepted\""));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_worker_beside_a_server_sends_its_part_and_nothing_twice() {
    let database = TestDatabase::fresh(&[]).await;
    let listen = free_address();
    let callback = format!("http://{listen}/webhooks/meta");
    let simulator = SimulatorProcess::start(&callback, SECRET, 7, &[EVEN]).await;
    let mut plaza = serve(&database, &listen, &simulator).prepare(folder());
    printed(&plaza.run(&["migrate"]).await);
    plaza.restart().await;

    let kept = |name: &str| fs::read(plaza.data().join(name)).unwrap();
    let before = (kept("addresses.json"), kept("setup-link"));
    let worker = Worker::beside(&plaza).await;
    assert!(
        before == (kept("addresses.json"), kept("setup-link")),
        "the files are those of the server"
    );
    assert!(!worker.stdout().contains("setup link"), "{}", worker.stdout());
    assert!(
        !worker.internal().ends_with(":9080"),
        "the server's usual port: {}",
        worker.internal()
    );
    assert_eq!(Api::at(&worker.internal()).get("/readyz").await.status, 200);

    each_sends_its_part(&plaza, &simulator, [&plaza.internal_url(""), &worker.internal()]).await;
    worker.stop().await;
    plaza.stop().await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_worker_beside_a_server_sends_its_part_and_nothing_twice_in_pieces() {
    let mut fleet = Fleet::builder()
        .simulated(EVEN.0, EVEN.1)
        .env(RATE.0, RATE.1)
        .env(RETRY.0, RETRY.1)
        // Events come to either of the two: each finds what the other one began, if it looks as often.
        .env(POLL.0, POLL.1)
        .start()
        .await;
    for worker in ["worker-notification", "worker-broadcast"] {
        let told = fleet.stdout(worker);
        assert!(!told.contains("setup link"), "{told}");
        for file in ["addresses.json", "setup-link"] {
            assert!(!fleet.data(worker).join(file).exists(), "{worker} wrote {file}");
        }
    }
    let internal = ["notification", "worker-notification"]
        .map(|name| format!("http://{}", fleet.internal_address(name)));
    each_sends_its_part(&fleet, fleet.simulator(), [&internal[0], &internal[1]]).await;
    fleet.stop().await;
}

/// Campaigns until both have sent something; between them they sent everything, and nothing twice. `internal` is where
/// each tells what it did.
async fn each_sends_its_part(plaza: &impl Front, simulator: &SimulatorProcess, internal: [&str; 2]) {
    let admin = story::administrator(plaza).await;
    let owner = story::tenant(&admin, "acme").await.owner;
    people(&owner).await;
    let template = story::template(&owner).await;
    let (mut campaigns, mut sent) = (0, [0, 0]);
    while campaigns < 3 || (sent.contains(&0) && campaigns < CAMPAIGNS) {
        let campaign = story::campaign(&owner, &format!("Number {campaigns}"), &template).await;
        story::send(&owner, &campaign).await;
        let completed = story::completed(&owner, &campaign).await;
        assert_eq!(completed["planned"], json!({"send": PEOPLE}));
        campaigns += 1;
        sent = [sent_by(internal[0]).await, sent_by(internal[1]).await];
    }

    let counts = simulator.counts().await;
    let expected: Value = json!(campaigns * PEOPLE);
    println!("{campaigns} campaigns; sent by serve and worker {sent:?}; {counts}");
    assert_eq!(
        (&counts["accepted"], &counts["duplicates"]),
        (&expected, &json!(0)),
        "{counts}"
    );
    assert_eq!(json!(sent.iter().sum::<u64>()), expected);
    assert!(!sent.contains(&0), "one of the two did nothing: {sent:?}");
}

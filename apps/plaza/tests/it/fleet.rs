//! Plaza in pieces: each part a process of its own, on one PostgreSQL, over one RabbitMQ, as in production.
//!
//! ```text
//! let mut fleet = Fleet::start().await;          // the six parts, two workers, and the simulator
//! let admin = story::administrator(&fleet).await;
//! fleet.end("notification").await;               // SIGTERM, and its exit status
//! fleet.restart("notification").await;           // the same addresses and folders
//! fleet.kill("tenancy");                         // SIGKILL
//! fleet.stop().await;                            // SIGTERM to all; each exits with 0
//! ```
//! Dropped, it kills whatever it started; database and virtual host go with it.

mod builder;
mod member;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use plaza_testkit::TestDatabase;
use plaza_testkit::rabbitmq::Vhost;
use rustix::process::Signal;
use secrecy::ExposeSecret;
use tempfile::TempDir;

pub(crate) use self::builder::Builder;
use self::member::Member;
use crate::client::Api;
use crate::front::Front;
use crate::plaza::{bare, bare_of, output};
use crate::process;
use crate::simulator::SimulatorProcess;

/// Generous: nine debug builds start at once.
const PATIENCE: Duration = Duration::from_secs(120);
/// What simulator and notification both know.
const APP_SECRET: &str = "what both sides know";
/// The services, in the order in which they are started.
pub(crate) const SERVICES: [&str; 5] = ["identity", "tenancy", "access", "notification", "broadcast"];

/// Plaza in pieces.
pub(crate) struct Fleet {
    /// What all processes are told.
    variables: Vec<(String, String)>,
    public: String,
    members: BTreeMap<String, Member>,
    simulator: Option<SimulatorProcess>,
    /// Dropped after the members: nobody uses it any more.
    vhost: Vhost,
    database: TestDatabase,
    root: TempDir,
}

impl Fleet {
    /// One process of each part, and a worker for notification and one for broadcast.
    pub(crate) fn builder() -> Builder {
        Builder::new()
    }

    /// Starts one with the defaults.
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    fn shared(&self, further: &[(String, String)]) -> Vec<(String, String)> {
        let settings = self.database.settings();
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let simulator = self.simulator.as_ref().unwrap().url();
        let objects = self.root.path().join("objects");
        let mut all = vec![
            own("DATABASE_URL", settings.url.expose_secret()),
            own("PLAZA_DATABASE_ROLE_KEY", settings.role_key.expose_secret()),
            own(
                "ENCRYPTION_KEY",
                plaza_crypto::KeyRing::generate().expose_secret(),
            ),
            own("PLAZA_INTERNAL_KEY", plaza_crypto::random_token().expose_secret()),
            own("RABBITMQ_URL", self.vhost.url().expose_secret()),
            own("PLAZA_SERVER__PUBLIC_URL", &self.public),
            own("PLAZA_SERVER__DRAIN_DELAY_MILLISECONDS", "0"),
            own("PLAZA_BROADCAST__OBJECTS", objects.to_str().unwrap()),
            own("PLAZA_IDENTITY__REGISTRATION", "open"),
            own("PLAZA_IDENTITY__EMAIL_VERIFICATION", "offered"),
            own("PLAZA_IDENTITY__THROTTLE__LOOPBACK_EXEMPT", "true"),
            own("PLAZA_NOTIFICATION__DEFAULT_RATE", "1000"),
            own("PLAZA_NOTIFICATION__DEVELOPMENT_SENDER", "true"),
            own("PLAZA_NOTIFICATION__WHATSAPP__BASE_URL", &simulator),
            own("PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET", APP_SECRET),
            own("PLAZA_NOTIFICATION__WHATSAPP__SEND_TRACE_CONTEXT", "true"),
        ];
        for service in SERVICES {
            let addresses = self.members.values().filter_map(|member| {
                let serves = member.arguments == ["serve", service];
                serves.then(|| format!("http://{}", member.internal))
            });
            let addresses = addresses.collect::<Vec<_>>().join(",");
            let name = format!("PLAZA_SERVICES__{}", service.to_ascii_uppercase());
            all.push((name, addresses));
        }
        all.extend(further.iter().cloned());
        all
    }

    /// The names of all processes: `gateway`, `identity`, `identity-2`, `worker-notification`, …
    pub(crate) fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    /// `plaza ARGUMENTS…` as an operator would type it beside the fleet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.told(None, arguments)
    }

    fn told(&self, program: Option<&Path>, arguments: &[&str]) -> Command {
        let mut command = program.map_or_else(|| bare(arguments), |program| bare_of(program, arguments));
        command.current_dir(self.root.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs such a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        output(self.command(arguments)).await
    }

    /// The database of all services.
    pub(crate) fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// The virtual host that all services share.
    pub(crate) fn vhost(&self) -> &Vhost {
        &self.vhost
    }

    /// People reach it here: something stands before the gateways that needed their addresses first. Before the start.
    pub(crate) fn reached_at(&mut self, public_url: &str) {
        public_url.clone_into(&mut self.public);
        self.tell("PLAZA_SERVER__PUBLIC_URL", public_url);
    }

    /// The public listener of a gateway, without `http://`.
    pub(crate) fn public_address(&self, name: &str) -> String {
        self.members[name].public.clone()
    }

    /// The internal listener of a process, without `http://`.
    pub(crate) fn internal_address(&self, name: &str) -> String {
        self.members[name].internal.clone()
    }

    /// The process id of a member.
    pub(crate) fn pid(&self, name: &str) -> u32 {
        self.members[name].child.as_ref().unwrap().id()
    }

    /// What a process printed since its last start.
    pub(crate) fn stdout(&self, name: &str) -> String {
        self.members[name].told("stdout")
    }

    /// The data folder of a process.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.members[name].data.clone()
    }

    /// What a process logged since its last start.
    pub(crate) fn stderr(&self, name: &str) -> String {
        self.members[name].told("stderr")
    }

    /// Other or more variables for processes that are started from now on.
    pub(crate) fn tell(&mut self, name: &str, value: impl ToString) {
        self.variables.push((name.to_owned(), value.to_string()));
    }

    /// This process is of another program from its next start on.
    pub(crate) fn run_by(&mut self, name: &str, program: &Path) {
        self.members.get_mut(name).unwrap().program = Some(program.to_owned());
    }

    /// What all processes are told under this name.
    pub(crate) fn variable(&self, name: &str) -> String {
        let told = self.variables.iter().rev().find(|(known, _)| known == name);
        told.unwrap_or_else(|| panic!("nobody is told {name}")).1.clone()
    }

    /// The simulator, a process of its own too.
    pub(crate) fn simulator(&self) -> &SimulatorProcess {
        self.simulator.as_ref().unwrap()
    }

    /// Starts all processes and waits for none.
    pub(crate) fn spawn_all(&mut self) {
        for name in self.names() {
            self.spawn(&name);
        }
    }

    /// Starts a process and does not wait for it.
    pub(crate) fn spawn(&mut self, name: &str) {
        let member = &self.members[name];
        let arguments: Vec<&str> = member.arguments.iter().map(String::as_str).collect();
        let mut command = self.told(member.program.as_deref(), &arguments);
        command
            .env("PLAZA_LISTEN", &member.public)
            .env("PLAZA_INTERNAL_LISTEN", &member.internal)
            .env("PLAZA_DATA", &member.data);
        let member = self.members.get_mut(name).unwrap();
        assert!(member.child.is_none(), "{name} runs already");
        member.starts += 1;
        command
            .stdout(member.file("stdout"))
            .stderr(member.file("stderr"));
        member.child = Some(command.stdin(Stdio::null()).spawn().unwrap());
    }

    /// Waits until every process says that it is ready, and the gateways reach what they need.
    pub(crate) async fn all_ready(&mut self) {
        for name in self.names() {
            self.ready(&name).await;
        }
        let begun = Instant::now();
        for name in self.names() {
            let api = Api::at(&format!("http://{}", self.internal_address(&name)));
            loop {
                let checks = api.get("/readyz").await;
                let told = checks.json();
                let all = told["checks"].as_object();
                if checks.status == 200 && all.is_some_and(|all| all.values().all(|state| state == "ok")) {
                    break;
                }
                assert!(
                    begun.elapsed() < PATIENCE,
                    "{name} is not ready: {told}\n{}",
                    self.output()
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Waits until a process says that it is ready.
    pub(crate) async fn ready(&mut self, name: &str) {
        let begun = Instant::now();
        loop {
            let member = self.members.get_mut(name).unwrap();
            if member.told("stdout").contains(" is ready in ") {
                return;
            }
            let ended = member.child.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "{name} is not ready ({ended:?})\n{}",
                self.output()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts a process that has ended, at the same addresses.
    pub(crate) async fn restart(&mut self, name: &str) {
        self.spawn(name);
        self.ready(name).await;
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, name: &str) {
        let mut child = self.members.get_mut(name).unwrap().child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks a process to end and waits for it.
    pub(crate) async fn end(&mut self, name: &str) -> ExitStatus {
        let member = self.members.get_mut(name).unwrap();
        process::signal(member.child.as_ref().unwrap().id(), Signal::TERM);
        let begun = Instant::now();
        loop {
            let member = self.members.get_mut(name).unwrap();
            if let Some(status) = member.child.as_mut().unwrap().try_wait().unwrap() {
                member.child = None;
                return status;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{name} does not end\n{}",
                self.output()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn output(&self) -> String {
        let told = self.members.iter().map(|(name, member)| {
            let (stdout, stderr) = (member.told("stdout"), member.told("stderr"));
            format!("--- {name}\n{stdout}{stderr}")
        });
        told.collect()
    }
}

impl Front for Fleet {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public)
    }

    fn setup_token(&self) -> String {
        let link = fs::read_to_string(self.members["identity"].data.join("setup-link")).unwrap();
        link.trim().split_once("token=").unwrap().1.to_owned()
    }

    fn simulator_api(&self) -> Api {
        self.simulator().api()
    }

    async fn stop(&mut self) {
        for name in self.names() {
            let running = self.members[&name].child.is_some();
            if running {
                let status = self.end(&name).await;
                assert!(
                    status.success(),
                    "{name} did not end in order ({status})\n{}",
                    self.output()
                );
            }
        }
        if let Some(simulator) = self.simulator.take() {
            simulator.stop().await;
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for member in self.members.values_mut() {
            if let Some(mut child) = member.child.take() {
                child.kill().ok();
                child.wait().ok();
            }
        }
        if std::thread::panicking() {
            eprintln!("{}", self.output());
        }
    }
}

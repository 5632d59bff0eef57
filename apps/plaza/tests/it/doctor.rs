//! `plaza doctor` and `plaza internal-keys` as an operator runs them: what they say, and how they end.

mod wrong;

use std::collections::BTreeMap;
use std::process::{Command, Output};

use plaza_testkit::TestDatabase;
use plaza_testkit::rabbitmq::Vhost;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::fleet::{Fleet, SERVICES};
use crate::front::Front;
use crate::plaza::{Plaza, bare, folder, output, printed};
use crate::superuser::Superuser;

/// What it found.
struct Told {
    code: Option<i32>,
    report: String,
    stderr: String,
}

impl Told {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            report: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The lines that begin with this word and name this thing, with what is advised below.
    fn lines(&self, level: &str, what: &str) -> Vec<String> {
        let lines: Vec<&str> = self.report.lines().collect();
        let mut found = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let rest = line.trim_start().strip_prefix(level);
            if rest.is_some_and(|rest| rest.trim_start().starts_with(what)) {
                let advice = lines
                    .get(at + 1)
                    .filter(|next| next.trim_start().starts_with("-> "));
                found.push(format!("{line}\n{}", advice.unwrap_or(&"")));
            }
        }
        found
    }

    fn ok(&self, what: &str) -> String {
        let lines = self.lines("ok", what);
        assert!(
            !lines.is_empty(),
            "{what} is not well\n{}{}",
            self.report,
            self.stderr
        );
        lines.concat()
    }

    /// It says so, with these words, and ends with 1.
    fn fails(&self, what: &str, words: &[&str]) {
        let lines = self.lines("FAIL", what);
        for word in words {
            assert!(
                lines.iter().any(|line| line.contains(word)),
                "not said of {what}: {word}\n{}{}",
                self.report,
                self.stderr
            );
        }
        assert_eq!(self.code, Some(1), "{}", self.report);
    }

    /// Nothing is wrong, and it ends with 0.
    fn is_well(&self) {
        let wrong = self.lines("FAIL", "");
        assert!(
            wrong.is_empty() && self.code == Some(0),
            "{}{}",
            self.report,
            self.stderr
        );
        assert!(self.report.ends_with(", 0 wrong\n"), "{}", self.report);
    }

    /// So many things are wrong, and it says how many where the exit status is explained.
    fn counts(&self, wrong: usize) {
        assert_eq!(self.lines("FAIL", "").len(), wrong, "{}", self.report);
        let words = match wrong {
            1 => "plaza: one thing is wrong\n".to_owned(),
            many => format!("plaza: {many} things are wrong\n"),
        };
        assert_eq!(self.stderr, words);
    }
}

/// A configured installation that nobody runs yet: a database, a broker, and keys.
struct Site {
    database: TestDatabase,
    /// Dropped with everything else.
    _vhost: Vhost,
    variables: BTreeMap<String, String>,
    place: TempDir,
}

impl Site {
    /// Migrated and declared.
    async fn open() -> Self {
        let site = Self::empty().await;
        printed(&output(site.command(&["migrate"])).await);
        printed(&output(site.command(&["events", "topology", "--apply"])).await);
        site
    }

    async fn empty() -> Self {
        let (database, vhost) = tokio::join!(TestDatabase::fresh(&[]), Vhost::new());
        let settings = database.settings();
        let (sealed, broker) = (plaza_crypto::KeyRing::generate(), vhost.url());
        let variables = [
            ("DATABASE_URL", settings.url.expose_secret()),
            ("PLAZA_DATABASE_ROLE_KEY", settings.role_key.expose_secret()),
            ("ENCRYPTION_KEY", sealed.expose_secret()),
            ("RABBITMQ_URL", broker.expose_secret()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            variables: variables.into(),
            database,
            _vhost: vhost,
            place: folder(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command.current_dir(self.place.path()).envs(&self.variables);
        command
    }

    /// What the doctor says with one more variable, or another value for one.
    async fn doctor_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Told {
        let mut command = self.command(&[&["doctor"], arguments].concat());
        command.envs(variables.iter().copied());
        Told::of(&output(command).await)
    }
}

#[tokio::test]
async fn a_plaza_on_a_laptop_is_well_until_somebody_breaks_its_database() {
    let mut plaza = Plaza::start().await;
    let doctor = async |arguments: &[&str]| Told::of(&plaza.run(arguments).await);
    let told = doctor(&["doctor"]).await;
    told.is_well();
    assert!(told.ok("version").contains("PostgreSQL"));
    for service in SERVICES {
        told.ok(&format!("logins of {service}"));
        told.ok(&format!("rows of {service}"));
    }
    doctor(&["doctor", "isolation"]).await.is_well();

    let superuser = Superuser::of(&plaza).await;
    superuser
        .rows("ALTER TABLE broadcast.recipients DISABLE ROW LEVEL SECURITY", &[])
        .await;
    for command in [&["doctor"][..], &["doctor", "isolation"]] {
        let told = doctor(command).await;
        told.fails("ROW_SECURITY_OFF", &["broadcast.recipients", "undo it"]);
    }
    superuser
        .rows("ALTER TABLE broadcast.recipients ENABLE ROW LEVEL SECURITY", &[])
        .await;
    doctor(&["doctor", "isolation"]).await.is_well();

    superuser
        .rows("ALTER ROLE plaza_access_system RENAME TO somebody_else", &[])
        .await;
    let told = doctor(&["doctor"]).await;
    told.fails("logins of access", &["`plaza migrate` makes the roles"]);
    told.ok("logins of identity");
    plaza.stop().await;
}

#[tokio::test]
async fn a_split_is_well_until_a_part_is_away() {
    let mut fleet = Fleet::start().await;
    // Connected is not declared: on a slow machine its processes are still at it.
    printed(&fleet.run(&["events", "topology", "--apply"]).await);
    let told = Told::of(&fleet.run(&["doctor"]).await);
    told.is_well();
    assert!(told.ok("broker").contains(", RabbitMQ "), "{}", told.report);
    told.ok("topology");
    assert!(told.ok("internal keys").contains("derived from internal.key"));
    for service in SERVICES {
        let what = format!("{service} at http://{}", fleet.internal_address(service));
        assert!(told.ok(&what).contains("ready"));
    }
    // Addresses and names, and nothing that could be used.
    for secret in ["PLAZA_DATABASE_ROLE_KEY", "ENCRYPTION_KEY", "PLAZA_INTERNAL_KEY"] {
        let command = fleet.command(&[]);
        let (_, value) = command.get_envs().find(|(name, _)| *name == secret).unwrap();
        let value = value.unwrap().to_str().unwrap();
        assert!(!told.report.contains(value), "{secret} is printed");
    }

    let address = fleet.internal_address("notification");
    assert!(fleet.end("notification").await.success());
    let told = Told::of(&fleet.run(&["doctor"]).await);
    told.fails(
        &format!("notification at http://{address}"),
        &["cannot be reached", "is it the internal listener"],
    );
    told.counts(1);
    fleet.stop().await;
}

#[tokio::test]
async fn internal_keys_are_pairs_for_each_part_and_new_each_time() {
    let told = printed(&output(bare(&["internal-keys"])).await);
    let place = folder();
    let file = place.path().join("plaza.toml");
    std::fs::write(&file, &told).unwrap();
    // As a file for one process that hosts everything; and the doctor reads the same from variables.
    let mut doctor = bare(&["doctor"]);
    doctor.current_dir(place.path());
    let told_of_file = Told::of(&output(doctor).await);
    let all = told_of_file.ok("internal keys");
    let lines = printed(&output(bare(&["internal-keys", "--env"])).await);
    let variables: BTreeMap<&str, &str> = lines
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('=').unwrap())
        .collect();
    for part in SERVICES.into_iter().chain(["gateway"]) {
        assert!(all.contains(part), "{all}");
        let name = |table| format!("PLAZA_INTERNAL__{table}__{}", part.to_ascii_uppercase());
        let (private, public) = (
            variables[name("SIGNING_KEYS").as_str()],
            variables[name("PUBLIC_KEYS").as_str()],
        );
        assert_ne!(private, public);
        assert!(!told.contains(private) && !told.contains(public), "not new");
    }
    assert_eq!(variables.len(), 12);

    // What one part is told is enough for it, and the key of another part is refused.
    let public = variables.iter().filter(|(name, _)| name.contains("PUBLIC"));
    let public: BTreeMap<_, _> = public.collect();
    let elsewhere = folder();
    let told = |private: (&'static str, &str)| {
        let mut doctor = bare(&["doctor"]);
        doctor
            .current_dir(elsewhere.path())
            .envs(&public)
            .env(private.0, private.1);
        async { Told::of(&output(doctor).await) }
    };
    let own = variables["PLAZA_INTERNAL__SIGNING_KEYS__ACCESS"];
    let told_own = told(("PLAZA_INTERNAL__SIGNING_KEYS__ACCESS", own)).await;
    assert!(told_own.ok("internal keys").contains("signs as access"));
    let wrong = told(("PLAZA_INTERNAL__SIGNING_KEYS__TENANCY", own)).await;
    wrong.fails("internal keys", &["tenancy"]);
}

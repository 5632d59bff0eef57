//! What lies in `deploy/` against the program: no container engine is needed for that, and none is used.
//!
//! The files of containers cannot be run here. What can be wrong in them without anybody noticing is what the program is
//! told: a command, a variable, an address. That is read out of the files and given to the program.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_yaml_ng::Value;
use tempfile::TempDir;

use crate::fleet::SERVICES;
use crate::plaza::{bare, folder, output, printed};

/// Generous: a debug build on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// A container of Plaza, as `compose.yaml` has it.
struct Container {
    name: String,
    command: Vec<String>,
    variables: BTreeMap<String, String>,
    published: bool,
}

impl Container {
    fn serves(&self, service: &str) -> bool {
        self.command == ["serve", service]
    }
}

/// `deploy/` with secrets of its own.
struct Deployment {
    compose: Value,
    secrets: TempDir,
}

impl Deployment {
    fn new() -> Self {
        let mut compose: Value = serde_yaml_ng::from_str(&read("deploy/compose.yaml")).unwrap();
        // Once for each level: what is merged in may itself merge something in.
        for _ in 0..4 {
            compose.apply_merge().unwrap();
        }
        let secrets = folder();
        let made = Command::new(root().join("deploy/secrets.sh"))
            .arg(secrets.path().join("secrets"))
            .output();
        printed(&made.unwrap());
        Self { compose, secrets }
    }

    /// Everything that runs the program.
    fn containers(&self) -> Vec<Container> {
        let services = self.compose["services"].as_mapping().unwrap();
        let ours = services.iter().filter(|(_, service)| service["image"] == "plaza");
        let ours: Vec<Container> = ours
            .map(|(name, service)| self.container(name.as_str().unwrap(), service))
            .collect();
        assert!(ours.len() >= SERVICES.len(), "the file was read wrongly");
        ours
    }

    fn container(&self, name: &str, service: &Value) -> Container {
        let mut variables = BTreeMap::new();
        for file in texts(&service["env_file"]) {
            variables.extend(self.env_file(&file));
        }
        // What stands in the file wins over what stands in another, as it does for compose.
        if let Some(stated) = service["environment"].as_mapping() {
            variables.extend(stated.iter().map(|(name, value)| {
                (
                    name.as_str().unwrap().to_owned(),
                    value.as_str().unwrap().to_owned(),
                )
            }));
        }
        Container {
            name: name.to_owned(),
            command: texts(&service["command"]),
            variables,
            published: service.get("ports").is_some(),
        }
    }

    fn env_file(&self, path: &str) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.secrets.path().join(path));
        let text = text.unwrap_or_else(|error| panic!("secrets.sh makes no {path}: {error}"));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_sequence().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_service_and_two_gateways_are_there_each_under_the_address_the_others_have() {
    let containers = Deployment::new().containers();
    let serving = |part: &str| -> Vec<&str> {
        let serving = containers.iter().filter(|one| one.serves(part));
        serving.map(|one| one.name.as_str()).collect()
    };
    assert_eq!(serving("gateway").len(), 2);
    assert_eq!(serving("identity").len(), 2);
    for container in &containers {
        for service in SERVICES {
            let name = format!("PLAZA_SERVICES__{}", service.to_ascii_uppercase());
            let Some(addresses) = container.variables.get(&name) else {
                assert_eq!(container.command, ["migrate"], "{} has no {name}", container.name);
                continue;
            };
            let expected: Vec<String> = serving(service)
                .into_iter()
                .map(|host| format!("http://{host}:9080"))
                .collect();
            assert_eq!(addresses.split(',').collect::<Vec<_>>(), expected, "{name}");
            assert_eq!(container.variables["PLAZA_INTERNAL_LISTEN"], "0.0.0.0:9080");
        }
        assert!(!container.published, "{} is reached from outside", container.name);
    }
}

#[test]
fn the_front_door_knows_neither_the_database_nor_the_broker_nor_what_is_sealed() {
    let containers = Deployment::new().containers();
    for gateway in containers.iter().filter(|one| one.serves("gateway")) {
        let known: Vec<_> = gateway.variables.keys().map(String::as_str).collect();
        for secret in [
            "DATABASE_URL",
            "PLAZA_DATABASE_ROLE_KEY",
            "ENCRYPTION_KEY",
            "RABBITMQ_URL",
        ] {
            assert!(!known.contains(&secret), "{} knows {secret}", gateway.name);
        }
    }
    let migrates = |one: &&Container| {
        one.variables
            .get("DATABASE_URL")
            .is_some_and(|url| url.contains("plaza_migrator"))
    };
    let names: Vec<&str> = containers
        .iter()
        .filter(migrates)
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["migrate"], "these know the migrator's password");
}

#[test]
fn haproxy_stands_before_the_gateways() {
    let configuration = read("deploy/haproxy.cfg");
    let servers: Vec<&str> = configuration
        .lines()
        .filter_map(|line| line.trim().strip_prefix("server "))
        .map(|line| line.split_whitespace().nth(1).unwrap())
        .collect();
    let containers = Deployment::new().containers();
    let gateways = containers.iter().filter(|one| one.serves("gateway"));
    let expected: Vec<String> = gateways.map(|one| format!("{}:8080", one.name)).collect();
    assert_eq!(servers, expected);
    assert!(
        configuration.contains("option httpchk GET /readyz"),
        "{configuration}"
    );
}

#[test]
fn secrets_are_made_once_and_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let deployment = Deployment::new();
    let secrets = deployment.secrets.path().join("secrets");
    for file in std::fs::read_dir(&secrets).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may read it");
    }
    let again = Command::new(root().join("deploy/secrets.sh"))
        .arg(&secrets)
        .output()
        .unwrap();
    assert!(!again.status.success());
    let other = Deployment::new();
    let key = |one: &Deployment| one.env_file("secrets/services.env");
    assert_ne!(key(&deployment), key(&other));
}

#[tokio::test]
async fn each_command_and_each_variable_is_one_that_the_program_knows() {
    let reference = read("docs/plaza.toml");
    let words: BTreeSet<&str> = reference
        .split(|other: char| !(other.is_ascii_alphanumeric() || other == '_'))
        .collect();
    for container in Deployment::new().containers() {
        let arguments: Vec<&str> = container.command.iter().map(String::as_str).collect();
        printed(&output(bare(&[&arguments[..], &["--help"]].concat())).await);
        // Those of a section are refused where nobody knows them; the short names are listed.
        for name in container.variables.keys().filter(|name| !name.contains("__")) {
            assert!(
                words.contains(name.as_str()),
                "{}: nobody reads {name}",
                container.name
            );
        }
        let mut routes = bare(&["routes"]);
        routes
            .current_dir(std::env::temp_dir())
            .envs(&container.variables);
        printed(&output(routes).await);
    }
}

#[tokio::test]
async fn each_process_is_told_all_that_it_needs() {
    let deployment = Deployment::new();
    let place = folder();
    for container in deployment.containers() {
        let told = far_as_it_comes(&container, place.path()).await;
        let expected = match container.command[0].as_str() {
            "migrate" => "the database cannot be migrated",
            _ if container.serves("gateway") => " is ready in ",
            // There is no PostgreSQL here: whoever tries to log in has been told everything.
            _ => "may not run with its database login",
        };
        assert!(told.contains(expected), "{}: {told}", container.name);
    }
}

/// Starts a container's process where nobody of the others is, and says what it printed until it ended or was ready.
async fn far_as_it_comes(container: &Container, place: &Path) -> String {
    let arguments: Vec<&str> = container.command.iter().map(String::as_str).collect();
    let mut command = bare(&arguments);
    command.current_dir(place).envs(
        container
            .variables
            .iter()
            .map(|(name, value)| (name, nowhere(value))),
    );
    for (name, value) in [
        ("PLAZA_LISTEN", "127.0.0.1:0".to_owned()),
        ("PLAZA_INTERNAL_LISTEN", "127.0.0.1:0".to_owned()),
        ("PLAZA_DATA", place.join(&container.name).display().to_string()),
        (
            "PLAZA_BROADCAST__OBJECTS",
            place.join("objects").display().to_string(),
        ),
    ] {
        command.env(name, value);
    }
    let log = place.join(format!("{}.log", container.name));
    let file = std::fs::File::create(&log).unwrap();
    command
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .stdin(Stdio::null());
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    loop {
        let mut told = String::new();
        std::fs::File::open(&log)
            .unwrap()
            .read_to_string(&mut told)
            .unwrap();
        let ended = child.try_wait().unwrap().is_some();
        if ended || told.contains(" is ready in ") || begun.elapsed() > PATIENCE {
            child.kill().ok();
            child.wait().unwrap();
            return std::fs::read_to_string(&log).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An address of another container as one where nobody listens, the addresses of a list still different ones.
fn nowhere(value: &str) -> String {
    let mut addresses = 0;
    let parts = value.split(',').map(|part| {
        let Some((scheme, rest)) = part.split_once("://") else {
            return part.to_owned();
        };
        addresses += 1;
        let (login, host) = rest
            .rsplit_once('@')
            .map_or(("", rest), |(login, host)| (login, host));
        let at = if login.is_empty() { "" } else { "@" };
        let path = host
            .split_once('/')
            .map_or(String::new(), |(_, path)| format!("/{path}"));
        format!("{scheme}://{login}{at}127.0.0.1:{addresses}{path}")
    });
    parts.collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn every_command_in_the_guides_is_one_that_the_program_takes() {
    let mut found = 0;
    for guide in ["docs/operations.md", "deploy/README.md"] {
        for arguments in commands_of(&read(guide)) {
            found += 1;
            let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            arguments.push("--help");
            let answer = output(bare(&arguments)).await;
            assert!(
                answer.status.success(),
                "{guide}: plaza {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&answer.stderr)
            );
        }
    }
    assert!(found > 10, "{found} commands were found");
}

/// The arguments of each `plaza …` in a guide's blocks of shell commands, until something that is the shell's.
fn commands_of(text: &str) -> Vec<Vec<String>> {
    let blocks = text
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let lines = blocks
        .flat_map(str::lines)
        .filter(|line| !line.trim_start().starts_with('#'));
    lines
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|word| *word == "plaza")?;
            // `docker build -t plaza`, `pg_dump -d plaza`: not the program.
            let before = words[..at]
                .iter()
                .all(|word| word.contains('=') || *word == "env");
            let shell = |word: &&&str| !["&", "|", "&&", ">", "<", "#", "\\"].contains(*word);
            before.then(|| {
                words[at + 1..]
                    .iter()
                    .take_while(shell)
                    .map(|word| (*word).to_owned())
                    .collect()
            })
        })
        .collect()
}

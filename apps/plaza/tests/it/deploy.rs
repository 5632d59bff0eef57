//! What lies in `deploy/` against the program: no container engine is needed for that, and none is used.
//!
//! The files of containers cannot be run here. What can be wrong in them without anybody noticing is what the program is
//! told: a command, a variable, an address. That is read out of the files and given to the program.

mod files;
mod started;

use std::collections::BTreeSet;
use std::time::Duration;

use plaza_testkit::{TestDatabase, eventually};
use secrecy::ExposeSecret;

use crate::client::Api;
use crate::fleet::SERVICES;
use crate::plaza::{bare, folder, free_address, output, printed};
use files::{Container, Deployment, make_secrets, read};
use started::{far_as_it_comes, nowhere};

const PATIENCE: Duration = Duration::from_secs(60);

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

/// The secrets that a container has to have; what is not here it must not have.
fn needed(container: &Container) -> BTreeSet<String> {
    let [command, parts @ ..] = &container.command[..] else {
        panic!("{} has no command", container.name);
    };
    let mut needed: Vec<String> = match command.as_str() {
        "migrate" => vec!["DATABASE_URL".to_owned(), "PLAZA_DATABASE_ROLE_KEY".to_owned()],
        "doctor" => ["DATABASE_URL", "PLAZA_DATABASE_ROLE_KEY", "RABBITMQ_URL"]
            .map(str::to_owned)
            .to_vec(),
        _ => Vec::new(),
    };
    for part in parts {
        let upper = part.to_ascii_uppercase();
        needed.push(format!("PLAZA_INTERNAL__SIGNING_KEYS__{upper}"));
        if part != "gateway" {
            needed.push(format!("PLAZA_{upper}_DATABASE_URL"));
            needed.push(format!("PLAZA_{upper}_SYSTEM_DATABASE_URL"));
            needed.push("RABBITMQ_URL".to_owned());
        }
        if ["identity", "tenancy", "notification"].contains(&part.as_str()) {
            needed.push("ENCRYPTION_KEY".to_owned());
        }
        if part == "notification" {
            needed.extend(PROVIDERS.map(str::to_owned));
        }
    }
    needed.into_iter().collect()
}

/// What the provider gives; a process starts without.
const PROVIDERS: [&str; 2] = [
    "PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET",
    "PLAZA_NOTIFICATION__WHATSAPP__VERIFY_TOKEN",
];

#[test]
fn nobody_gets_a_secret_that_it_does_not_need() {
    for container in Deployment::new().containers() {
        assert_eq!(container.secrets, needed(&container), "{}", container.name);
        // Nor by the file that everybody reads.
        for (name, value) in &container.variables {
            let login = value.contains("://") && value.contains('@');
            assert!(!login || container.secrets.contains(name), "{name} has a login");
        }
    }
}

#[tokio::test]
async fn a_process_that_is_told_less_does_not_start() {
    let place = folder();
    for container in Deployment::new().containers() {
        if container.name == "doctor" {
            continue;
        }
        for secret in container
            .secrets
            .iter()
            .filter(|name| !PROVIDERS.contains(&name.as_str()))
        {
            let mut variables = container.variables.clone();
            variables.remove(secret);
            let told = far_as_it_comes(&container, &variables, place.path()).await;
            let refused = told.contains("needs values that are not set") || told.contains("is missing: ");
            assert!(refused, "{} without {secret}: {told}", container.name);
        }
    }
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
    // Without it every client of the gateways has the proxy's address, and limits by address are everybody's.
    assert!(configuration.contains("option forwardfor"), "{configuration}");
}

/// A program that ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn haproxy_writes_no_query_into_its_log() {
    let place = folder();
    let (address, log) = (free_address(), place.path().join("log"));
    let configuration = read("deploy/haproxy.cfg").replace("bind :8080", &format!("bind {address}"));
    let file = place.path().join("haproxy.cfg");
    std::fs::write(&file, configuration).unwrap();
    let mut haproxy = std::process::Command::new("/usr/sbin/haproxy");
    haproxy.arg("-db").arg("-f").arg(&file);
    haproxy
        .stdout(std::fs::File::create(&log).unwrap())
        .stderr(std::process::Stdio::null());
    let _running = Running(haproxy.spawn().unwrap());
    let listens = || async { tokio::net::TcpStream::connect(&address).await.is_ok() };
    eventually(PATIENCE, listens).await;
    // There is no gateway behind it: what it was asked for is written down all the same.
    let api = Api::at(&format!("http://{address}"));
    assert_eq!(api.get("/setup?token=CANARY&x=CANARY").await.status, 503);
    let logged = || std::fs::read_to_string(&log).unwrap();
    eventually(PATIENCE, || async {
        logged().contains("\"GET /setup HTTP/1.1\"")
    })
    .await;
    assert!(!logged().contains("CANARY"), "{}", logged());
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
    let again = make_secrets(&secrets, "a role key that nobody has to guess");
    assert!(!again.status.success());
    let other = Deployment::new();
    for file in ["sealed", "gateway", "identity", "broker", "postgres"] {
        let made = |one: &Deployment| one.env_file(&format!("secrets/{file}.env"));
        assert_ne!(made(&deployment), made(&other), "{file}");
    }
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
            let general = SERVICES.map(|service| name.replace(&service.to_ascii_uppercase(), "<SERVICE>"));
            let mut general = general.iter().filter(|general| *general != name);
            assert!(
                words.contains(name.as_str()) || general.any(|name| reference.contains(name.as_str())),
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
    let database = TestDatabase::fresh(&[]).await;
    let settings = database.settings();
    let deployment = Deployment::with(settings.role_key.expose_secret());
    let (_, server) = settings.url.expose_secret().split_once('@').unwrap();
    let place = folder();
    let mut containers = deployment.containers();
    // Before all others, as the file has it.
    containers.sort_by_key(|one| one.command != ["migrate"]);
    for container in containers {
        let elsewhere = container.variables.iter().map(|(name, value)| {
            let value = match (name.as_str(), value.split_once("postgres:5432/plaza")) {
                // The migrator's password is PostgreSQL's to know; the services' are what they have been told.
                ("DATABASE_URL", Some((login, ""))) if login.contains('@') => {
                    settings.url.expose_secret().to_owned()
                }
                (_, Some((login, ""))) => format!("{login}{server}"),
                _ => nowhere(value),
            };
            (name.clone(), value)
        });
        let told = far_as_it_comes(&container, &elsewhere.collect(), place.path()).await;
        let expected = match container.command[0].as_str() {
            "migrate" => "the database is up to date",
            "doctor" => "all that this program knows are applied",
            _ => " is ready in ",
        };
        assert!(told.contains(expected), "{}: {told}", container.name);
        assert!(!told.contains("may not run with"), "{}: {told}", container.name);
    }
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

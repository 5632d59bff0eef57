//! A container's process, started here.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::files::Container;
use crate::plaza::bare;

/// Generous: a debug build on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Starts a container's process where nobody of the others is, and says what it printed until it ended or was ready.
pub(super) async fn far_as_it_comes(
    container: &Container,
    variables: &BTreeMap<String, String>,
    place: &Path,
) -> String {
    let arguments: Vec<&str> = container.command.iter().map(String::as_str).collect();
    let mut command = bare(&arguments);
    command.current_dir(place).envs(variables);
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
pub(super) fn nowhere(value: &str) -> String {
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

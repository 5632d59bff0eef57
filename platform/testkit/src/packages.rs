//! The Debian packages that tests need besides PostgreSQL's.

use std::process::{Command, Stdio};

use crate::{haproxy, programs, rabbitmq};

/// Those that are not installed here, whether by a package or otherwise.
pub fn missing() -> Vec<&'static str> {
    let servers = [
        ("rabbitmq-server", rabbitmq::PACKAGE, "/usr/lib/rabbitmq/bin"),
        ("haproxy", haproxy::PACKAGE, "/usr/sbin"),
        ("nginx", "nginx-light", "/usr/sbin"),
    ];
    let mut missing: Vec<&str> = servers
        .into_iter()
        .filter_map(|(program, package, folder)| programs::find(program, package, &[folder]).err())
        .map(|missing| missing.package)
        .collect();
    let modules = [
        ("pika", "python3-pika"),
        ("aiosmtpd", "python3-aiosmtpd"),
        ("ensurepip", "python3-venv"),
    ];
    let absent = modules.into_iter().filter(|(module, _)| !has(module));
    missing.extend(absent.map(|(_, package)| package));
    missing
}

/// Whether the Python that `python.rs` runs has a module: the client of RabbitMQ, a receiver of mails, what makes virtual
/// environments.
fn has(module: &str) -> bool {
    let Ok(python) = programs::find("python3", "python3", &["/usr/bin"]) else {
        return false;
    };
    Command::new(python)
        .args(["-I", "-c", &format!("import {module}")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

//! What happened when, so that a request that failed explains itself.

use std::fs;
use std::time::Duration;

use super::load::Sent;
use crate::fleet::Fleet;

/// A process that was told to end and was started again. Times are since the load began.
pub(super) struct Restart {
    pub(super) name: &'static str,
    /// SIGTERM.
    pub(super) asked: Duration,
    pub(super) ended: Duration,
    pub(super) ready: Duration,
    /// The load balancer uses both gateways again.
    pub(super) up: Duration,
}

impl Restart {
    /// How long the end took.
    pub(super) fn took(&self) -> Duration {
        self.ended.saturating_sub(self.asked)
    }

    fn at(&self, number: usize) -> String {
        format!(
            "SIGTERM {number} to {} at {:.3?}, ended {:.3?}, ready {:.3?}, both up {:.3?}",
            self.name, self.asked, self.ended, self.ready, self.up
        )
    }
}

/// What failed, how long after which SIGTERM, and what the processes logged of it.
pub(super) fn explained(fleet: &Fleet, restarts: &[Restart], sent: &Sent) -> String {
    let answered = sent.at + sent.took;
    let before = restarts.iter().rposition(|restart| restart.asked <= answered);
    let last = before.map_or_else(
        || "before any SIGTERM".to_owned(),
        |index| {
            let restart = &restarts[index];
            let after = sent.at.as_secs_f64() - restart.asked.as_secs_f64();
            format!("sent {after:.3} s after {}", restart.at(index + 1))
        },
    );
    let (at, took, kind) = (sent.at, sent.took, sent.kind);
    let failure = sent.failure.as_deref().unwrap_or_default();
    let logged = logged(fleet, &sent.request_id());
    format!(
        "* {kind:?} {} at {at:.3?}, which took {took:.3?}; {last}\n  {failure}\n{logged}",
        sent.number
    )
}

/// The lines of all processes, ended ones too, that mention a request.
fn logged(fleet: &Fleet, request_id: &str) -> String {
    let data = fleet.data("gateway");
    let mut lines = String::new();
    for entry in fs::read_dir(data.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "stderr") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            for line in text.lines().filter(|line| line.contains(request_id)) {
                lines.push_str(&format!("  {name}: {line}\n"));
            }
        }
    }
    match lines.is_empty() {
        true => "  no process logged it\n".to_owned(),
        false => lines,
    }
}

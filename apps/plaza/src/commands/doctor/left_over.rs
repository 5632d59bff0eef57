//! Events that the other transport has left behind, where an installation changed from one to the other.

use plaza_database::Database;
use plaza_messaging::LeftOver;

use super::database_found::Found;
use super::report::Report;

/// Looks; says nothing where nothing is left.
pub(super) async fn look(database: &Database, over_broker: bool, found: &Found, report: &mut Report) {
    let service = database.service().as_str();
    match plaza_messaging::left_over(database).await {
        Ok(left) => judge(service, left, over_broker, report),
        Err(error) => report.fail(
            format!("events of {service}"),
            found.secrets.told(&error),
            "are all migrations applied?",
        ),
    }
}

fn judge(service: &str, left: LeftOver, over_broker: bool, report: &mut Report) {
    let what = format!("events of {service}");
    if over_broker && left.queued > 0 {
        report.warn(
            what,
            format!("{} are queued in the database, as without a broker", left.queued),
            "this passes by itself: they are consumed first, the broker's queues of this service after them",
        );
    } else if !over_broker && left.retrying > 0 {
        report.fail(
            what,
            format!("{} wait on a broker, and none is configured", left.retrying),
            "start once more with RABBITMQ_URL and let the queues run empty: docs/operations.md, Changing the transport",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    #[test]
    fn only_what_the_other_transport_left_is_told() {
        for (queued, retrying, over_broker, wanted) in [
            (0, 0, true, None),
            (0, 0, false, None),
            // What each transport has of its own is none of this.
            (5, 0, false, None),
            (0, 5, true, None),
            (5, 0, true, Some(Level::Warn)),
            (0, 5, false, Some(Level::Fail)),
        ] {
            let mut report = Report::default();
            judge("access", LeftOver { queued, retrying }, over_broker, &mut report);
            let told = report.lines().next().map(|line| line.level);
            assert_eq!(told, wanted, "{report}");
            assert!(wanted.is_none() || report.to_string().contains("events of access"));
        }
    }
}

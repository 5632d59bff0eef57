//! What a server says of itself, judged: its version, its clock, and how many connections it takes.

use std::time::Duration;

use plaza_database::row;

use super::report::Report;

/// The oldest PostgreSQL whose row-level security, roles and views are as the schemas need them.
const OLDEST: i32 = 150_000;

/// Between processes, tokens are valid for 30 s and clocks may be apart by a few: this is too far.
const FAR: Duration = Duration::from_secs(15);
/// This is further than any machine that keeps time.
const NEAR: Duration = Duration::from_secs(1);

row! {
    /// What the server says.
    #[derive(Debug, Clone)]
    pub(super) struct Server {
        pub(super) version: String,
        pub(super) number: i32,
        /// Seconds since 1970.
        pub(super) now: f64,
        pub(super) most: i32,
        /// Of these, kept for superusers and those who may use reserved ones.
        pub(super) reserved: i32,
        /// Connections of everybody.
        pub(super) used: i64,
        /// Those that say they are Plaza's.
        pub(super) ours: i64,
    }
}

/// Whether this PostgreSQL is new enough.
pub(super) fn version(server: &Server, report: &mut Report) {
    let told = format!("PostgreSQL {}", server.version);
    if server.number < OLDEST {
        report.fail("version", told, "PostgreSQL 15 or newer is needed");
    } else {
        report.ok("version", told);
    }
}

/// How far the database's clock is before (or, negative, behind) ours. The time it took to ask is how wrong that may be.
pub(super) fn clock(apart: f64, asking: Duration, report: &mut Report) {
    let surely = (apart.abs() - asking.as_secs_f64()).max(0.0);
    let word = if apart < 0.0 { "behind" } else { "before" };
    let told = format!("the database's is {:.3} s {word} this machine's", apart.abs());
    let advice = "let both keep time by NTP: tokens and leases are compared across machines";
    if surely > FAR.as_secs_f64() {
        report.fail("clock", told, advice);
    } else if surely > NEAR.as_secs_f64() {
        report.warn("clock", told, advice);
    } else {
        report.ok("clock", told);
    }
}

/// Whether there is room for one process with so many connections, and for a second one beside it.
pub(super) fn connections(server: &Server, services: usize, each: usize, report: &mut Report) {
    let one = i64::try_from(services * each).unwrap_or(i64::MAX);
    let room = i64::from(server.most) - i64::from(server.reserved);
    let others = (server.used - server.ours).max(0);
    report.note(
        "connections in use",
        format!(
            "{} of {}, {} of them Plaza's",
            server.used, server.most, server.ours
        ),
    );
    let told = format!(
        "a process opens up to {each} for each service, {one} for all {services}; {room} may be open"
    );
    let advice = "raise max_connections, or lower database.*_connections";
    if others.saturating_add(one) > room {
        report.fail("connections", told, advice);
    } else if others.saturating_add(one.saturating_mul(2)) > room {
        report.warn(
            "connections",
            format!("{told}: not enough for two processes, as a rolling restart has"),
            advice,
        );
    } else {
        report.ok("connections", told);
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    fn level(look: impl FnOnce(&mut Report)) -> Level {
        let mut report = Report::default();
        look(&mut report);
        report.lines().last().unwrap().level
    }

    fn server(number: i32, most: i32, used: i64, ours: i64) -> Server {
        Server {
            version: "15.1".to_owned(),
            number,
            now: 0.0,
            most,
            reserved: 3,
            used,
            ours,
        }
    }

    #[test]
    fn an_old_server_is_refused() {
        assert_eq!(
            level(|report| version(&server(140_022, 100, 0, 0), report)),
            Level::Fail
        );
        assert_eq!(
            level(|report| version(&server(150_000, 100, 0, 0), report)),
            Level::Ok
        );
    }

    #[test]
    fn clocks_that_are_apart_are_told_but_not_what_the_asking_may_have_taken() {
        let quick = Duration::from_millis(2);
        for (apart, asking, wanted) in [
            (0.2, quick, Level::Ok),
            (1.5, quick, Level::Warn),
            (-1.5, quick, Level::Warn),
            (1.5, Duration::from_secs(1), Level::Ok),
            (-40.0, quick, Level::Fail),
        ] {
            assert_eq!(level(|report| clock(apart, asking, report)), wanted, "{apart}");
        }
    }

    #[test]
    fn there_is_room_for_one_process_and_for_a_second_one() {
        let of =
            |most, used, ours| level(|report| connections(&server(170_000, most, used, ours), 5, 10, report));
        assert_eq!(of(103, 0, 0), Level::Ok);
        assert_eq!(of(102, 0, 0), Level::Warn);
        assert_eq!(of(103, 1, 0), Level::Warn);
        assert_eq!(of(103, 50, 50), Level::Ok, "our own are those that are counted");
        assert_eq!(of(53, 0, 0), Level::Warn);
        assert_eq!(of(52, 0, 0), Level::Fail);
        assert_eq!(of(100, 60, 0), Level::Fail);
    }
}

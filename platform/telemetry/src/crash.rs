//! Crash points: places where a process can be made to die, so that it can be shown what the next one makes of what is
//! left. In debug builds only, and only where `PLAZA_CRASH` names one: with `PLAZA_CRASH=relay.published:3` the process
//! ends at once when it comes by for the third time, as if it were killed.
//!
//! A name says what has happened just before. `apps/plaza/tests/it/kill/points.rs` goes through all of them.

/// Every place, in the order of the path of a message.
pub const POINTS: [&str; 14] = [
    "broadcast.import.committed",
    "broadcast.plan.written",
    "broadcast.plan.committed",
    "outbox.appended",
    "relay.published",
    "consumer.applied",
    "consumer.committed",
    "dispatch.claimed",
    "dispatch.answered",
    "dispatch.settled",
    "receipts.committed",
    "broadcast.steer.committed",
    "sources.changed",
    "sources.moved",
];

/// Ends the process here, if it was asked to.
pub fn point(name: &'static str) {
    #[cfg(debug_assertions)]
    armed::pass(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Where to die, and how often to come by until then.
    struct Armed {
        name: String,
        left: AtomicU32,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "no setting: whoever sets this wants the process to die"
        )]
        let asked = std::env::var("PLAZA_CRASH").ok()?;
        let armed = parse(&asked);
        if armed.is_none() {
            tracing::error!(asked, "PLAZA_CRASH names no crash point");
        }
        armed
    });

    fn parse(asked: &str) -> Option<Armed> {
        let (name, times) = asked.rsplit_once(':')?;
        let times: u32 = times.parse().ok()?;
        (times > 0 && super::POINTS.contains(&name)).then(|| Armed {
            name: name.to_owned(),
            left: AtomicU32::new(times),
        })
    }

    pub(super) fn pass(name: &str) {
        debug_assert!(super::POINTS.contains(&name), "{name} is in no list");
        if let Some(armed) = &*ARMED
            && armed.name == name
            && armed.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            tracing::error!(point = name, "ended at a crash point");
            std::process::abort();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_point_has_a_name_and_a_number() {
            let armed = parse("relay.published:3").unwrap();
            assert_eq!(
                (armed.name.as_str(), armed.left.into_inner()),
                ("relay.published", 3)
            );
            for asked in [
                "",
                "relay.published",
                "relay.published:0",
                "relay.published:x",
                "nowhere:1",
            ] {
                assert!(parse(asked).is_none(), "{asked}");
            }
        }
    }
}

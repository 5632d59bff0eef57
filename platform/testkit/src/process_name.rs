//! Names of what a test has to itself on a shared server: they tell whose it is, so that leftovers are found.

use plaza_kernel::Clock;

const PREFIX: &str = "plaza_test_";

/// `plaza_test_<process id>_<unique>`.
pub(crate) fn unique(clock: &Clock) -> String {
    format!("{PREFIX}{}_{}", std::process::id(), clock.uuid().simple())
}

/// Whether this is such a name, and its process is gone.
pub(crate) fn owner_is_gone(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return false;
    };
    let process = rest
        .split('_')
        .next()
        .and_then(|pid| pid.parse().ok())
        .and_then(rustix::process::Pid::from_raw);
    process.is_none_or(|pid| rustix::process::test_kill_process(pid).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_nobody_any_more_is_given_up() {
        assert!(!owner_is_gone(&unique(&Clock::system())));
        assert!(!owner_is_gone("/"));
        assert!(!owner_is_gone("plaza"));
        // Above the highest process id that Linux gives (proc_sys_kernel_pid_max(5)).
        assert!(owner_is_gone("plaza_test_4194305_0"));
    }
}

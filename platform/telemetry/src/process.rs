//! Metrics of the process itself, read from `/proc` (proc(5)) when somebody asks. Elsewhere than on Linux only the
//! uptime is known.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Linux reports processor time to programs in hundredths of a second on every architecture Plaza runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Appends the metrics under the names that Prometheus' own clients use.
pub(crate) fn render(text: &mut String, uptime: Duration) {
    let status = read("/proc/self/status");
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Memory held in RAM.",
            kilobytes(&status, "VmRSS:"),
        ),
        (
            "process_resident_memory_peak_bytes",
            "The most memory ever held in RAM.",
            kilobytes(&status, "VmHWM:"),
        ),
        (
            "process_virtual_memory_bytes",
            "Address space.",
            kilobytes(&status, "VmSize:"),
        ),
        ("process_threads", "Threads.", number_after(&status, "Threads:")),
        ("process_open_fds", "Open file descriptors.", open_files()),
        (
            "process_max_fds",
            "File descriptors that may be open.",
            number_after(&read("/proc/self/limits"), "Max open files"),
        ),
        (
            "process_uptime_seconds",
            "Time since the process set up its telemetry.",
            Some(uptime.as_secs_f64()),
        ),
        (
            "process_start_time_seconds",
            "When that was, in Unix time.",
            started(uptime),
        ),
    ];
    for (name, help, value) in gauges {
        append(text, name, "gauge", help, value);
    }
    append(
        text,
        "process_cpu_seconds_total",
        "counter",
        "Processor time used.",
        cpu_seconds(&read("/proc/self/stat")),
    );
}

fn append(text: &mut String, name: &str, kind: &str, help: &str, value: Option<f64>) {
    if let Some(value) = value {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
}

/// What cannot be read is left out of the metrics.
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn number_after(text: &str, label: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kilobytes(text: &str, label: &str) -> Option<f64> {
    number_after(text, label).map(|kilobytes| kilobytes * 1024.0)
}

fn open_files() -> Option<f64> {
    // The listing itself holds one open.
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u32::try_from(open).ok().map(f64::from)
}

fn started(uptime: Duration) -> Option<f64> {
    SystemTime::now()
        .checked_sub(uptime)?
        .duration_since(UNIX_EPOCH)
        .ok()
        .map(|since| since.as_secs_f64().floor())
}

/// User and system time: the 14th and 15th fields, counted behind the name, which may hold spaces and brackets.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_a_strange_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 150 0 0 20 0 1 0 100 0 0";
        assert_eq!(cpu_seconds(stat), Some(4.0));
        assert_eq!(cpu_seconds(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory_files_and_threads() {
        let mut text = String::new();
        render(&mut text, Duration::from_secs(2));
        for name in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_threads",
        ] {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{name} ")))
                .unwrap();
            assert!(
                line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() >= 1.0,
                "{line}"
            );
        }
        assert!(text.contains("process_uptime_seconds 2\n"));
    }
}

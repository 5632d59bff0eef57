//! This program, this machine's folder and its disk.

use std::fs;
use std::path::Path;

use super::report::Report;
use crate::config::Config;

const MIB: u64 = 1024 * 1024;
/// Below this the database and uploads are about to stop.
const LEAST: u64 = 256 * MIB;
/// Below this somebody should look.
const LITTLE: u64 = 2048 * MIB;

pub(super) fn look(config: &Config, report: &mut Report) {
    report.area("program and machine");
    report.note("version", plaza_telemetry::Version::LONG);
    folder(&config.data, report);
}

fn folder(data: &Path, report: &mut Report) {
    let Ok(folder) = std::path::absolute(data) else {
        report.fail(
            "data folder",
            data.display().to_string(),
            "give `data` as an absolute path",
        );
        return;
    };
    let shown = folder.display().to_string();
    // What does not exist yet will be made; its disk is that of the nearest folder that does.
    let there = folder.ancestors().find(|folder| folder.exists());
    match fs::metadata(&folder) {
        Ok(found) if found.is_dir() => report.ok("data folder", shown),
        Ok(_) => report.fail(
            "data folder",
            format!("{shown} is no folder"),
            "give another `data`",
        ),
        Err(_) => report.note("data folder", format!("{shown} (made at the first start)")),
    }
    if let Some(there) = there {
        disk(free(there), report);
    }
}

/// Bytes that this user may still write. Unknown where the system does not say.
fn free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

fn disk(free: Option<u64>, report: &mut Report) {
    let Some(free) = free else {
        report.warn(
            "disk",
            "the system does not say how much is free",
            "look with `df`",
        );
        return;
    };
    let told = format!("{} MiB free", free / MIB);
    let advice = "make room: uploads, and the embedded database if there is one, are kept here";
    match free {
        free if free < LEAST => report.fail("disk", told, advice),
        free if free < LITTLE => report.warn("disk", told, advice),
        _ => report.ok("disk", told),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    fn level(look: impl FnOnce(&mut Report)) -> Vec<Level> {
        let mut report = Report::default();
        look(&mut report);
        report.lines().map(|line| line.level).collect()
    }

    #[test]
    fn a_full_disk_is_told_before_it_is_full() {
        assert_eq!(level(|report| disk(Some(100 * MIB), report)), [Level::Fail]);
        assert_eq!(level(|report| disk(Some(1024 * MIB), report)), [Level::Warn]);
        assert_eq!(level(|report| disk(Some(4096 * MIB), report)), [Level::Ok]);
        assert_eq!(level(|report| disk(None, report)), [Level::Warn]);
    }

    #[test]
    fn nothing_is_made() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("not/yet");
        let levels = level(|report| folder(&data, report));
        assert_eq!((levels.len(), levels[0]), (2, Level::Note));
        assert!(!data.exists());
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(level(|report| folder(&file, report))[0], Level::Fail);
    }
}

//! What is printed: one line for each thing that was looked at, and below it what to do if it is not as it should be.

use std::fmt;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Only told.
    Note,
    /// As it should be.
    Ok,
    /// Works, but not as it should, or not for long.
    Warn,
    /// Does not work, or is not safe.
    Fail,
}

impl Level {
    const fn label(self) -> &'static str {
        match self {
            Self::Note => "",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) level: Level,
    pub(super) what: String,
    pub(super) how: String,
    /// What to do about it.
    pub(super) advice: Option<String>,
}

/// All of them, by area.
#[derive(Debug, Default)]
pub(super) struct Report {
    areas: Vec<(&'static str, Vec<Line>)>,
}

impl Report {
    /// The lines that follow belong to this area.
    pub(super) fn area(&mut self, name: &'static str) {
        self.areas.push((name, Vec::new()));
    }

    pub(super) fn note(&mut self, what: impl Into<String>, how: impl Into<String>) {
        self.add(Level::Note, what.into(), how.into(), None);
    }

    pub(super) fn ok(&mut self, what: impl Into<String>, how: impl Into<String>) {
        self.add(Level::Ok, what.into(), how.into(), None);
    }

    pub(super) fn warn(
        &mut self,
        what: impl Into<String>,
        how: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Level::Warn, what.into(), how.into(), Some(advice.into()));
    }

    pub(super) fn fail(
        &mut self,
        what: impl Into<String>,
        how: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Level::Fail, what.into(), how.into(), Some(advice.into()));
    }

    fn add(&mut self, level: Level, what: String, how: String, advice: Option<String>) {
        if self.areas.is_empty() {
            self.area("plaza");
        }
        if let Some((_, lines)) = self.areas.last_mut() {
            lines.push(Line {
                level,
                what,
                how,
                advice,
            });
        }
    }

    /// How many things are wrong.
    pub(super) fn failures(&self) -> usize {
        self.count(Level::Fail)
    }

    fn count(&self, level: Level) -> usize {
        self.lines().filter(|line| line.level == level).count()
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.areas.iter().flat_map(|(_, lines)| lines)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (area, lines) in self.areas.iter().filter(|(_, lines)| !lines.is_empty()) {
            let width = lines
                .iter()
                .map(|line| line.what.chars().count())
                .max()
                .unwrap_or(0);
            writeln!(f, "{area}")?;
            for line in lines {
                writeln!(
                    f,
                    "  {:<4}  {:<width$}  {}",
                    line.level.label(),
                    line.what,
                    line.how
                )?;
                if let Some(advice) = &line.advice {
                    writeln!(f, "        {:<width$}  -> {advice}", "")?;
                }
            }
            writeln!(f)?;
        }
        let (ok, warnings, failures) = (
            self.count(Level::Ok),
            self.count(Level::Warn),
            self.count(Level::Fail),
        );
        writeln!(f, "{ok} ok, {warnings} to look at, {failures} wrong")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_how_it_is_and_what_to_do() {
        let mut report = Report::default();
        report.area("database");
        report.ok("reachable", "PostgreSQL 17");
        report.fail("migrations", "2 are missing", "run `plaza migrate`");
        report.area("empty");
        report.area("disk");
        report.warn("free", "9 MB", "make room");
        report.note("folder", "/data");
        assert_eq!(
            report.to_string(),
            "database\n  ok    reachable   PostgreSQL 17\n  FAIL  migrations  2 are missing\n\
             \x20                   -> run `plaza migrate`\n\ndisk\n  warn  free    9 MB\n\
             \x20               -> make room\n        folder  /data\n\n1 ok, 1 to look at, 1 wrong\n"
        );
        assert_eq!(report.failures(), 1);
    }
}

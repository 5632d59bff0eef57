//! Which Plaza this is.

use serde::Serialize;

/// This build.
pub const VERSION: Version = Version {
    version: env!("CARGO_PKG_VERSION"),
    commit: env!("PLAZA_BUILD_COMMIT"),
    profile: env!("PLAZA_BUILD_PROFILE"),
};

/// Version, commit and profile of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The workspace's version (semver).
    pub version: &'static str,
    /// The first twelve digits of the commit, what `PLAZA_COMMIT` was at build time, or `unknown`.
    pub commit: &'static str,
    /// `debug` or `release`.
    pub profile: &'static str,
}

impl Version {
    /// `0.1.0 (a1b2c3d4e5f6, release)` as a constant, made of the same parts: for `--version`.
    pub const LONG: &'static str = concat!(
        env!("CARGO_PKG_VERSION"),
        " (",
        env!("PLAZA_BUILD_COMMIT"),
        ", ",
        env!("PLAZA_BUILD_PROFILE"),
        ")"
    );

    pub(crate) fn as_metric(&self) -> String {
        let Self {
            version,
            commit,
            profile,
        } = self;
        let (version, commit, profile) = (escaped(version), escaped(commit), escaped(profile));
        format!(
            "# HELP plaza_build_info Which build this is; always 1.\n\
             # TYPE plaza_build_info gauge\n\
             plaza_build_info{{version=\"{version}\",commit=\"{commit}\",profile=\"{profile}\"}} 1\n"
        )
    }
}

/// `PLAZA_COMMIT` may hold anything; a label value may not.
fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, {})", self.version, self.commit, self.profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_says_what_the_parts_say() {
        assert_eq!(Version::LONG, VERSION.to_string());
    }

    #[test]
    fn a_strange_commit_does_not_break_the_metrics() {
        let version = Version {
            commit: "a\"b\nc",
            ..VERSION
        };
        assert!(version.as_metric().contains(r#"commit="a\"b\nc""#));
    }
}

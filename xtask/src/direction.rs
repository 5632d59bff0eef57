//! The direction of dependencies, checked over `cargo metadata`:
//! `apps → gateway, services → contracts → platform → kernel`, and `simulator → telemetry, kernel`. Which platform library
//! uses which is a table here; the test kit is for tests and for `xtask` only.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use crate::workspace::{cargo, output, root};

    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }

    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: String,
        dependencies: Vec<Dependency>,
    }

    #[derive(Deserialize)]
    struct Dependency {
        name: String,
        kind: Option<String>,
        path: Option<String>,
    }

    fn metadata() -> Metadata {
        let asked = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
        serde_json::from_slice(&output(&mut cargo(&asked)).unwrap()).unwrap()
    }

    /// The room of the house that a package lives in: `services`, `platform`, …
    fn room(package: &Package) -> String {
        let root = format!("{}/", root().display());
        let place = package
            .manifest_path
            .strip_prefix(&root)
            .unwrap_or(&package.manifest_path);
        place.split('/').next().unwrap_or_default().to_owned()
    }

    /// What each platform library may use of the others. A line that grows is a decision.
    const PLATFORM: [(&str, &[&str]); 14] = [
        ("plaza-kernel", &[]),
        ("plaza-crypto", &[]),
        ("plaza-telemetry", &["plaza-kernel"]),
        ("plaza-database", &["plaza-crypto", "plaza-kernel"]),
        ("plaza-web", &["plaza-crypto", "plaza-kernel", "plaza-telemetry"]),
        (
            "plaza-messaging",
            &["plaza-database", "plaza-kernel", "plaza-telemetry"],
        ),
        ("plaza-rpc", &["plaza-crypto", "plaza-kernel", "plaza-telemetry"]),
        (
            "plaza-schedule",
            &[
                "plaza-database",
                "plaza-kernel",
                "plaza-messaging",
                "plaza-telemetry",
            ],
        ),
        (
            "plaza-once",
            &["plaza-crypto", "plaza-database", "plaza-kernel", "plaza-schedule"],
        ),
        (
            "plaza-throttle",
            &["plaza-crypto", "plaza-database", "plaza-kernel", "plaza-schedule"],
        ),
        (
            "plaza-vault",
            &["plaza-crypto", "plaza-database", "plaza-kernel", "plaza-schedule"],
        ),
        (
            "plaza-audit",
            &[
                "plaza-crypto",
                "plaza-database",
                "plaza-kernel",
                "plaza-messaging",
                "plaza-rpc",
            ],
        ),
        ("plaza-simulator", &["plaza-kernel", "plaza-telemetry"]),
        (
            "plaza-testkit",
            &[
                "plaza-crypto",
                "plaza-database",
                "plaza-kernel",
                "plaza-messaging",
                "plaza-web",
            ],
        ),
    ];

    /// Whether one package may depend on another, each given by its room and its name.
    fn allowed((from, from_name): (&str, &str), (to, to_name): (&str, &str)) -> bool {
        if to_name == "plaza-testkit" {
            return from == "xtask";
        }
        match from {
            "apps" | "fuzz" | "xtask" => true,
            "services" | "gateway" => matches!(to, "contracts" | "platform"),
            "contracts" => to == "platform",
            "simulator" | "platform" => PLATFORM
                .iter()
                .any(|(name, may_use)| *name == from_name && may_use.contains(&to_name)),
            _ => false,
        }
    }

    #[test]
    fn dependencies_point_one_way() {
        let metadata = metadata();
        let rooms: BTreeMap<&str, String> = metadata
            .packages
            .iter()
            .map(|package| (package.name.as_str(), room(package)))
            .collect();
        let mut wrong = Vec::new();
        for package in &metadata.packages {
            // Tests may stand on more: a service's tests on the test kit, the test kit's on a service's contract.
            let ours = package
                .dependencies
                .iter()
                .filter(|d| d.path.is_some() && d.kind.is_none());
            for dependency in ours {
                let place = |name| (rooms[name].as_str(), name);
                if !allowed(place(package.name.as_str()), place(dependency.name.as_str())) {
                    wrong.push(format!("{} → {}", package.name, dependency.name));
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }

    #[test]
    fn what_is_not_allowed_is_noticed() {
        for (from, to) in [
            (("services", "plaza-identity"), ("services", "plaza-access")),
            (("services", "plaza-identity"), ("platform", "plaza-testkit")),
            (("platform", "plaza-web"), ("platform", "plaza-database")),
            (("platform", "plaza-database"), ("contracts", "plaza-contracts")),
            (("simulator", "plaza-simulator"), ("platform", "plaza-web")),
            (("contracts", "plaza-contracts"), ("services", "plaza-access")),
        ] {
            assert!(!allowed(from, to), "{from:?} → {to:?}");
        }
    }

    #[test]
    fn the_kernel_stands_on_nothing_of_ours() {
        let metadata = metadata();
        let kernel = metadata
            .packages
            .iter()
            .find(|package| package.name == "plaza-kernel")
            .unwrap();
        assert!(
            kernel
                .dependencies
                .iter()
                .all(|dependency| dependency.path.is_none())
        );
    }
}

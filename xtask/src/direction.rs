//! The direction of dependencies, checked over `cargo metadata`:
//! `apps → gateway, services → contracts → platform → kernel`, and `simulator → kernel`. Platform libraries may use each
//! other; Cargo sees to it that they do so in one direction.

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

    /// Whether a package of one room may depend on a package of another.
    fn allowed(from: &str, to: &str, to_name: &str) -> bool {
        match from {
            "apps" | "xtask" => true,
            "services" => matches!(to, "contracts" | "platform"),
            "gateway" => matches!(to, "contracts" | "platform"),
            "contracts" => to == "platform",
            "simulator" => to_name == "plaza-kernel",
            "platform" => to == "platform",
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
                let (from, to) = (&rooms[package.name.as_str()], &rooms[dependency.name.as_str()]);
                if !allowed(from, to, &dependency.name) {
                    wrong.push(format!("{} → {}", package.name, dependency.name));
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
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

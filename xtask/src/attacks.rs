//! `docs/attacks.md` names the tests that prove each defence. A name that no test has proves nothing.

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use crate::workspace::root;

    const PAGE: &str = include_str!("../../docs/attacks.md");

    /// The rows of the two tables: the number or name of the attack, and the cell of its tests.
    fn rows(page: &str) -> Vec<(&str, &str)> {
        page.lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix("| ")?.split(" | ");
                let (name, _, tests) = (cells.next()?, cells.next()?, cells.next()?);
                let numbered = name.trim_start_matches('D').parse::<u32>().is_ok();
                numbered.then_some((name, tests.trim_end_matches(" |")))
            })
            .collect()
    }

    /// The tests of a cell: `package module::name`, and further ones of the same package.
    fn named(cell: &str) -> Vec<(String, String)> {
        let mut package = String::new();
        let mut found = Vec::new();
        for text in cell.split('`').skip(1).step_by(2) {
            let test = match text.split_once(' ') {
                Some((own, test)) => {
                    own.clone_into(&mut package);
                    test
                }
                None => text,
            };
            found.push((package.clone(), test.to_owned()));
        }
        found
    }

    /// Where the sources of a package are, by the name that the page gives it.
    fn folder(package: &str) -> Option<PathBuf> {
        let places = ["", "apps", "platform", "services"];
        let folders = places.iter().map(|place| root().join(place).join(package));
        folders
            .into_iter()
            .find(|folder| folder.join("Cargo.toml").exists())
    }

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// What stands before a function: the attributes of a test, and not that it is left out.
    fn is_test(before: &str) -> bool {
        let own = before.rsplit_once("}\n").map_or(before, |(_, own)| own);
        let marks = ["#[test]", "#[tokio::test]", "#[tokio::test("];
        marks.iter().any(|mark| own.contains(mark)) && !own.contains("#[ignore")
    }

    /// Whether a package has a test of this name, in a module of the name before it if one is named: a file or folder of that name.
    fn exists(package: &str, test: &str) -> bool {
        let Some(folder) = folder(package) else {
            return false;
        };
        let mut files = Vec::new();
        sources(&folder.join("src"), &mut files);
        sources(&folder.join("tests"), &mut files);
        let (module, name) = test.rsplit_once("::").unwrap_or(("", test));
        let declared = format!("fn {name}(");
        let within = |path: &Path| {
            let path = path.with_extension("");
            module
                .split("::")
                .filter(|part| !part.is_empty())
                .all(|part| path.components().any(|piece| piece.as_os_str() == part))
        };
        files
            .iter()
            .filter(|path| within(path))
            .filter_map(|path| fs::read_to_string(path).ok())
            .any(|text| {
                let mut places = text.match_indices(&declared);
                places.any(|(at, _)| is_test(&text[..at]))
            })
    }

    #[test]
    fn every_attack_names_a_test_that_exists() {
        let mut missing = Vec::new();
        let mut tests = 0;
        for (attack, cell) in rows(PAGE) {
            for (package, test) in named(cell) {
                tests += 1;
                if !exists(&package, &test) {
                    missing.push(format!("{attack}: {package} {test}"));
                }
            }
        }
        assert_eq!(
            missing,
            Vec::<String>::new(),
            "named in docs/attacks.md, and nowhere else"
        );
        assert!(
            tests > 80,
            "only {tests} tests are named: the tables were not found"
        );
    }

    #[test]
    fn every_attack_and_every_defect_has_a_row_with_a_test_or_a_reason() {
        let rows = rows(PAGE);
        let numbers: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
        let expected = (1..=89).map(|number| number.to_string());
        let expected: Vec<String> = expected
            .chain((1..=14).map(|number| format!("D{number}")))
            .collect();
        assert_eq!(numbers, expected);
        let tested = rows.iter().filter(|(_, cell)| !named(cell).is_empty());
        assert!(tested.count() >= 70 + 14, "too many are only argued about");
        for (name, cell) in rows {
            assert!(
                !name.starts_with('D') || !cell.starts_with("none: "),
                "{name} needs a test"
            );
            assert!(
                !named(cell).is_empty() || cell.starts_with("none: "),
                "{name}: {cell}"
            );
        }
    }

    #[test]
    fn a_name_that_no_test_has_is_noticed() {
        assert!(exists("gateway", "tokens::no_forged_token_is_accepted"));
        assert!(!exists("gateway", "refusals::no_forged_token_is_accepted"));
        assert!(!exists("gateway", "tokens::no_forged_token_is_accep"));
        assert!(!exists("nothing", "tokens::no_forged_token_is_accepted"));
        // A function that a test calls, and no test.
        assert!(
            !exists("xtask", "attacks::exists")
                && exists("xtask", "attacks::a_name_that_no_test_has_is_noticed")
        );
    }
}

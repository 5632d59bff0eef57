//! Migrations only expand: the program before one of them runs on the schema after it, beside the program that brought it. And
//! nobody waits for one: what reads all rows of a table that is there already does not lock it meanwhile.
//!
//! What takes something away comes a release later, when no program uses it any more: such a statement has a line
//! `-- Contract: why nobody needs it any more` right before it.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;

    use crate::workspace::root;

    /// Written before there was this check, and before anything was released: no table of anybody's had rows.
    const BEFORE: [&str; 2] = [
        "V20261121021233__fair_turns_and_traces.sql of broadcast",
        "V20261121024100__waiting_and_turns.sql of messaging",
    ];

    /// Statements, in capitals and with single spaces, and whether each says that it contracts.
    fn statements(sql: &str) -> Vec<(String, bool)> {
        let (mut found, mut text, mut contract, mut quoted) = (Vec::new(), String::new(), false, false);
        for line in sql.lines() {
            let code = line.split("--").next().unwrap_or_default();
            contract |= line.trim_start().starts_with("-- Contract: ");
            // Bodies of functions are between dollars, and their semicolons are their own.
            for (at, part) in code.split("$$").enumerate() {
                quoted ^= at > 0;
                let mut pieces = part.split(';').peekable();
                while let Some(piece) = pieces.next() {
                    text.push_str(piece);
                    if pieces.peek().is_some() && !quoted {
                        found.push((in_one_line(&text), contract));
                        text.clear();
                        contract = false;
                    }
                }
            }
            text.push(' ');
        }
        found.push((in_one_line(&text), contract));
        found.retain(|(text, _)| !text.is_empty());
        found
    }

    fn in_one_line(text: &str) -> String {
        let words: Vec<_> = text.split_whitespace().map(str::to_ascii_uppercase).collect();
        words.join(" ")
    }

    /// What follows these words, up to the next space or parenthesis.
    fn named_after<'a>(statement: &'a str, words: &str) -> Option<&'a str> {
        let (_, rest) = statement.split_once(words)?;
        let rest = rest.strip_prefix("IF NOT EXISTS ").unwrap_or(rest);
        let rest = rest.strip_prefix("ONLY ").unwrap_or(rest);
        rest.split([' ', '(']).find(|name| !name.is_empty())
    }

    /// What is wrong with a migration.
    fn wrong(sql: &str) -> Vec<String> {
        let mut own = BTreeSet::new();
        let mut wrong = Vec::new();
        for (statement, contracts) in statements(sql) {
            if let Some(table) = named_after(&statement, "CREATE TABLE ") {
                own.insert(table.to_owned());
            }
            let table = ["ALTER TABLE ", " ON "]
                .iter()
                .find_map(|words| named_after(&statement, words));
            let is_own = table.is_some_and(|table| own.contains(table));
            if contracts || is_own {
                continue;
            }
            wrong.extend(rule(&statement).map(|rule| format!("{rule}: {statement}")));
        }
        wrong
    }

    /// The rule that a statement breaks on a table which is there already.
    fn rule(statement: &str) -> Option<&'static str> {
        let has = |words: &str| statement.contains(words);
        if statement.starts_with("CREATE INDEX") || statement.starts_with("CREATE UNIQUE INDEX") {
            return (!has(" CONCURRENTLY "))
                .then_some("nobody writes while an index is built, unless concurrently");
        }
        if statement.starts_with("DROP ") || statement.starts_with("TRUNCATE ") {
            return Some("the program before this one may use it");
        }
        if !statement.starts_with("ALTER ") {
            return None;
        }
        if has(" RENAME ") {
            return Some("the program before this one knows the old name");
        }
        if has(" SET NOT NULL") {
            return Some("the program before this one may write none");
        }
        if has(" ALTER COLUMN ") && has(" TYPE ") {
            return Some("the program before this one reads and writes another type");
        }
        changes(statement).into_iter().find_map(clause)
    }

    /// The changes of an `ALTER TABLE`: what stands between commas that are in no parentheses.
    fn changes(statement: &str) -> Vec<&str> {
        let mut depth = 0;
        let is_comma = |character: char| {
            match character {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            character == ',' && depth == 0
        };
        statement.split(is_comma).collect()
    }

    /// The same of one of the changes in an `ALTER TABLE`.
    fn clause(clause: &str) -> Option<&'static str> {
        let has = |words: &str| clause.contains(words);
        let adds_rule = [
            "ADD CONSTRAINT ",
            "ADD CHECK",
            "ADD UNIQUE",
            "ADD FOREIGN KEY",
            "ADD PRIMARY KEY",
        ];
        if has("DROP COLUMN ") || has(" DROP DEFAULT") {
            return Some("the program before this one may use it");
        }
        if has("ADD COLUMN ") && has(" NOT NULL") && !has(" DEFAULT ") {
            return Some("the program before this one does not write it");
        }
        let adds_rule = adds_rule.iter().any(|words| has(words));
        (adds_rule && !has(" NOT VALID"))
            .then_some("all rows are read while the table is locked, unless not validated")
    }

    fn migrations() -> Vec<PathBuf> {
        let mut found = Vec::new();
        for room in ["services", "platform"] {
            for owner in fs::read_dir(root().join(room)).unwrap() {
                let folder = owner.unwrap().path().join("migrations");
                let files = fs::read_dir(folder).into_iter().flatten();
                found.extend(files.map(|file| file.unwrap().path()));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn every_migration_only_expands() {
        let mut all = Vec::new();
        let files = migrations();
        assert!(files.len() > 8, "{files:?}");
        for path in files {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let owner = path.ancestors().nth(2).unwrap().file_name().unwrap();
            let shown = format!("{name} of {}", owner.to_string_lossy());
            if BEFORE.contains(&shown.as_str()) {
                continue;
            }
            let sql = fs::read_to_string(&path).unwrap();
            all.extend(wrong(&sql).into_iter().map(|wrong| format!("{shown}: {wrong}")));
        }
        assert!(
            all.is_empty(),
            "migrations that do more than expand:\n{}",
            all.join("\n")
        );
    }

    #[test]
    fn what_takes_away_or_locks_is_found() {
        let found = [
            "DROP TABLE a.b;",
            "drop index a.b_key;",
            "TRUNCATE a.b;",
            "ALTER TABLE a.b DROP COLUMN c;",
            "ALTER TABLE a.b ADD COLUMN d text, DROP COLUMN c;",
            "ALTER TABLE a.b RENAME COLUMN c TO d;",
            "ALTER TABLE a.b RENAME TO c;",
            "ALTER TABLE a.b ALTER COLUMN c TYPE bigint;",
            "ALTER TABLE a.b ALTER COLUMN c\n  SET NOT NULL;",
            "ALTER TABLE a.b ALTER COLUMN c DROP DEFAULT;",
            "ALTER TABLE a.b ADD COLUMN c text NOT NULL;",
            "ALTER TABLE a.b ADD CONSTRAINT c CHECK (d > 0);",
            "CREATE INDEX c ON a.b (c);",
            "CREATE UNIQUE INDEX c ON a.b (c);",
            "CREATE TABLE a.c (id uuid); CREATE INDEX c ON a.b (c);",
            "CREATE FUNCTION a.f() RETURNS void LANGUAGE sql AS $$ SELECT 1; $$; DROP TABLE a.b;",
        ];
        for sql in found {
            assert_eq!(wrong(sql).len(), 1, "{sql}: {:?}", wrong(sql));
        }
    }

    #[test]
    fn what_expands_is_left_alone() {
        let fine = [
            "ALTER TABLE a.b ADD COLUMN c text;",
            "ALTER TABLE a.b ADD COLUMN c integer NOT NULL DEFAULT 0;",
            "ALTER TABLE a.b DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (d IN ('e', 'f')) NOT VALID;",
            "-- Outside of a transaction.\nCREATE INDEX CONCURRENTLY IF NOT EXISTS c ON a.b (c);",
            "CREATE TABLE a.b (c text NOT NULL); CREATE INDEX c ON a.b (c); ALTER TABLE a.b ADD CONSTRAINT d CHECK (c > '');",
            "-- Contract: nobody reads it since the release before the last.\nALTER TABLE a.b DROP COLUMN c;",
            "CREATE FUNCTION a.f() RETURNS void LANGUAGE sql AS $$\n  DROP TABLE temporary_one;\n$$;",
            "-- DROP TABLE a.b;",
        ];
        for sql in fine {
            assert_eq!(wrong(sql), Vec::<String>::new(), "{sql}");
        }
    }
}

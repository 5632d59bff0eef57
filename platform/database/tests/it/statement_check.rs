//! The check of registered statements finds what it is for.

use plaza_database::check::statement_problems;

use crate::ledger::Ledger;

/// Statements of another "crate": the module path says which crate a statement is of, so these are told by their names.
mod wrong {
    plaza_database::statements! {
        /// No such column.
        static NO_COLUMN: () => (i64,) = "SELECT nothing FROM ledger.accounts";
        /// Another type.
        static OTHER_TYPE: (i64,) => (i64,) = "SELECT name FROM ledger.accounts WHERE id = $1";
        /// Not granted: preparing alone would not notice.
        static NOT_GRANTED: () => () = "DELETE FROM ledger.entries";
        /// Not granted to the system login.
        system static SYSTEM_NOT_GRANTED: () => (i64,) = "SELECT rate FROM ledger.rates";
    }

    plaza_database::temp_tables! {
        /// Another type.
        static OTHER_COLUMN: (i64, String) = ("staged_wrong", "id uuid, name text");
        /// A column more than the row has.
        static ONE_MORE: (i64,) = ("staged_more", "id bigint, name text");
        /// No such type.
        static NO_TYPE: (i64,) = ("staged_nothing", "id biggest");
    }
}

#[tokio::test]
async fn every_wrong_statement_is_named_and_no_right_one_is() {
    let ledger = Ledger::open().await;
    let problems = statement_problems(&ledger.database, "it").await;
    let about = |name: &str| {
        problems
            .iter()
            .filter(|problem| problem.contains(name))
            .cloned()
            .collect::<Vec<_>>()
    };

    assert!(
        about("wrong::NO_COLUMN")[0].contains("does not exist"),
        "{problems:#?}"
    );
    assert_eq!(about("wrong::OTHER_TYPE").len(), 2, "{problems:#?}");
    assert!(
        about("wrong::NOT_GRANTED")[0].contains("permission denied"),
        "{problems:#?}"
    );
    assert!(
        about("wrong::SYSTEM_NOT_GRANTED")[0].contains("permission denied"),
        "{problems:#?}"
    );
    assert!(
        about("wrong::OTHER_COLUMN")[0].contains("i64 is not uuid"),
        "{problems:#?}"
    );
    assert!(
        about("wrong::ONE_MORE")[0].contains("1 parameters given, 2 expected"),
        "{problems:#?}"
    );
    assert!(
        about("wrong::NO_TYPE")[0].contains("does not exist"),
        "{problems:#?}"
    );
    assert_eq!(about("it::ledger::"), [""; 0]);
    assert_eq!(about("it::copies::"), [""; 0]);
}

#[tokio::test]
async fn a_crate_without_statements_is_a_problem() {
    let ledger = Ledger::open().await;
    assert_eq!(
        statement_problems(&ledger.database, "plaza_nobody").await.len(),
        1
    );
}

//! Temporary tables: where many rows stand for a moment on their way into a table of a service.
//!
//! The server refuses `COPY` into a table under row-level security. So rows are copied into a table that is the
//! connection's own, and go on by `INSERT … SELECT`, through the policy. It is made once for each connection, and empty
//! again at the end of each transaction.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

use linkme::distributed_slice;
use postgres_types::Type;

use crate::Params;

/// A temporary table with rows `P`. Made by [`temp_tables!`](crate::temp_tables) only.
pub struct TempTable<P> {
    pub(crate) texts: TempTableTexts,
    types: PhantomData<fn(P)>,
}

/// What is said to the server about a temporary table.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct TempTableTexts {
    /// Makes it.
    pub create: &'static str,
    /// Copies into it.
    pub copy: &'static str,
    /// Reads it: prepared only, to learn the types of its columns.
    pub columns: &'static str,
}

impl<P: Params> TempTable<P> {
    /// For the macro: a table is declared, never built.
    #[doc(hidden)]
    pub const fn declared(texts: TempTableTexts) -> Self {
        Self {
            texts,
            types: PhantomData,
        }
    }
}

/// One declared temporary table, as the tests see it.
pub struct RegisteredTempTable {
    /// The module that declares it.
    pub module: &'static str,
    /// Its constant's name.
    pub name: &'static str,
    #[doc(hidden)]
    pub texts: TempTableTexts,
    /// What does not fit the types of its columns; empty if all does.
    pub mismatches: fn(&[Type]) -> Vec<String>,
}

/// Every temporary table that is linked into this program.
#[distributed_slice]
pub static TEMP_TABLES: [RegisteredTempTable];

/// The temporary tables that a crate declares.
pub(crate) fn temp_tables_of(crate_name: &str) -> impl Iterator<Item = &'static RegisteredTempTable> {
    TEMP_TABLES
        .iter()
        .filter(move |table| table.module.split("::").next() == Some(crate_name))
}

/// Which temporary tables a connection has.
#[derive(Default)]
pub(crate) struct MadeTables(Mutex<Made>);

#[derive(Default)]
struct Made {
    /// Made in a transaction that was committed.
    kept: HashSet<&'static str>,
    /// Made in the transaction that is going on: gone if it is rolled back.
    new: HashSet<&'static str>,
}

impl MadeTables {
    pub(crate) fn has(&self, create: &'static str) -> bool {
        let made = self.lock();
        made.kept.contains(create) || made.new.contains(create)
    }

    pub(crate) fn made(&self, create: &'static str) {
        self.lock().new.insert(create);
    }

    pub(crate) fn committed(&self) {
        let mut made = self.lock();
        let new = std::mem::take(&mut made.new);
        made.kept.extend(new);
    }

    pub(crate) fn rolled_back(&self) {
        self.lock().new.clear();
    }

    // A panic elsewhere leaves at worst a name out of the sets: making a table again is harmless.
    fn lock(&self) -> MutexGuard<'_, Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Declares and registers temporary tables: the type of a row, the name, and the columns as `CREATE TABLE` takes them.
///
/// ```
/// plaza_database::temp_tables! {
///     /// Numbers on their way.
///     static NUMBERS: (i64, String) = ("staged_numbers", "row bigint, number text");
/// }
/// # let _ = &NUMBERS;
/// ```
///
/// A statement names it as `pg_temp.staged_numbers`.
#[macro_export]
macro_rules! temp_tables {
    () => {};
    (
        $(#[$meta:meta])* $visibility:vis static $name:ident: $row:ty = ($table:literal, $columns:literal);
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        $visibility static $name: $crate::TempTable<$row> = {
            const TEXTS: $crate::TempTableTexts = $crate::TempTableTexts {
                create: ::core::concat!(
                    "CREATE TEMPORARY TABLE IF NOT EXISTS ", $table, " (", $columns, ") ON COMMIT DELETE ROWS"
                ),
                copy: ::core::concat!("COPY pg_temp.", $table, " FROM STDIN BINARY"),
                columns: ::core::concat!("SELECT * FROM pg_temp.", $table),
            };
            #[$crate::private::linkme::distributed_slice($crate::TEMP_TABLES)]
            #[linkme(crate = $crate::private::linkme)]
            static REGISTERED: $crate::RegisteredTempTable = $crate::RegisteredTempTable {
                module: ::core::module_path!(),
                name: ::core::stringify!($name),
                texts: TEXTS,
                mismatches: <$row as $crate::Params>::mismatches,
            };
            $crate::TempTable::declared(TEXTS)
        };
        $crate::temp_tables!($($rest)*);
    };
}

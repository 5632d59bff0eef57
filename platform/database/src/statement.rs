//! Statements are typed constants: parameters and row type stand beside the SQL, and all of them are registered,
//! so that one test per service prepares each under the service's own role and compares every type.

use std::marker::PhantomData;

use linkme::distributed_slice;

use crate::{Params, Row};

/// A statement that takes `P` and yields rows `T`. Made by [`statements!`](crate::statements) only.
pub struct Query<P, T> {
    sql: &'static str,
    types: PhantomData<fn(P) -> T>,
}

impl<P: Params, T: Row> Query<P, T> {
    /// For the macro: a query is declared, never built.
    #[doc(hidden)]
    pub const fn declared(sql: &'static str) -> Self {
        Self {
            sql,
            types: PhantomData,
        }
    }

    /// The text.
    pub const fn sql(&self) -> &'static str {
        self.sql
    }
}

impl<P, T> Clone for Query<P, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, T> Copy for Query<P, T> {}

/// Which login a statement runs under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementRole {
    /// `plaza_<service>`: sees the rows of one tenant.
    Service,
    /// `plaza_<service>_system`: claims, relays and looks up across tenants where a policy of its own lets it.
    System,
}

/// One declared statement, as the tests see it.
pub struct RegisteredStatement {
    /// The module that declares it.
    pub module: &'static str,
    /// Its constant's name.
    pub name: &'static str,
    /// The text.
    pub sql: &'static str,
    /// The login it runs under.
    pub role: StatementRole,
    /// What does not fit the server's types; empty if all does.
    pub mismatches: fn(&tokio_postgres::Statement) -> Vec<String>,
}

/// Every statement that is linked into this program.
#[distributed_slice]
pub static STATEMENTS: [RegisteredStatement];

/// The statements that a crate declares, by the crate's name as Rust sees it (`plaza_broadcast`).
pub fn registered_by(crate_name: &str) -> impl Iterator<Item = &'static RegisteredStatement> {
    STATEMENTS
        .iter()
        .filter(move |statement| statement.module.split("::").next() == Some(crate_name))
}

/// For the macro: compares a prepared statement with its declared types.
#[doc(hidden)]
pub fn mismatches<P: Params, T: Row>(statement: &tokio_postgres::Statement) -> Vec<String> {
    let mut found = P::mismatches(statement.params());
    found.extend(T::mismatches(statement.columns()));
    found
}

/// Declares and registers statements.
///
/// `system` before `static` says that the statement runs under the service's system login.
///
/// ```
/// plaza_database::statements! {
///     /// How many there are.
///     static COUNT: () => (i64,) = "SELECT count(*) FROM pg_catalog.pg_class";
/// }
/// assert!(COUNT.sql().starts_with("SELECT"));
/// ```
#[macro_export]
macro_rules! statements {
    () => {};
    (
        $(#[$meta:meta])* $visibility:vis system static $name:ident: $params:ty => $row:ty = $sql:expr;
        $($rest:tt)*
    ) => {
        $crate::statements!(@one System, [$(#[$meta])*] $visibility $name, $params, $row, $sql);
        $crate::statements!($($rest)*);
    };
    (
        $(#[$meta:meta])* $visibility:vis static $name:ident: $params:ty => $row:ty = $sql:expr;
        $($rest:tt)*
    ) => {
        $crate::statements!(@one Service, [$(#[$meta])*] $visibility $name, $params, $row, $sql);
        $crate::statements!($($rest)*);
    };
    (@one $role:ident, [$(#[$meta:meta])*] $visibility:vis $name:ident, $params:ty, $row:ty, $sql:expr) => {
        $(#[$meta])*
        $visibility static $name: $crate::Query<$params, $row> = {
            #[$crate::private::linkme::distributed_slice($crate::STATEMENTS)]
            #[linkme(crate = $crate::private::linkme)]
            static REGISTERED: $crate::RegisteredStatement = $crate::RegisteredStatement {
                module: ::core::module_path!(),
                name: ::core::stringify!($name),
                sql: $sql,
                role: $crate::StatementRole::$role,
                mismatches: $crate::statement_mismatches::<$params, $row>,
            };
            $crate::Query::declared($sql)
        };
    };
}

//! How a service says which of its columns hold sealed values: what is declared can be sealed into, is counted, and is
//! sealed anew.

use linkme::distributed_slice;
use plaza_database::{Query, row};
use plaza_kernel::{Scope, ServiceName};
use uuid::Uuid;

row! {
    /// One sealed value and where it is.
    #[derive(Debug, Clone)]
    pub struct SealedRow {
        /// Whose it is; none for the platform's.
        pub tenant: Option<Uuid>,
        /// The row's id as text.
        pub key: String,
        /// The value.
        pub sealed: String,
    }
}

/// A column of sealed values. Made by [`sealed!`](crate::sealed) only.
pub struct Sealed {
    /// `schema.table`.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// Values of the ring, and of these data keys, after this tenant and row.
    #[doc(hidden)]
    pub outdated: &'static Query<(Vec<String>, String, String, i64), SealedRow>,
    /// Puts another value where this one still stands: tenant, row, this, other.
    #[doc(hidden)]
    pub swap: &'static Query<(Option<Uuid>, String, String, String), ()>,
    /// How many values each key of the ring has sealed.
    #[doc(hidden)]
    pub of_the_ring: &'static Query<(), (String, i64)>,
}

/// Every column of sealed values that is linked into this program.
#[doc(hidden)]
#[distributed_slice]
pub static SEALED: [&'static Sealed];

/// The columns of sealed values that a service has.
pub fn registered(service: ServiceName) -> impl Iterator<Item = &'static Sealed> {
    let schema = move |column: &&'static Sealed| column.table.split('.').next() == Some(service.as_str());
    SEALED.iter().copied().filter(schema)
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

/// Whose a value is, as it is authenticated.
pub(crate) fn holder(scope: Scope) -> String {
    scope
        .tenant()
        .map_or_else(|| "platform".to_owned(), |tenant| tenant.to_string())
}

/// Declares and registers a column of sealed values: whose rows the table has (`tenants`, `platform`, or `scoped` where
/// `tenant_id` may be NULL), the table, its id with its type, and the column.
///
/// The system login has to be allowed to read the table and to update the column.
///
/// ```
/// plaza_vault::sealed! {
///     /// What senders show to their provider.
///     pub static TOKENS: tenants "shop.senders" (id: uuid) access_token;
/// }
/// assert_eq!(TOKENS.table, "shop.senders");
/// ```
#[macro_export]
macro_rules! sealed {
    ($(#[$meta:meta])* $visibility:vis static $name:ident: tenants $($rest:tt)*) => {
        $crate::sealed!(@one [$(#[$meta])*] $visibility $name, "tenant_id", "tenant_id = $1", $($rest)*);
    };
    ($(#[$meta:meta])* $visibility:vis static $name:ident: scoped $($rest:tt)*) => {
        $crate::sealed!(
            @one [$(#[$meta])*] $visibility $name, "tenant_id", "tenant_id IS NOT DISTINCT FROM $1", $($rest)*);
    };
    ($(#[$meta:meta])* $visibility:vis static $name:ident: platform $($rest:tt)*) => {
        $crate::sealed!(@one [$(#[$meta])*] $visibility $name, "NULL::uuid", "$1::uuid IS NULL", $($rest)*);
    };
    (
        @one [$(#[$meta:meta])*] $visibility:vis $name:ident, $tenant:literal, $is:literal,
        $table:literal ($id:ident: $type:ident) $column:ident;
    ) => {
        $(#[$meta])*
        $visibility static $name: $crate::Sealed = {
            $crate::private::statements! {
                /// A page of what is to be sealed anew.
                system static OUTDATED: (
                    ::std::vec::Vec<::std::string::String>, ::std::string::String, ::std::string::String, i64,
                ) => $crate::SealedRow = ::core::concat!(
                    "SELECT ", $tenant, " AS tenant, ", ::core::stringify!($id), "::text AS key, ",
                    ::core::stringify!($column), " AS sealed FROM ", $table,
                    " WHERE (starts_with(", ::core::stringify!($column), ", 'v1.')",
                    " OR split_part(", ::core::stringify!($column), ", '.', 2) = ANY ($1))",
                    " AND (coalesce(", $tenant, "::text, ''), ", ::core::stringify!($id), "::text) > ($2::text, $3::text)",
                    " ORDER BY coalesce(", $tenant, "::text, ''), ", ::core::stringify!($id), "::text LIMIT $4",
                );
                /// Only where the value is still the one that was read.
                system static SWAP: (
                    ::core::option::Option<$crate::private::Uuid>,
                    ::std::string::String, ::std::string::String, ::std::string::String,
                ) => () = ::core::concat!(
                    "UPDATE ", $table, " SET ", ::core::stringify!($column), " = $4",
                    " WHERE ", $is, " AND ", ::core::stringify!($id), " = $2::text::", ::core::stringify!($type),
                    " AND ", ::core::stringify!($column), " = $3",
                );
                /// How many values each key of the ring has sealed.
                system static OF_THE_RING: () => (::std::string::String, i64) = ::core::concat!(
                    "SELECT split_part(", ::core::stringify!($column), ", '.', 2), count(*) FROM ", $table,
                    " WHERE starts_with(", ::core::stringify!($column), ", 'v1.') GROUP BY 1",
                );
            }
            $crate::Sealed {
                table: $table,
                column: ::core::stringify!($column),
                outdated: &OUTDATED,
                swap: &SWAP,
                of_the_ring: &OF_THE_RING,
            }
        };

        const _: () = {
            #[$crate::private::linkme::distributed_slice($crate::SEALED)]
            #[linkme(crate = $crate::private::linkme)]
            static REGISTERED: &$crate::Sealed = &$name;
        };
    };
}

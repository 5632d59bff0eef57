//! Rows as types.

use postgres_types::FromSql;
use tokio_postgres::Column;

/// A type that one row of a result can be read as.
pub trait Row: Sized + Send + 'static {
    /// Reads it.
    ///
    /// # Errors
    /// When a column is missing or has another type.
    fn from_row(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error>;

    /// What does not fit the columns of the result; empty if all does.
    fn mismatches(columns: &[Column]) -> Vec<String>;
}

impl Row for () {
    fn from_row(_: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
        Ok(())
    }

    fn mismatches(columns: &[Column]) -> Vec<String> {
        if columns.is_empty() {
            Vec::new()
        } else {
            vec!["returns rows that nobody reads".to_owned()]
        }
    }
}

/// What keeps `T` from being read out of the column `name`.
#[doc(hidden)]
pub fn column_mismatch<T: for<'a> FromSql<'a>>(columns: &[Column], name: &str) -> Option<String> {
    let Some(column) = columns.iter().find(|column| column.name() == name) else {
        return Some(format!("no column `{name}`"));
    };
    (!<T as FromSql>::accepts(column.type_())).then(|| {
        format!(
            "`{name}`: {} is not {}",
            std::any::type_name::<T>(),
            column.type_()
        )
    })
}

macro_rules! tuple_row {
    ($($name:ident $at:tt)*) => {
        impl<$($name: for<'a> FromSql<'a> + Send + 'static),*> Row for ($($name,)*) {
            fn from_row(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
                Ok(($(row.try_get::<_, $name>($at)?,)*))
            }

            fn mismatches(columns: &[Column]) -> Vec<String> {
                let accepts: &[(fn(&postgres_types::Type) -> bool, &str)] =
                    &[$((<$name as FromSql>::accepts, std::any::type_name::<$name>())),*];
                if accepts.len() != columns.len() {
                    return vec![format!("{} columns read, {} returned", accepts.len(), columns.len())];
                }
                accepts
                    .iter()
                    .zip(columns)
                    .filter(|((accepts, _), column)| !accepts(column.type_()))
                    .map(|((_, rust), column)| format!("`{}`: {rust} is not {}", column.name(), column.type_()))
                    .collect()
            }
        }
    };
}

tuple_row!(A 0);
tuple_row!(A 0 B 1);
tuple_row!(A 0 B 1 C 2);
tuple_row!(A 0 B 1 C 2 D 3);
tuple_row!(A 0 B 1 C 2 D 3 E 4);
tuple_row!(A 0 B 1 C 2 D 3 E 4 F 5);
tuple_row!(A 0 B 1 C 2 D 3 E 4 F 5 G 6);
tuple_row!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);

/// Declares a struct that is read from a row: every field from the column of its name.
///
/// ```
/// plaza_database::row! {
///     /// A campaign as it is stored.
///     #[derive(Debug, Clone)]
///     pub struct Stored {
///         /// Its name.
///         pub name: String,
///         /// How many people it goes to.
///         pub recipients: i64,
///     }
/// }
/// ```
#[macro_export]
macro_rules! row {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $type:ty),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name {
            $($(#[$field_meta])* $field_visibility $field: $type),*
        }

        impl $crate::Row for $name {
            fn from_row(
                row: &$crate::private::tokio_postgres::Row,
            ) -> ::core::result::Result<Self, $crate::private::tokio_postgres::Error> {
                Ok(Self { $($field: row.try_get(::core::stringify!($field))?),* })
            }

            fn mismatches(columns: &[$crate::private::tokio_postgres::Column]) -> ::std::vec::Vec<::std::string::String> {
                [$($crate::column_mismatch::<$type>(columns, ::core::stringify!($field))),*]
                    .into_iter()
                    .flatten()
                    .collect()
            }
        }
    };
}

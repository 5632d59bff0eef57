//! The tables of this crate, made in the schema of every service that uses them.

use plaza_database::{Migration, migrations};

/// The shared migrations, to be given to `Schema::with`.
pub fn migrations() -> &'static [Migration] {
    migrations!["V20261122050000__once"]
}

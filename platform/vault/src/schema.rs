//! The table of this crate, made in every schema that seals.

use plaza_database::{Migration, migrations};

/// The shared migrations, to be given to `Schema::with`.
pub fn migrations() -> &'static [Migration] {
    migrations!["V20261122080000__data_keys"]
}

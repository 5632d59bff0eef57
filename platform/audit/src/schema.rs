//! The tables of this crate, made in every service's schema.

use plaza_database::{Migration, migrations};

/// The shared migrations, to be given to `Schema::with`.
pub fn migrations() -> &'static [Migration] {
    migrations!["V20261122090000__audit"]
}

//! The tables of this crate, made in every service's schema.

use plaza_database::{Migration, migrations};

/// The shared migrations, to be given to `Schema::with`.
pub fn migrations() -> &'static [Migration] {
    migrations![
        "V20261120090000__messaging",
        "V20261121024100__waiting_and_turns",
        "V20261121060500__tries_and_throttling",
    ]
}

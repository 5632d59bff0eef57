//! The table of this crate, made in the schema of every service that throttles.

use plaza_database::{Migration, migrations};

/// The shared migrations, to be given to `Schema::with`.
pub fn migrations() -> &'static [Migration] {
    migrations!["V20261122060000__throttle"]
}

//! All SQL about keys.

use chrono::{DateTime, Utc};

/// The row of `server_secrets` that opaque tokens are derived from.
pub(super) const SERVER_SECRET: &str = "opaque_tokens";

plaza_database::row! {
    /// The key that signs.
    pub(super) struct SigningKey {
        pub(super) kid: String,
        pub(super) sealed: String,
        pub(super) created_at: DateTime<Utc>,
    }
}

plaza_database::statements! {
    /// Conflicts with itself and with writers, not with readers.
    pub(super) static LOCK: () => () = "LOCK TABLE identity.signing_keys IN SHARE ROW EXCLUSIVE MODE";

    pub(super) static SECRET: (String,) => (String,) = "SELECT sealed FROM identity.server_secrets WHERE name = $1";

    pub(super) static ADD_SECRET: (String, String, DateTime<Utc>) => () =
        "INSERT INTO identity.server_secrets (name, sealed, created_at) VALUES ($1, $2, $3)";

    pub(super) static PRESENT_KEY: () => SigningKey =
        "SELECT kid, sealed, created_at
           FROM identity.signing_keys
          WHERE retire_at IS NULL
          ORDER BY created_at DESC
          LIMIT 1";

    pub(super) static ADD_KEY: (String, String, String, DateTime<Utc>) => () =
        "INSERT INTO identity.signing_keys (kid, sealed, public_jwk, created_at) VALUES ($1, $2, $3, $4)";

    pub(super) static RETIRE_KEYS: (DateTime<Utc>,) => () =
        "UPDATE identity.signing_keys SET retire_at = $1 WHERE retire_at IS NULL";

    pub(super) static FORGET_KEYS: (DateTime<Utc>,) => () =
        "DELETE FROM identity.signing_keys WHERE retire_at <= $1";

    pub(super) static SHOWN: (DateTime<Utc>,) => (String,) =
        "SELECT public_jwk
           FROM identity.signing_keys
          WHERE retire_at IS NULL OR retire_at > $1
          ORDER BY created_at";
}

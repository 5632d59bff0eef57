//! Names and passwords of the database roles.
//!
//! Passwords are derived, so nobody has to keep fourteen of them. Roles belong to the whole cluster: databases
//! that share a cluster have to share the role key.

use plaza_kernel::ServiceName;
use secrecy::{ExposeSecret, SecretString};

/// Owns everything, logs in nowhere.
pub(crate) const OWNER: &str = "plaza_owner";

/// The login of a service.
pub(crate) fn service_role(service: ServiceName) -> String {
    format!("plaza_{service}")
}

/// The system login of a service.
pub(crate) fn system_role(service: ServiceName) -> String {
    format!("plaza_{service}_system")
}

/// The derived password of a role: hex HMAC-SHA256(key, role name).
pub(crate) fn password(key: &SecretString, role: &str) -> SecretString {
    let mac = plaza_crypto::hmac_sha256(key.expose_secret().as_bytes(), role.as_bytes());
    hex::encode(mac).into()
}

/// The login of a service and its system login, each with the password that is derived from this key: for whoever gives
/// each service its own instead of the key.
pub fn derived_logins(key: &SecretString, service: ServiceName) -> [(String, SecretString); 2] {
    [service_role(service), system_role(service)].map(|role| {
        let password = password(key, &role);
        (role, password)
    })
}

/// What the server keeps instead of a password, and all it is ever told of one: statements are written to logs.
/// Different each time, because its salt is.
pub(crate) fn verifier(password: &SecretString) -> String {
    postgres_protocol::password::scram_sha_256(password.expose_secret().as_bytes())
}

/// Tells whether a role has the password of this key without telling the password. Kept as the role's comment.
pub(crate) fn password_mark(key: &SecretString, role: &str) -> String {
    let marked = format!("which password does {role} have");
    let mac = plaza_crypto::hmac_sha256(key.expose_secret().as_bytes(), marked.as_bytes());
    format!("plaza login {}", hex::encode(&mac[..12]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_depends_on_the_key_and_on_the_role() {
        let (one, other) = (SecretString::from("one"), SecretString::from("other"));
        let of = |key: &SecretString, role: &str| password(key, role).expose_secret().to_owned();
        assert_eq!(of(&one, "plaza_a"), of(&one, "plaza_a"));
        assert_ne!(of(&one, "plaza_a"), of(&one, "plaza_b"));
        assert_ne!(of(&one, "plaza_a"), of(&other, "plaza_a"));
        assert!(!password_mark(&one, "plaza_a").contains(&of(&one, "plaza_a")[..12]));
    }
}

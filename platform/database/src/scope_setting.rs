//! How a transaction learns whose rows it sees.

use plaza_kernel::Scope;
use uuid::fmt::Hyphenated;

/// `<begin>; SET LOCAL app.tenant_id = '<uuid>'`, or `''` for the platform. A typed UUID is the only thing that is
/// ever written into SQL text.
pub(crate) fn opening(begin: &str, scope: Scope) -> String {
    const SETTING: &str = "; SET LOCAL app.tenant_id = '";
    let mut text = String::with_capacity(begin.len() + SETTING.len() + Hyphenated::LENGTH + 1);
    text.push_str(begin);
    text.push_str(SETTING);
    if let Some(tenant) = scope.tenant() {
        text.push_str(
            tenant
                .as_uuid()
                .hyphenated()
                .encode_lower(&mut [0; Hyphenated::LENGTH]),
        );
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use plaza_kernel::{Clock, TenantId};

    use super::*;

    #[test]
    fn only_the_tenants_uuid_is_written_into_the_text() {
        let tenant = TenantId::generate(&Clock::system());
        assert_eq!(
            opening("BEGIN", tenant.into()),
            format!("BEGIN; SET LOCAL app.tenant_id = '{tenant}'")
        );
        assert_eq!(
            opening("BEGIN", Scope::Platform),
            "BEGIN; SET LOCAL app.tenant_id = ''"
        );
    }
}

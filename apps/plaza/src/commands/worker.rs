//! `plaza worker NAME…`: whose background work a process does.

use plaza_contracts::services::ALL;
use plaza_kernel::ServiceName;

/// The services of these names; all of them without a name.
///
/// # Errors
/// When a name is none.
pub(crate) fn named(names: &[String]) -> anyhow::Result<Vec<ServiceName>> {
    if names.is_empty() {
        return Ok(ALL.to_vec());
    }
    names
        .iter()
        .map(|name| {
            let known = ALL.into_iter().find(|service| service.as_str() == name);
            known.ok_or_else(|| {
                let names: Vec<&str> = ALL.iter().map(|service| service.as_str()).collect();
                anyhow::anyhow!("`{name}` is not a service; there are {}", names.join(", "))
            })
        })
        .collect()
}

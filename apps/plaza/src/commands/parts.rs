//! The names behind `plaza serve` and `plaza worker`.

use plaza_contracts::services::{ALL, GATEWAY};
use plaza_kernel::ServiceName;

use crate::hosting::Part;

/// What `serve` hosts: the parts of these names; everything without a name.
///
/// # Errors
/// When a name is none.
pub(crate) fn hosted(names: &[String]) -> anyhow::Result<Vec<Part>> {
    if names.is_empty() {
        return Ok(Part::all());
    }
    names
        .iter()
        .map(|name| match name == GATEWAY.as_str() {
            true => Ok(Part::Gateway),
            false => service(name, &[GATEWAY]).map(Part::Service),
        })
        .collect()
}

/// Whose work `worker` does: the services of these names; all of them without a name.
///
/// # Errors
/// When a name is none.
pub(crate) fn worked_on(names: &[String]) -> anyhow::Result<Vec<ServiceName>> {
    if names.is_empty() {
        return Ok(ALL.to_vec());
    }
    names.iter().map(|name| service(name, &[])).collect()
}

fn service(name: &str, further: &[ServiceName]) -> anyhow::Result<ServiceName> {
    let known = ALL.into_iter().find(|service| service.as_str() == name);
    known.ok_or_else(|| {
        let names: Vec<&str> = further
            .iter()
            .chain(&ALL)
            .map(|service| service.as_str())
            .collect();
        anyhow::anyhow!("`{name}` is not a service; there are {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use plaza_contracts::services::IDENTITY;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_gateway_can_be_hosted_and_has_no_work_of_its_own() {
        let parts = hosted(&names(&["gateway", "identity"])).unwrap();
        assert_eq!(parts, [Part::Gateway, Part::Service(IDENTITY)]);
        assert!(worked_on(&names(&["gateway"])).is_err());
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let told = hosted(&names(&["identiti"])).unwrap_err().to_string();
        assert!(
            told.contains("gateway, identity") && told.contains("identiti"),
            "{told}"
        );
    }

    #[test]
    fn no_name_means_all() {
        assert_eq!(hosted(&[]).unwrap(), Part::all());
        assert_eq!(worked_on(&[]).unwrap(), ALL);
    }
}

//! The table of who may call what.

use std::collections::BTreeSet;

use plaza_contracts::callers::{CALLERS, may_call};
use plaza_contracts::proto::DESCRIPTORS;
use plaza_contracts::services::{ACCESS, ALL, GATEWAY, NOTIFICATION};
use prost::Message;
use prost_types::FileDescriptorSet;

/// Every method of every service, as its path.
fn methods() -> BTreeSet<String> {
    let described = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut methods = BTreeSet::new();
    for file in described.file {
        for service in &file.service {
            for method in &service.method {
                methods.insert(format!(
                    "/{}.{}/{}",
                    file.package(),
                    service.name(),
                    method.name()
                ));
            }
        }
    }
    methods
}

#[test]
fn every_method_has_one_row_and_every_row_a_method() {
    let rows: BTreeSet<String> = CALLERS.iter().map(|(method, _)| (*method).to_owned()).collect();
    let (methods, none) = (methods(), Vec::<&String>::new());
    assert_eq!(
        methods.difference(&rows).collect::<Vec<_>>(),
        none,
        "without a row"
    );
    assert_eq!(
        rows.difference(&methods).collect::<Vec<_>>(),
        none,
        "without a method"
    );
    assert_eq!(rows.len(), CALLERS.len(), "a method has two rows");
}

#[test]
fn methods_are_named_after_the_service_that_has_them() {
    for method in methods() {
        let owner = method.split('.').nth(1).unwrap();
        assert!(ALL.iter().any(|service| service.as_str() == owner), "{method}");
    }
}

#[test]
fn what_is_not_in_the_table_may_be_called_by_nobody() {
    assert!(may_call("/plaza.access.v1.Access/Grants", NOTIFICATION));
    assert!(!may_call("/plaza.identity.v1.Accounts/LogIn", ACCESS));
    assert!(!may_call("/plaza.identity.v1.Accounts/Nothing", GATEWAY));
    assert!(!may_call("plaza.access.v1.Access/Grants", GATEWAY));
}

//! The table of who may call what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use plaza_contracts::callers::{CALLERS, may_call};
use plaza_contracts::proto::DESCRIPTORS;
use plaza_contracts::services::{ACCESS, ALL, GATEWAY, NOTIFICATION};
use plaza_kernel::ServiceName;
use prost::Message;
use prost_types::FileDescriptorSet;

/// A method, as its path, and what a caller has to name to call it.
struct Method {
    path: String,
    /// `access`, which is the module of its messages too.
    owner: String,
    /// `GrantsRequest`
    question: String,
}

fn all_methods() -> Vec<Method> {
    let described = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut methods = Vec::new();
    for file in &described.file {
        for service in &file.service {
            methods.extend(service.method.iter().map(|method| Method {
                path: format!("/{}.{}/{}", file.package(), service.name(), method.name()),
                owner: file.package().split('.').nth(1).unwrap().to_owned(),
                question: method.input_type().rsplit('.').next().unwrap().to_owned(),
            }));
        }
    }
    methods
}

/// Every method of every service, as its path.
fn methods() -> BTreeSet<String> {
    all_methods().into_iter().map(|method| method.path).collect()
}

/// Where the code is that calls in the name of somebody. The command line speaks for the front door; what all services
/// have from the contracts, they all do.
fn code_of_callers() -> Vec<(PathBuf, Vec<ServiceName>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut code = vec![
        (root.join("gateway/src"), vec![GATEWAY]),
        (root.join("apps/plaza/src"), vec![GATEWAY]),
        (root.join("contracts/src"), ALL.to_vec()),
    ];
    for service in ALL {
        code.push((root.join(format!("services/{service}/src")), vec![service]));
    }
    code
}

/// The files of Rust below a folder, but what is generated.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "gen") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

/// Whether a file makes the question of a method: it names the message, and the module that it is from.
fn asks(source: &str, method: &Method) -> bool {
    source.contains(&format!("proto::{}::", method.owner))
        && source
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == method.question)
}

#[test]
fn who_may_call_is_who_calls() {
    let methods = all_methods();
    let mut calls: BTreeMap<&str, BTreeSet<&str>> = methods
        .iter()
        .map(|method| (method.path.as_str(), BTreeSet::new()))
        .collect();
    for (folder, callers) in code_of_callers() {
        for source in sources(&folder) {
            // Who answers names the question too.
            let is_answered_here = |method: &&Method| folder.ends_with(format!("{}/src", method.owner));
            for method in methods.iter().filter(|method| !is_answered_here(method)) {
                if asks(&source, method) {
                    let names = callers.iter().map(|caller| caller.as_str());
                    calls.get_mut(method.path.as_str()).unwrap().extend(names);
                }
            }
        }
    }
    let mut called = 0;
    for (method, callers) in CALLERS {
        let allowed: BTreeSet<&str> = callers.iter().map(|caller| caller.as_str()).collect();
        assert_eq!(calls[method], allowed, "{method}: who calls it, and who may");
        called += usize::from(!allowed.is_empty());
    }
    assert!(
        called > 10,
        "the code was not found: only {called} methods are called"
    );
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

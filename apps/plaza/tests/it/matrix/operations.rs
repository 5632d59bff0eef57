//! The operations, as the running Plaza documents them: what is not in its document is not reachable, and what is in it
//! has a row in the matrix.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use crate::front::Front;

/// One operation of the document.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) method: Method,
    /// With its parameters: `/api/v1/broadcast/campaigns/{id}`.
    pub(super) path: String,
    pub(super) id: String,
    /// `x-plaza-access`.
    pub(super) rule: String,
    definition: Value,
}

/// Every operation of the live document, by path and method.
pub(super) async fn documented(plaza: &impl Front) -> (Vec<Operation>, Value) {
    let document = plaza.api().get("/openapi.json").await.ok();
    let paths = document["paths"].as_object().unwrap();
    let mut operations: Vec<Operation> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .iter()
                .map(move |(method, it)| operation(path, method, it))
        })
        .collect();
    operations
        .sort_by(|one, other| (&one.path, one.method.as_str()).cmp(&(&other.path, other.method.as_str())));
    (operations, document)
}

fn operation(path: &str, method: &str, definition: &Value) -> Operation {
    let text = |name: &str| {
        let found = definition[name].as_str();
        found
            .unwrap_or_else(|| panic!("{method} {path} has no {name}"))
            .to_owned()
    };
    Operation {
        method: method.to_ascii_uppercase().parse().unwrap(),
        path: path.to_owned(),
        id: text("operationId"),
        rule: text("x-plaza-access"),
        definition: definition.clone(),
    }
}

impl Operation {
    /// The collections whose objects the path names, in order: `["roles", "assignments"]`.
    pub(super) fn collections(&self) -> Vec<&str> {
        let segments: Vec<&str> = self.path.split('/').collect();
        segments
            .windows(2)
            .filter(|pair| pair[1].starts_with('{'))
            .map(|pair| pair[0])
            .collect()
    }

    /// The path with these ids in the places of its parameters.
    pub(super) fn at(&self, ids: &[String]) -> String {
        let mut ids = ids.iter();
        let mut filled = |segment: &str| match segment.starts_with('{') {
            true => ids.next().unwrap().clone(),
            false => segment.to_owned(),
        };
        self.path
            .split('/')
            .map(&mut filled)
            .collect::<Vec<_>>()
            .join("/")
    }

    /// Whether the operation shows a list of everything there is of a kind.
    pub(super) fn is_list(&self) -> bool {
        self.method == Method::GET && self.collections().is_empty() && self.parameters().contains("cursor")
    }

    /// The names of its query parameters.
    fn parameters(&self) -> BTreeSet<&str> {
        let parameters = self.definition["parameters"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        parameters
            .iter()
            .filter_map(|parameter| parameter["name"].as_str())
            .collect()
    }

    /// Every id that a caller may put into the query or the body, as `operation.name`.
    pub(super) fn ids_outside_the_path(&self, document: &Value) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let parameters = self.definition["parameters"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            collect(
                document,
                &parameter["schema"],
                parameter["name"].as_str().unwrap(),
                &mut names,
            );
        }
        collect(document, &self.definition["requestBody"], "body", &mut names);
        names.iter().map(|name| format!("{}.{name}", self.id)).collect()
    }
}

/// The names of properties whose type is an id: a text of format `uuid`.
fn collect(document: &Value, schema: &Value, name: &str, names: &mut BTreeSet<String>) {
    if schema["format"] == "uuid" {
        names.insert(name.to_owned());
    }
    match schema {
        Value::Object(members) => {
            for (key, member) in members {
                match (key.as_str(), member) {
                    ("$ref", Value::String(path)) => {
                        let target = document.pointer(path.trim_start_matches('#'));
                        collect(document, target.unwrap_or(&Value::Null), name, names);
                    }
                    ("properties", Value::Object(properties)) => {
                        properties
                            .iter()
                            .for_each(|(name, property)| collect(document, property, name, names));
                    }
                    _ => collect(document, member, name, names),
                }
            }
        }
        Value::Array(members) => members
            .iter()
            .for_each(|member| collect(document, member, name, names)),
        _ => {}
    }
}

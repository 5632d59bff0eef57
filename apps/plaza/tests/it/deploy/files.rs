//! What the files of `deploy/` say, with secrets of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_yaml_ng::Value;
use tempfile::TempDir;

use crate::fleet::SERVICES;
use crate::plaza::{folder, printed};

pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// A container of Plaza, as `compose.yaml` has it.
pub(super) struct Container {
    pub(super) name: String,
    pub(super) command: Vec<String>,
    pub(super) variables: BTreeMap<String, String>,
    /// Those of them that come from a file of secrets, and are no public key.
    pub(super) secrets: BTreeSet<String>,
    pub(super) published: bool,
}

impl Container {
    pub(super) fn serves(&self, service: &str) -> bool {
        self.command == ["serve", service]
    }
}

/// `deploy/` with secrets of its own.
pub(super) struct Deployment {
    compose: Value,
    pub(super) secrets: TempDir,
}

impl Deployment {
    pub(super) fn new() -> Self {
        Self::with("a role key that nobody has to guess")
    }

    pub(super) fn with(role_key: &str) -> Self {
        let mut compose: Value = serde_yaml_ng::from_str(&read("deploy/compose.yaml")).unwrap();
        // Once for each level: what is merged in may itself merge something in.
        for _ in 0..4 {
            compose.apply_merge().unwrap();
        }
        let secrets = folder();
        printed(&make_secrets(&secrets.path().join("secrets"), role_key));
        Self { compose, secrets }
    }

    /// Everything that runs the program.
    pub(super) fn containers(&self) -> Vec<Container> {
        let services = self.compose["services"].as_mapping().unwrap();
        let ours = services.iter().filter(|(_, service)| service["image"] == "plaza");
        let ours: Vec<Container> = ours
            .map(|(name, service)| self.container(name.as_str().unwrap(), service))
            .collect();
        assert!(ours.len() >= SERVICES.len(), "the file was read wrongly");
        ours
    }

    fn container(&self, name: &str, service: &Value) -> Container {
        let mut variables = BTreeMap::new();
        for file in texts(&service["env_file"]) {
            variables.extend(self.env_file(&file));
        }
        let secrets = variables.keys().filter(|name| !name.contains("__PUBLIC_KEYS__"));
        let secrets = secrets.cloned().collect();
        // What stands in the file wins over what stands in another, as it does for compose.
        if let Some(stated) = service["environment"].as_mapping() {
            variables.extend(stated.iter().map(|(name, value)| {
                (
                    name.as_str().unwrap().to_owned(),
                    value.as_str().unwrap().to_owned(),
                )
            }));
        }
        Container {
            name: name.to_owned(),
            command: texts(&service["command"]),
            variables,
            secrets,
            published: service.get("ports").is_some(),
        }
    }

    pub(super) fn env_file(&self, path: &str) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.secrets.path().join(path));
        let text = text.unwrap_or_else(|error| panic!("secrets.sh makes no {path}: {error}"));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

pub(super) fn make_secrets(folder: &Path, role_key: &str) -> Output {
    let mut script = Command::new(root().join("deploy/secrets.sh"));
    script
        .arg(folder)
        .env("PLAZA", env!("CARGO_BIN_EXE_plaza"))
        .env("PLAZA_DATABASE_ROLE_KEY", role_key);
    script.output().unwrap()
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_sequence().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

//! The document of the API, held against a running Plaza by a program that was made by others: Schemathesis generates requests
//! that the document allows and others that it forbids, one by one and in sequences that follow ids, and looks at each answer.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use plaza_testkit::python;
use serde_json::{Value, json};

use crate::client::Api;
use crate::plaza::Plaza;
use crate::story::{self, Tenant};

/// How many requests are generated for an operation, in each of the two ways that draw by chance.
const EXAMPLES: &str = "PLAZA_TEST_EXAMPLES";
const USUAL: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(900);
/// They end the session that asks, or the tenant it asks in; or their answer has no end; or the public does not find them. The
/// access matrix asks for each.
const LEFT_OUT: [&str; 12] = [
    "assign_internal_role",
    "change_password",
    "create_internal_user",
    "delete_tenant",
    "end_my_session",
    "end_user_sessions",
    "logout",
    "logout_all",
    "restore_tenant",
    "resume_tenant",
    "suspend_tenant",
    "watch_campaign",
];
/// Ours are in `hooks.py`.
/// Nothing here is in the state that they need, for long at least, or they need what only a mail or a provider's secret gives.
const NEVER_DONE: [&str; 18] = [
    "cancel_campaign",
    "cancel_import",
    "get_conversation",
    "list_conversation_messages",
    "pause_campaign",
    "read_conversation",
    "receive_meta_webhook",
    "receive_twilio_message",
    "receive_twilio_status",
    "reply_conversation",
    "reset_password",
    "resume_campaign",
    "retry_failed",
    "rotate_secret",
    "setup",
    "update_campaign",
    "verify_email",
    "verify_meta_webhook",
];
const CHECKS: [&str; 11] = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
    "use_after_free",
    "status_is_documented_by_itself",
    "errors_are_problems",
    "nothing_of_ours_is_told",
    "strangers_are_kept_out",
];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/conformance")
        .join(name)
}

/// A number from the environment.
fn number(name: &str, usual: u32) -> u32 {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
    let given = std::env::var(name).ok();
    given.map_or(usual, |text| text.parse().unwrap())
}

#[tokio::test]
async fn every_answer_is_one_that_the_document_names() {
    let bin = python::environment("schemathesis", &file("requirements.txt")).await;
    let mut plaza = Plaza::start().await;
    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    // Something to be found: a recipient, a template and a campaign.
    let ada = json!({"name": "Ada", "phone": "+4915117404120", "opted_in": true});
    acme.owner.post("/api/v1/broadcast/recipients", ada).await.ok();
    let template = story::template(&acme.owner).await;
    let campaign = story::campaign(&acme.owner, "Spring", &template).await;
    let known = known(&acme, &admin, (&template, &campaign)).await;

    let seed = number("PLAZA_TEST_SEED", rand::random::<u32>() >> 1);
    let examples = number(EXAMPLES, USUAL);
    println!("PLAZA_TEST_SEED={seed} {EXAMPLES}={examples}");
    // Of sequences more: most end where chance finds no next step.
    let settings = format!(
        "[generation]\nmax-examples = {examples}\n[phases.stateful]\nmax-steps = 12\n\
         [phases.stateful.generation]\nmax-examples = {}\n",
        examples * 8
    );
    std::fs::write(plaza.root().join("schemathesis.toml"), settings).unwrap();
    let log = plaza.root().join("schemathesis.log");
    let succeeded = plaza.root().join("succeeded.json");
    let out = std::fs::File::create(&log).unwrap();
    let mut run = tokio::process::Command::new(bin.join("st"));
    run.current_dir(plaza.root())
        .env("SCHEMATHESIS_HOOKS", file("hooks.py"))
        .env("PLAZA_ORIGIN", plaza.url(""))
        .env("PLAZA_ADMINISTRATOR", story::ADMINISTRATOR)
        .env("PLAZA_PASSWORD", story::PASSWORD)
        .env("PLAZA_KNOWN", known.to_string())
        .env("PLAZA_SUCCEEDED", &succeeded)
        .env("NO_COLOR", "1")
        .args(["run", &plaza.url("/openapi.json")])
        .args(["--phases", "examples,coverage,fuzzing,stateful"])
        .args(["--seed", &seed.to_string()])
        .args(["--checks", &CHECKS.join(",")])
        .args([
            "--workers",
            "2",
            "--request-timeout",
            "20",
            "--no-shrink",
            "--continue-on-failure",
        ])
        .args(["--suppress-health-check", "all", "--warnings", "off"]);
    for operation in LEFT_OUT {
        run.args(["--exclude-operation-id", operation]);
    }
    run.stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .kill_on_drop(true);
    let patience = PATIENCE * (1 + examples / 50);
    let ended = tokio::time::timeout(patience, run.status()).await;
    let told = std::fs::read_to_string(&log).unwrap();
    println!("{told}");
    let status = ended.expect("it does not end").unwrap();
    assert!(
        status.success(),
        "an answer is not one that the document names, with PLAZA_TEST_SEED={seed}"
    );
    // It has to have asked: a document that cannot be read is no success either, and who is always refused sees little.
    assert!(told.contains("Stateful") && told.contains("Coverage"), "{told}");
    let succeeded: Vec<String> = serde_json::from_slice(&std::fs::read(succeeded).unwrap()).unwrap();
    let document = plaza.api().get("/openapi.json").await.ok();
    let never = operations(&document).filter(|(method, id)| {
        let is = |known: &[&str]| known.contains(&id.as_str());
        // What is to be deleted has to be there still.
        method != "delete" && !is(&LEFT_OUT) && !is(&NEVER_DONE) && !succeeded.contains(id)
    });
    assert_eq!(never.collect::<Vec<_>>(), [], "never answered 2xx");
    assert_eq!(
        acme.owner.get("/api/v1/auth/me").await.status,
        200,
        "the session still stands"
    );
    plaza.stop().await;
}

/// One of each, by the collection that paths name.
async fn known(acme: &Tenant, admin: &Api, (template, campaign): (&str, &str)) -> Value {
    let first = async |path: &str| acme.owner.all(path).await[0]["id"].clone();
    let spare = json!({"slug": "spare", "name": "Spare", "admin_email": "owner@spare.example"});
    let spare = admin.post("/api/v1/admin/tenants", spare).await.ok();
    json!({
        "tenants": acme.id, "spare": spare["id"], "templates": template, "campaigns": campaign,
        "users": first("/api/v1/auth/users").await, "roles": first("/api/v1/admin/roles").await,
        "senders": first("/api/v1/notifications/senders").await,
        "recipients": first("/api/v1/broadcast/recipients").await, "config": "branding", "secrets": "messaging",
        "{namespace}": "token",
    })
}

/// The methods and ids of all operations.
fn operations(document: &Value) -> impl Iterator<Item = (String, String)> {
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap());
    operations.map(|(method, operation)| {
        (
            method.clone(),
            operation["operationId"].as_str().unwrap().to_owned(),
        )
    })
}

/// Whatever a tenant's own document of bodies allows, nobody may add a field that is not in it.
#[tokio::test]
async fn every_body_that_is_taken_is_closed_to_further_fields() {
    let mut plaza = Plaza::start().await;
    let document = plaza.api().get("/openapi.json").await.ok();
    let schemas = &document["components"]["schemas"];
    let mut closed = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(schema) = operation["requestBody"]["content"]["application/json"]["schema"].as_object()
            else {
                continue;
            };
            let name = schema
                .get("$ref")
                .and_then(|name| name.as_str())
                .and_then(|name| name.rsplit('/').next());
            let schema = name.map_or(
                &operation["requestBody"]["content"]["application/json"]["schema"],
                |name| &schemas[name],
            );
            // A document of a tenant's configuration has its own schemas, and a webhook's body is its provider's.
            if schema.get("properties").is_none() {
                continue;
            }
            assert_eq!(schema["additionalProperties"], false, "{method} {path}");
            closed += 1;
        }
    }
    assert!(closed > 10, "only {closed} bodies were found");
    plaza.stop().await;
}

//! `plaza import recipients FILE`: an import with a progress bar.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::Body;
use http::{Method, Request, header};
use indicatif::{ProgressBar, ProgressStyle};
use plaza_contracts::proto::tenancy::ResolveRequest;
use plaza_contracts::proto::tenancy::tenancy_client::TenancyClient;
use plaza_contracts::services::{BROADCAST, GATEWAY, TENANCY};
use plaza_kernel::{Caller, Clock, TenantId};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::operator::Operator;
use crate::assembly::Assembly;
use crate::config::{Config, Environment};
use crate::hosting::Hosting;
use crate::local::{Attached, Purpose};
use crate::process::assemble;

/// What is to be imported.
pub(crate) struct Wanted {
    /// The file.
    pub(crate) file: PathBuf,
    /// The tenant's slug.
    pub(crate) tenant: String,
    /// The country of numbers that name none.
    pub(crate) country: Option<String>,
    /// Whether only to find out what would become of each row.
    pub(crate) dry_run: bool,
}

/// Imports a file into a tenant and waits for the end of it.
///
/// # Errors
/// When file or tenant are not there, or the import failed.
pub(crate) async fn run(
    mut config: Config,
    environment: &Environment,
    wanted: &Wanted,
) -> anyhow::Result<()> {
    if !wanted.file.is_file() {
        bail!("{} is not a file", wanted.file.display());
    }
    let attached = Attached::find(&mut config, environment, Purpose::Parts(&Hosting::whole())).await?;
    let assembly = assemble(
        &config,
        Some(&attached.local),
        &Hosting::whole(),
        &Clock::system(),
        String::new(),
    )?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    // Whoever gets the lease does the work: this process, or the one that runs beside it.
    assembly.start(&[BROADCAST], &tasks, &stop);
    let result = import(&assembly, wanted).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    attached.release().await?;
    result
}

async fn import(assembly: &Assembly, wanted: &Wanted) -> anyhow::Result<()> {
    let tenant = tenant(assembly, &wanted.tenant).await?;
    let operator = Operator::new(assembly);
    let owner = operator.owner(tenant);
    let (status, reply) = operator.send(&owner, upload(wanted).await?).await?;
    if !status.is_success() {
        bail!(
            "the file was not taken: {}",
            reply["detail"].as_str().unwrap_or("refused")
        );
    }
    let id = reply["id"].as_str().context("the import has no id")?.to_owned();
    let done = watch(&operator, &owner, &id).await?;
    let counts = done["counts"].as_object().context("the import has no counts")?;
    for (class, count) in counts {
        println!("{class:<24} {count}");
    }
    for (name, known) in [
        ("would_create", "new recipients"),
        ("would_update", "known recipients"),
    ] {
        if let Some(count) = done[name].as_i64() {
            println!("{known:<24} {count}");
        }
    }
    match done["state"].as_str() {
        Some("failed") => bail!("the import failed: {}", done["error"]),
        Some("cancelled") => bail!("somebody ended the import"),
        _ => Ok(()),
    }
}

async fn tenant(assembly: &Assembly, slug: &str) -> anyhow::Result<TenantId> {
    let mut tenancy = TenancyClient::new(assembly.directory.acting_as(GATEWAY).transport(TENANCY));
    let found = tenancy
        .resolve(ResolveRequest {
            slug: slug.to_owned(),
        })
        .await;
    let tenant = found.map_err(|status| anyhow::anyhow!("tenant `{slug}`: {}", status.message()))?;
    tenant
        .into_inner()
        .tenant_id
        .parse()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

/// The file as a multipart request, read while it is sent.
async fn upload(wanted: &Wanted) -> anyhow::Result<Request<Body>> {
    const BOUNDARY: &str = "plaza-import-boundary-6f1d0c";
    let file: &Path = &wanted.file;
    let mapping = wanted.country.as_deref().map(|country| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"mapping\"\r\n\
             Content-Type: application/json\r\n\r\n{}\r\n",
            json!({"default_country": country})
        )
    });
    let dry_run = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"dry_run\"\r\n\r\n{}\r\n",
        wanted.dry_run
    );
    let name: String = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .replace(['"', '\r', '\n'], "_");
    let head = format!(
        "{}{dry_run}--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: text/csv\r\n\r\n",
        mapping.unwrap_or_default()
    );
    let content = tokio_util::io::ReaderStream::new(tokio::fs::File::open(file).await?);
    let framed = futures_util::stream::once(async move { Ok(bytes::Bytes::from(head)) });
    let tail =
        futures_util::stream::once(async { Ok(bytes::Bytes::from(format!("\r\n--{BOUNDARY}--\r\n"))) });
    let body = futures_util::StreamExt::chain(framed, futures_util::StreamExt::chain(content, tail));
    Ok(Request::builder()
        .method(Method::POST)
        .uri("/api/v1/broadcast/recipients/import")
        .header(
            header::CONTENT_TYPE,
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(Body::from_stream(body))?)
}

async fn watch(operator: &Operator<'_>, owner: &Caller, id: &str) -> anyhow::Result<Value> {
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {bytes}/{total_bytes} {msg}",
    )?);
    loop {
        let path = format!("/api/v1/broadcast/imports/{id}");
        let import = operator.must(owner, Method::GET, &path, Value::Null).await?;
        bar.set_length(import["bytes_total"].as_u64().unwrap_or_default());
        bar.set_position(import["bytes_done"].as_u64().unwrap_or_default());
        bar.set_message(format!("{} rows", import["rows_done"]));
        match import["state"].as_str() {
            Some("done" | "done_with_errors" | "failed" | "cancelled") => {
                bar.finish();
                return Ok(import);
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

//! What a process tells whoever started it: that it is ready, where it listens, and how to begin.
//!
//! The files belong to the process with the public listener. A worker beside it writes none: scripts,
//! and the person who sets up, look for the other one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use plaza_contracts::services::IDENTITY;
use secrecy::ExposeSecret;

use crate::addresses::Addresses;
use crate::assembly::Assembly;
use crate::hosting::Duty;
use crate::secrets::write_private;

/// Keeps the link that makes the first administrator in a file that only the operator can read, and says so; once it
/// was used, neither. Where identity is served from, and nowhere else.
///
/// Whoever holds the link becomes administrator. On a laptop the terminal is the operator's and shows it; what a server
/// prints is collected, kept and read by many: it is told there where the link is.
///
/// # Errors
/// When the link cannot be made or the file not be written.
pub(super) async fn offer_setup_link(
    assembly: &Assembly,
    duty: &Duty,
    folder: &Path,
    public_url: &str,
) -> anyhow::Result<()> {
    let Some(identity) = assembly
        .services
        .identity
        .as_ref()
        .filter(|_| assembly.hosting.serves.contains(&IDENTITY))
    else {
        return Ok(());
    };
    let path = folder.join("setup-link");
    match identity
        .setup_link()
        .await
        .context("no setup link could be made")?
    {
        Some(token) => {
            let link = format!("{public_url}/setup?token={}", token.expose_secret());
            write_private(&path, &format!("{link}\n"))?;
            match duty {
                Duty::Up => println!("setup link: {link}"),
                Duty::Serve(_) | Duty::Work(_) => println!("setup link: read it in {}", path.display()),
            }
        }
        None if path.exists() => std::fs::remove_file(&path)?,
        None => {}
    }
    Ok(())
}

/// Says that the process is ready, and where; keeps the addresses of one with a public listener for scripts.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn announce(addresses: Addresses, folder: &Path, begun: Instant) -> anyhow::Result<()> {
    if addresses.public.is_some() {
        addresses.write(folder)?;
    }
    let line = |name: &str, address: SocketAddr| println!("  {name:<10} http://{address}");
    println!(
        "plaza {} is ready in {:.1} s",
        plaza_telemetry::VERSION,
        begun.elapsed().as_secs_f64()
    );
    if let Some(public) = addresses.public {
        line("public", public);
    }
    line("internal", addresses.internal);
    if let Some(simulator) = addresses.simulator {
        line("simulator", simulator);
    }
    println!("  {:<10} {}", "data", as_seen_from_here(folder).display());
    Ok(())
}

fn as_seen_from_here(folder: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    folder.strip_prefix(here).unwrap_or(folder).to_path_buf()
}

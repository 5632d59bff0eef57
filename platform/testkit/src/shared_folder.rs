//! The folder of a server that test processes share: whose turn it is to start it, and its URL.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};

/// One process at a time; given back when the file is dropped, or its process ends.
pub(crate) async fn wait_for_turn(folder: &Path) -> Result<File> {
    if !folder.is_dir() {
        std::fs::create_dir_all(folder)?;
    }
    let path = folder.join("testkit.lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)?;
    Ok(tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await??)
}

/// What was written last, if anything was.
pub(crate) fn known_url(folder: &Path) -> Option<SecretString> {
    std::fs::read_to_string(folder.join("url"))
        .ok()
        .map(SecretString::from)
}

/// Writes the URL for the next process, whole or not at all.
pub(crate) fn write_url(folder: &Path, url: &SecretString) -> Result<()> {
    use std::io::Write;
    let unfinished = folder.join("url.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(url.expose_secret().as_bytes())?;
    Ok(std::fs::rename(&unfinished, folder.join("url"))?)
}

//! Making a new cluster: built beside its place and renamed when it is complete, so that a crash leaves none or all.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Stdio};

use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncWriteExt;

use super::account::Account;
use super::place::{Place, sync_folder, write_private};
use super::programs::Programs;
use super::{EmbeddedError, SUPERUSER};

const UNFINISHED: &str = "postgres.making-";

/// What happened to a new cluster.
pub(super) enum Made {
    /// It is there.
    Complete,
    /// The account cannot work in this place: another one is needed.
    Unreachable,
}

/// Makes the cluster of a place.
pub(super) async fn create(
    place: &Place,
    programs: &Programs,
    account: Account,
) -> Result<Made, EmbeddedError> {
    sweep(place.folder());
    let building = place.folder().join(format!("{UNFINISHED}{}", std::process::id()));
    DirBuilder::new()
        .mode(0o700)
        .create(&building)
        .map_err(EmbeddedError::io("make", &building))?;
    // Some file systems know no owners; then the cluster cannot live here either.
    if account.give(&building).is_err() || !can_enter(&building, account).await? {
        sweep(place.folder());
        return Ok(Made::Unreachable);
    }
    let password = match known_password(place)? {
        Some(password) => password,
        None => new_password(place)?,
    };
    let given = place
        .folder()
        .join(format!("{UNFINISHED}{}.password", std::process::id()));
    write_private(&given, password.expose_secret().as_bytes())?;
    account
        .give(&given)
        .map_err(EmbeddedError::io("hand over", &given))?;
    let made = initdb(&building, &given, programs, account).await;
    std::fs::remove_file(&given).map_err(EmbeddedError::io("remove", &given))?;
    made?;
    std::fs::rename(&building, place.data()).map_err(EmbeddedError::io("rename", &building))?;
    sync_folder(&place.data())?;
    Ok(Made::Complete)
}

async fn initdb(
    data: &Path,
    password: &Path,
    programs: &Programs,
    account: Account,
) -> Result<(), EmbeddedError> {
    let mut command = Command::new(programs.initdb());
    command.arg("--pgdata").arg(data).arg("--pwfile").arg(password);
    command.args([
        "--username",
        SUPERUSER,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]);
    // It is synced once, when it is complete.
    command.args(["--data-checksums", "--no-instructions", "--no-sync"]);
    run(command, account).await?;
    let mut command = Command::new(programs.initdb());
    command.arg("--sync-only").arg("--pgdata").arg(data);
    run(command, account).await
}

/// Tries it, because permissions are not all there is to it: lists, mount options, security modules.
async fn can_enter(folder: &Path, account: Account) -> Result<bool, EmbeddedError> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "cd \"$0\""]).arg(folder);
    match run(command, account).await {
        Ok(()) => Ok(true),
        Err(EmbeddedError::ProgramFailed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn run(command: Command, account: Account) -> Result<(), EmbeddedError> {
    run_with_input(command, account, b"").await
}

/// Runs a program as the account to its end. It is killed if nobody waits for it any more.
async fn run_with_input(mut command: Command, account: Account, input: &[u8]) -> Result<(), EmbeddedError> {
    account.prepare(&mut command);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| EmbeddedError::Io {
        what: format!("cannot run {program}: {source}"),
        source,
    };
    let mut child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // Taken and dropped here, so that the program sees the end of its input. One that does not read it is right too.
        let _ = stdin.write_all(input).await;
    }
    let output = child.wait_with_output().await.map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(EmbeddedError::ProgramFailed {
        program,
        output: String::from_utf8_lossy(&said).trim().to_owned(),
    })
}

/// Removes what an interrupted creation left. Best effort: it is in nobody's way.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let removed = if entry.path().is_dir() {
                std::fs::remove_dir_all(entry.path())
            } else {
                std::fs::remove_file(entry.path())
            };
            if let Err(error) = removed {
                tracing::warn!(%error, "an unfinished cluster could not be removed");
            }
        }
    }
}

/// The superuser's password, if this place has one.
pub(super) fn known_password(place: &Place) -> Result<Option<SecretString>, EmbeddedError> {
    let path = place.password();
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => Ok(Some(SecretString::from(text.trim().to_owned()))),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(EmbeddedError::io("read", &path)(error))
        }
        _ => Ok(None),
    }
}

/// Writes a password before the cluster is made, so that no cluster can exist without it.
fn new_password(place: &Place) -> Result<SecretString, EmbeddedError> {
    let password = plaza_crypto::random_token();
    write_private(&place.password(), password.expose_secret().as_bytes())?;
    Ok(password)
}

/// Gives the superuser of a stopped cluster a new password, because the file with the old one was lost.
pub(super) async fn replace_password(
    place: &Place,
    programs: &Programs,
    account: Account,
) -> Result<SecretString, EmbeddedError> {
    let password = plaza_crypto::random_token();
    // The token is URL-safe base64: nothing in it needs quoting.
    let statement = format!("ALTER ROLE {SUPERUSER} PASSWORD '{}'\n", password.expose_secret());
    let mut command = Command::new(programs.postgres());
    command
        .arg("--single")
        .arg("-D")
        .arg(place.data())
        .args(["-j", "postgres"]);
    run_with_input(command, account, statement.as_bytes()).await?;
    write_private(&place.password(), password.expose_secret().as_bytes())?;
    Ok(password)
}

//! The private cluster, with the installed programs and real processes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use plaza_database::embedded::{EmbeddedCluster, EmbeddedError, EmbeddedSettings};
use plaza_testkit::eventually;
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

/// A data folder that PostgreSQL's user can reach; `.plaza` in it does not exist yet.
fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    home
}

fn settings(home: &Path) -> EmbeddedSettings {
    EmbeddedSettings {
        folder: home.join(".plaza"),
        programs: None,
    }
}

async fn start(home: &Path) -> EmbeddedCluster {
    EmbeddedCluster::start(settings(home)).await.unwrap()
}

async fn ask(url: &SecretString, sql: &str) -> Vec<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the cluster is under test, not the pools"
    )]
    let (client, connection) = tokio_postgres::connect(url.expose_secret(), tokio_postgres::NoTls)
        .await
        .unwrap();
    let work = async {
        let answers = client.simple_query(sql).await.unwrap();
        answers
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .collect()
    };
    tokio::select! {
        answers = work => answers,
        broken = connection => panic!("the connection ended: {broken:?}"),
    }
}

async fn answers(url: &SecretString) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the cluster is under test, not the pools"
    )]
    let answer = tokio_postgres::connect(url.expose_secret(), tokio_postgres::NoTls).await;
    answer.is_ok()
}

fn kill(signal: &str, pid: u32) {
    assert!(
        Command::new("kill")
            .args([signal, &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

/// Processes of a cluster: all of them work in its folder.
fn processes_in(data: &Path) -> Vec<u32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data))
        .collect()
}

fn data_of(home: &Path) -> PathBuf {
    home.join(".plaza/postgres").canonicalize().unwrap()
}

#[tokio::test]
async fn a_new_cluster_is_private_durable_and_in_a_process_group_of_its_own() {
    let home = home();
    let began = Instant::now();
    let cluster = start(home.path()).await;
    println!("new cluster ready after {:?}", began.elapsed());

    let settings = ask(
        &cluster.url(),
        "SELECT name || '=' || setting FROM pg_catalog.pg_settings WHERE name IN
            ('fsync', 'full_page_writes', 'synchronous_commit', 'listen_addresses', 'max_connections',
             'data_checksums', 'lc_collate') ORDER BY name",
    )
    .await;
    for expected in [
        "fsync=on",
        "full_page_writes=on",
        "listen_addresses=",
        "max_connections=300",
        "data_checksums=on",
    ] {
        assert!(
            settings.contains(&expected.to_owned()),
            "{expected} is not among {settings:?}"
        );
    }
    let who = ask(
        &cluster.url(),
        "SELECT current_user || ' ' || current_database() || ' ' || rolsuper || rolcreaterole || rolbypassrls
           FROM pg_catalog.pg_roles WHERE rolname = current_user",
    )
    .await;
    assert_eq!(who, ["plaza_migrator plaza falsetruefalse"]);

    let socket = ask(&cluster.superuser_url(), "SHOW unix_socket_directories")
        .await
        .remove(0);
    let socket = std::fs::metadata(socket).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o700);
    assert_ne!(socket.uid(), 0);
    assert_eq!(
        std::fs::metadata(home.path().join(".plaza/postgres.password"))
            .unwrap()
            .mode()
            & 0o777,
        0o600
    );
    let pid = cluster.postmaster_pid();
    let group = Command::new("ps")
        .args(["-o", "pgid=,user=", "-p", &pid.to_string()])
        .output()
        .unwrap();
    let group = String::from_utf8(group.stdout).unwrap();
    assert!(
        group.trim().starts_with(&pid.to_string()),
        "`{group}` is not its own group"
    );
    assert!(!group.contains("root"));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_stopped_cluster_leaves_no_process_and_is_used_again() {
    let home = home();
    let first = start(home.path()).await;
    ask(
        &first.url(),
        "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)",
    )
    .await;
    let password = first.url();
    let socket = ask(&first.superuser_url(), "SHOW unix_socket_directories")
        .await
        .remove(0);
    assert!(!processes_in(&data_of(home.path())).is_empty());
    first.stop().await.unwrap();
    assert_eq!(processes_in(&data_of(home.path())), Vec::<u32>::new());
    assert!(!Path::new(&socket).exists());

    let began = Instant::now();
    let second = start(home.path()).await;
    println!("existing cluster ready after {:?}", began.elapsed());
    assert_eq!(ask(&second.url(), "SELECT n FROM kept").await, ["7"]);
    assert_eq!(second.url().expose_secret(), password.expose_secret());
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_plaza_on_the_same_folder_is_refused() {
    let home = home();
    let first = start(home.path()).await;
    let Err(refused) = EmbeddedCluster::start(settings(home.path())).await else {
        panic!("it was let in")
    };
    assert!(
        matches!(&refused, EmbeddedError::InUse { holder, .. } if *holder == std::process::id().to_string())
    );
    assert!(refused.to_string().contains("PLAZA_DATA"), "{refused}");
    assert_eq!(ask(&first.url(), "SELECT 1").await, ["1"]);
    first.stop().await.unwrap();
}

#[tokio::test]
async fn a_postmaster_that_survived_plaza_is_adopted() {
    let home = home();
    let first = start(home.path()).await;
    let pid = first.postmaster_pid();
    // What `kill -9` of Plaza leaves: a running postmaster, and a lock that the kernel gave back.
    first.leave_running();
    let second = start(home.path()).await;
    assert_eq!(second.postmaster_pid(), pid);
    assert_eq!(second.notes().len(), 1);
    assert_eq!(ask(&second.url(), "SELECT 1").await, ["1"]);
    second.stop().await.unwrap();
    assert_eq!(processes_in(&data_of(home.path())), Vec::<u32>::new());
}

#[tokio::test]
async fn a_postmaster_that_cannot_be_reached_any_more_is_replaced() {
    let home = home();
    let first = start(home.path()).await;
    let pid = first.postmaster_pid();
    let socket = ask(&first.superuser_url(), "SHOW unix_socket_directories")
        .await
        .remove(0);
    first.leave_running();
    std::fs::remove_dir_all(&socket).unwrap();
    let second = start(home.path()).await;
    assert_ne!(second.postmaster_pid(), pid);
    assert_eq!(ask(&second.url(), "SELECT 1").await, ["1"]);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_postmaster_loses_nothing_that_was_committed() {
    let home = home();
    let first = start(home.path()).await;
    ask(
        &first.url(),
        "CREATE TABLE kept (n int); INSERT INTO kept SELECT generate_series(1, 1000)",
    )
    .await;
    kill("-9", first.postmaster_pid());
    drop(first);
    let second = start(home.path()).await;
    assert_eq!(ask(&second.url(), "SELECT count(*) FROM kept").await, ["1000"]);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_postmaster_that_is_killed_while_plaza_runs_is_started_again() {
    let home = home();
    let cluster = start(home.path()).await;
    let (url, killed) = (cluster.url(), cluster.postmaster_pid());
    ask(&url, "CREATE TABLE kept (n int)").await;
    kill("-9", killed);
    let deadline = Instant::now() + Duration::from_secs(20);
    while cluster.postmaster_pid() == killed {
        assert!(Instant::now() < deadline, "nobody started it again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It recovers first; whoever asks meanwhile is refused.
    eventually(Duration::from_secs(20), || answers(&url)).await;
    assert_eq!(ask(&url, "SELECT count(*) FROM kept").await, ["0"]);
    cluster.stop().await.unwrap();
    assert_eq!(processes_in(&data_of(home.path())), Vec::<u32>::new());
}

#[tokio::test]
async fn a_process_id_that_another_program_has_by_now_does_not_keep_the_cluster_down() {
    let home = home();
    let first = start(home.path()).await;
    let pid = first.postmaster_pid();
    kill("-9", pid);
    drop(first);
    let data = data_of(home.path());
    let mut other = Command::new("sleep");
    std::os::unix::process::CommandExt::uid(&mut other, std::fs::metadata(&data).unwrap().uid());
    let mut other = other.arg("60").stdin(Stdio::null()).spawn().unwrap();
    let file = data.join("postmaster.pid");
    let stale =
        std::fs::read_to_string(&file)
            .unwrap()
            .replacen(&pid.to_string(), &other.id().to_string(), 1);
    std::fs::write(&file, stale).unwrap();

    let second = start(home.path()).await;
    assert_eq!(ask(&second.url(), "SELECT 1").await, ["1"]);
    second.stop().await.unwrap();
    assert_eq!(other.try_wait().unwrap(), None, "a stranger was killed");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[tokio::test]
async fn a_folder_that_was_deleted_under_its_server_gets_a_new_one() {
    let home = home();
    let first = start(home.path()).await;
    let pid = first.postmaster_pid();
    first.leave_running();
    std::fs::remove_dir_all(home.path().join(".plaza")).unwrap();
    let second = start(home.path()).await;
    assert!(
        !Path::new(&format!("/proc/{pid}")).join("cwd").exists(),
        "the old server still runs"
    );
    assert_eq!(ask(&second.url(), "SELECT 1").await, ["1"]);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn dropping_the_cluster_ends_the_postmaster_too() {
    let home = home();
    drop(start(home.path()).await);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !processes_in(&data_of(home.path())).is_empty() {
        assert!(Instant::now() < deadline, "it still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_interrupted_creation_is_forgotten() {
    let home = home();
    let leftover = home.path().join(".plaza/postgres.making-1");
    std::fs::create_dir_all(leftover.join("base")).unwrap();
    let cluster = start(home.path()).await;
    assert!(!leftover.exists());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_lost_password_is_replaced() {
    let home = home();
    let first = start(home.path()).await;
    first.stop().await.unwrap();
    std::fs::remove_file(home.path().join(".plaza/postgres.password")).unwrap();
    let second = start(home.path()).await;
    assert_eq!(ask(&second.url(), "SELECT 1").await, ["1"]);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_the_unprivileged_user_cannot_reach_moves_the_cluster_and_says_so() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return; // An unprivileged Plaza runs PostgreSQL as itself.
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let first = start(home.path()).await;
    let note = first.notes().first().cloned().unwrap_or_default();
    let moved = note
        .split_whitespace()
        .find(|word| word.starts_with("/var/lib/plaza/"))
        .unwrap()
        .to_owned();
    ask(&first.url(), "CREATE TABLE kept (n int)").await;
    first.stop().await.unwrap();

    // The note is kept in the folder, so that another name of it leads to the same cluster.
    let renamed = home.path().join("renamed");
    std::fs::rename(home.path().join(".plaza"), &renamed).unwrap();
    let second = EmbeddedCluster::start(EmbeddedSettings {
        folder: renamed,
        programs: None,
    })
    .await
    .unwrap();
    assert_eq!(ask(&second.url(), "SELECT count(*) FROM kept").await, ["0"]);
    assert!(second.notes()[0].contains(&moved));
    second.stop().await.unwrap();
    std::fs::remove_dir_all(moved).unwrap();
}

#[tokio::test]
async fn a_disposable_cluster_is_not_taken_for_a_durable_one() {
    let home = home();
    let disposable = EmbeddedCluster::start_disposable(settings(home.path()))
        .await
        .unwrap();
    let pid = disposable.postmaster_pid();
    disposable.leave_running();
    let durable = start(home.path()).await;
    assert_ne!(durable.postmaster_pid(), pid);
    assert_eq!(ask(&durable.superuser_url(), "SHOW fsync").await, ["on"]);
    durable.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_without_programs_is_named() {
    let home = home();
    let settings = EmbeddedSettings {
        programs: Some(home.path().to_owned()),
        ..settings(home.path())
    };
    let Err(refused) = EmbeddedCluster::start(settings).await else {
        panic!("it started")
    };
    assert!(
        refused.to_string().contains(home.path().to_str().unwrap()),
        "{refused}"
    );
}

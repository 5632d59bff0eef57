//! The shared cluster.

use std::os::unix::fs::PermissionsExt;

use plaza_testkit::cluster::{start_shared, stop_shared};
use secrecy::ExposeSecret;

#[tokio::test]
async fn the_shared_cluster_is_started_once_and_stopped_on_demand() {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let folder = home.path().join("testdb");
    // Several processes of a test run come at the same time.
    let (first, second) = tokio::join!(start_shared(&folder), start_shared(&folder));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.expose_secret(), second.expose_secret());
    let pid = postmaster(&folder);
    start_shared(&folder).await.unwrap();
    assert_eq!(postmaster(&folder), pid);
    stop_shared(&folder).await.unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).join("cwd").exists());
    stop_shared(&folder).await.unwrap();
}

fn postmaster(folder: &std::path::Path) -> String {
    let file = std::fs::read_to_string(folder.join("postgres/postmaster.pid")).unwrap();
    file.lines().next().unwrap().to_owned()
}

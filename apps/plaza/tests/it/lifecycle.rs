//! How Plaza starts and ends.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::plaza::{Plaza, complaint, folder, free_address};
use crate::{process, story};

/// Ready with a new cluster.
const NEW: Duration = Duration::from_secs(5);
/// Ready with an existing one.
const EXISTING: Duration = Duration::from_secs(2);
/// How much longer it may take on a machine that has other things to do: nothing, so far even without optimisation.
const ALLOWANCE: u32 = 1;

#[tokio::test]
async fn it_is_ready_in_seconds() {
    let mut plaza = Plaza::start().await;
    let first = (plaza.took(), ready_in(&plaza));
    plaza.stop().await;
    plaza.restart().await;
    let second = (plaza.took(), ready_in(&plaza));
    println!(
        "new cluster: {:.2?}, printed {:.1} s; existing cluster: {:.2?}, printed {:.1} s",
        first.0, first.1, second.0, second.1
    );
    assert!(first.0 < NEW * ALLOWANCE, "{:?} with a new cluster", first.0);
    assert!(
        second.0 < EXISTING * ALLOWANCE,
        "{:?} with an existing cluster",
        second.0
    );
    for (took, printed) in [first, second] {
        assert!(
            printed <= took.as_secs_f64() + 0.1,
            "it says {printed} s, the clock says {took:?}"
        );
    }
    plaza.stop().await;
}

/// The time that it prints, in seconds.
fn ready_in(plaza: &Plaza) -> f64 {
    let printed = plaza.stdout();
    let (_, time) = printed.split_once(" is ready in ").unwrap();
    time.split_once(" s\n").unwrap().0.parse().unwrap()
}

#[tokio::test]
async fn it_says_where_it_listens_and_how_to_begin_until_somebody_has() {
    let mut plaza = Plaza::start().await;
    let printed = plaza.stdout();
    for listener in ["public", "internal", "simulator"] {
        let address = plaza.addresses()[format!("{listener}_url")]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            printed.contains(&format!("  {listener:<10} {address}\n")),
            "{printed}"
        );
    }
    let link = plaza.url(&format!("/setup?token={}", plaza.setup_token()));
    assert!(printed.contains(&format!("setup link: {link}\n")), "{printed}");
    assert_eq!(plaza.api().get("/setup").await.status, 200);
    for private in ["setup-link", "secrets.toml", "addresses.json", "database-url"] {
        let mode = std::fs::metadata(plaza.data().join(private))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{private}");
    }

    let token = plaza.setup_token();
    story::administrator(&plaza).await;
    let again = json!({"token": token, "email": "second@plaza.example", "password": story::PASSWORD});
    plaza
        .api()
        .post("/api/v1/auth/setup", again)
        .await
        .assert_failed(400, "SETUP_LINK_INVALID");
    plaza.stop().await;
    plaza.restart().await;
    assert!(!plaza.stdout().contains("setup link"), "{}", plaza.stdout());
    assert!(!plaza.data().join("setup-link").exists());
    plaza.stop().await;
}

#[tokio::test]
async fn ctrl_c_stops_everything_that_was_started() {
    let mut plaza = Plaza::start().await;
    let postmaster = plaza.postmaster().expect("a database of its own");
    let mut started = process::children(plaza.pid());
    started.extend(process::children(postmaster.pid));
    assert!(
        started.contains(&postmaster.pid) && started.len() > 3,
        "{started:?}"
    );
    let listeners: Vec<String> = ["public", "internal", "simulator"]
        .map(|name| plaza.addresses()[name].as_str().unwrap().to_owned())
        .into();

    let status = plaza.end_by(Signal::INT).await;

    assert!(status.success(), "{status}\n{}", plaza.stderr());
    assert!(
        plaza
            .stdout()
            .ends_with("SIGINT: stopping; once more to stop at once\nstopped\n"),
        "{}",
        plaza.stdout()
    );
    let left: Vec<u32> = started
        .into_iter()
        .filter(|pid| process::is_alive(*pid))
        .collect();
    assert_eq!(left, Vec::<u32>::new(), "left behind");
    for address in listeners {
        assert!(TcpStream::connect(&address).is_err(), "{address} still listens");
    }
    assert!(
        !postmaster.socket.exists(),
        "{} was left behind",
        postmaster.socket.display()
    );
}

#[tokio::test]
async fn kill_9_and_start_again_loses_nothing() {
    let mut plaza = Plaza::start().await;
    let link = plaza.setup_token();
    plaza.kill();
    plaza.restart().await;
    assert_eq!(plaza.setup_token(), link, "a link that somebody may hold already");

    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    let ada = json!({"name": "Ada", "phone": "+12025550101", "opted_in": true});
    let ada = acme.owner.post("/api/v1/broadcast/recipients", ada).await.ok();
    // Accepted, and nothing of what follows from it has had time to happen.
    let late = json!({"slug": "late", "name": "Late", "admin_email": "owner@late.example"});
    let late = admin.post("/api/v1/admin/tenants", late).await.ok();
    plaza.kill();
    assert!(
        plaza.postmaster().is_some(),
        "the database does not die with Plaza"
    );
    plaza.restart().await;

    // The sessions too: nobody has to log in again.
    let admin = plaza.api().with_token(admin.token().unwrap());
    let owner = plaza.api().with_token(acme.owner.token().unwrap());
    assert_eq!(
        owner.get("/api/v1/auth/me").await.ok()["tenant_id"],
        json!(acme.id)
    );
    assert_eq!(owner.all("/api/v1/broadcast/recipients").await, [ada]);
    assert_eq!(
        admin
            .get(&format!("/api/v1/admin/tenants/{}", acme.id))
            .await
            .ok()["slug"],
        json!(acme.slug)
    );
    story::owner_link(&admin, late["id"].as_str().unwrap()).await;
    plaza.stop().await;
}

#[tokio::test]
async fn a_second_plaza_on_the_same_folder_is_refused() {
    let mut plaza = Plaza::start().await;
    let told = complaint(&plaza.run(&[]).await);
    assert!(
        told.contains(&format!("another Plaza (process {}) uses ", plaza.pid())),
        "{told}"
    );
    assert!(told.contains("PLAZA_DATA"), "{told}");
    assert_eq!(
        plaza.api().get("/readyz").await.status,
        200,
        "the first one does not mind"
    );
    plaza.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_told_with_the_setting_that_chooses_another() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let plaza = Plaza::builder().env("PLAZA_LISTEN", address).prepare(folder());
    let told = complaint(&plaza.run(&[]).await);
    assert!(told.contains(&format!("cannot listen on {address}")), "{told}");
    assert!(told.contains("server.listen"), "{told}");
    assert!(!plaza.data().join("postgres").exists(), "nothing was begun");
}

#[tokio::test]
async fn a_chosen_port_is_kept() {
    let address = free_address();
    let mut plaza = Plaza::builder()
        .arg("up")
        .arg("--listen")
        .arg(&address)
        .start()
        .await;
    assert_eq!(plaza.url(""), format!("http://{address}"));
    plaza.kill();
    plaza.restart().await;
    assert_eq!(plaza.url(""), format!("http://{address}"));
    plaza.stop().await;
}

#[tokio::test]
async fn the_second_signal_ends_it_at_once() {
    let mut plaza = Plaza::builder()
        .env("PLAZA_SERVER__DRAIN_DELAY_MILLISECONDS", 60_000)
        .start()
        .await;
    process::signal(plaza.pid(), Signal::TERM);
    while !plaza.stdout().contains("stopping") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let api = plaza.api();
    let unready = api.get("/readyz").await;
    assert_eq!(
        unready.status,
        503,
        "load balancers are to look elsewhere: {}",
        unready.text()
    );
    assert_eq!(api.get("/livez").await.status, 200);
    let status = plaza.end_by(Signal::INT).await;
    assert_eq!(status.code(), Some(1));
    assert!(
        plaza.stderr().contains("stopped before everything had ended"),
        "{}",
        plaza.stderr()
    );
    assert!(plaza.postmaster().is_none(), "the database was left behind");
}

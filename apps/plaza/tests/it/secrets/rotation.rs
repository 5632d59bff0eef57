//! The encryption key is replaced in the steps of `docs/operations.md`, while people go on.

use std::process::Output;
use std::time::Duration;

use plaza_crypto::KeyRing;
use secrecy::ExposeSecret;

use super::load::{Load, Site};
use crate::fleet::Fleet;
use crate::front::Front;
use crate::plaza::{Plaza, complaint, folder, printed};

/// Those that keep sealed values.
const SEALING: [&str; 3] = ["identity", "tenancy", "notification"];
/// How long everything is up between two of them: the gateway sees that one is back before the other one goes.
const PAUSE: Duration = Duration::from_secs(1);
/// Nobody but the provider makes a message fail.
const NO_FAILURES: (&str, &str) = ("PLAZA_SIMULATOR__FAILURE_RATE", "0.0");

/// The id of a key: what stands before the colon.
fn id(key: &str) -> &str {
    key.split(':').next().unwrap()
}

/// Every process that seals is started anew, one after the other, with these keys.
async fn told(fleet: &mut Fleet, keys: &str) {
    fleet.tell("ENCRYPTION_KEY", keys);
    let sealing = fleet
        .names()
        .into_iter()
        .filter(|name| SEALING.iter().any(|service| name.starts_with(service)));
    for name in sealing.collect::<Vec<_>>() {
        let status = fleet.end(&name).await;
        assert!(status.success(), "{name}: {status}\n{}", fleet.stderr(&name));
        fleet.restart(&name).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Nothing is sealed with the old key any more, by what `secrets retire` and `secrets status` say.
fn is_not_needed(old: &str, retired: &Output, status: &Output) {
    let (retired, status) = (printed(retired), printed(status));
    assert!(retired.contains("take it out"), "{retired}");
    let uses = status.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let (of_the_old, others): (Vec<_>, Vec<_>) = uses.partition(|used| used[1] == id(old));
    let counts: Vec<_> = of_the_old.iter().map(|used| (used[2], used[3])).collect();
    assert_eq!(counts, [("0", "0"); SEALING.len()], "{status}");
    assert!(others.iter().all(|used| used[2] != "0"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_encryption_key_is_replaced_under_load_and_nobody_notices_in_pieces() {
    let builder = SEALING
        .into_iter()
        .fold(Fleet::builder(), |builder, part| builder.count(part, 2));
    let mut fleet = builder
        .count("worker-notification", 0)
        .count("worker-broadcast", 0)
        .simulated(NO_FAILURES.0, NO_FAILURES.1)
        .env("PLAZA_SERVER__DRAIN_DELAY_MILLISECONDS", 1000)
        .start()
        .await;
    let place = folder();
    let site = Site::open(&fleet, place.path()).await;
    let old = fleet.variable("ENCRYPTION_KEY");
    let new = printed(&fleet.run(&["secrets", "new-key"]).await)
        .trim()
        .to_owned();
    assert!(complaint(&fleet.run(&["secrets", "retire", id(&old)]).await).contains("still sealed"));

    let load = Load::begin(&site);
    // First all have to know the new key; then it seals; then the old one goes.
    told(&mut fleet, &format!("{old},{new}")).await;
    load.goes_on().await;
    told(&mut fleet, &format!("{new},{old}")).await;
    load.goes_on().await;
    let (retire, status) = (["secrets", "retire", id(&old)], ["secrets", "status"]);
    // More than is asked for: every tenant's own key too, under values that are in use.
    for rotate in [&["secrets", "rotate"][..], &["secrets", "rotate", "--data-keys"]] {
        printed(&fleet.run(rotate).await);
        load.goes_on().await;
        is_not_needed(&old, &fleet.run(&retire).await, &fleet.run(&status).await);
    }
    told(&mut fleet, &new).await;
    load.goes_on().await;
    load.end().await;
    let left = printed(&fleet.run(&status).await);
    assert!(!left.contains(id(&old)), "{left}");
    site.works().await;
    fleet.stop().await;
}

/// One process has to be away for a moment to be told of another key. That is all that anybody notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_encryption_key_is_replaced_under_load_and_nobody_notices_in_one_process() {
    let (old, new) = (KeyRing::generate(), KeyRing::generate());
    let (old, new) = (old.expose_secret(), new.expose_secret());
    let mut plaza = Plaza::builder()
        .env("ENCRYPTION_KEY", old)
        .env(NO_FAILURES.0, NO_FAILURES.1)
        .start()
        .await;
    let place = folder();
    let mut site = Site::open(&plaza, place.path()).await;
    assert!(complaint(&plaza.run(&["secrets", "retire", id(old)]).await).contains("still sealed"));
    plaza.stop().await;
    plaza.set("ENCRYPTION_KEY", Some(&format!("{new},{old}")));
    plaza.restart().await;
    site.at(&plaza);

    let load = Load::begin(&site);
    load.goes_on().await;
    let (retire, status) = (["secrets", "retire", id(old)], ["secrets", "status"]);
    for rotate in [&["secrets", "rotate"][..], &["secrets", "rotate", "--data-keys"]] {
        printed(&plaza.run(rotate).await);
        load.goes_on().await;
        is_not_needed(old, &plaza.run(&retire).await, &plaza.run(&status).await);
    }
    load.end().await;
    plaza.stop().await;
    plaza.set("ENCRYPTION_KEY", Some(new));
    plaza.restart().await;
    site.at(&plaza);
    let left = printed(&plaza.run(&status).await);
    assert!(!left.contains(id(old)), "{left}");
    site.works().await;
    plaza.stop().await;
}

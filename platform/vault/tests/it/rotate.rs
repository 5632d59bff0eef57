//! Sealing anew.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use plaza_kernel::TenantId;
use plaza_vault::{KeyUse, Rotated, Upgrade, Vault, VaultError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::archive::Archive;

async fn rotate(vault: &Vault, upgrade: Upgrade) -> Rotated {
    vault.rotate(upgrade, &CancellationToken::new()).await.unwrap()
}

async fn uses(vault: &Vault, key: &str) -> (i64, i64) {
    let status = vault.status().await.unwrap();
    let used = status.into_iter().find(|used| used.key == key);
    used.map_or(
        (0, 0),
        |KeyUse {
             data_keys, values, ..
         }| (data_keys, values),
    )
}

#[tokio::test]
async fn a_new_key_wraps_the_data_keys_anew_and_leaves_the_values_alone() {
    let archive = Archive::open().await;
    let old = archive.vault("a");
    let mut letters = Vec::new();
    for text in ["one", "two", "three"] {
        letters.push((archive.tenant_with(&old, text).await, text));
    }
    let before = archive.sealed(letters[0].0.0, letters[0].0.1).await;

    let both = archive.vault("ba");
    assert_eq!(uses(&both, "a").await, (3, 0));
    let expected = Rotated {
        data_keys: 3,
        ..Rotated::default()
    };
    assert_eq!(rotate(&both, Upgrade::Begun).await, expected);
    assert!(rotate(&both, Upgrade::Begun).await.is_nothing());
    assert_eq!((uses(&both, "a").await, uses(&both, "b").await), ((0, 0), (3, 0)));

    // One that was not started anew since it was told of the new key, and one that knows no other.
    let (late, new) = (archive.vault("ab"), archive.vault("b"));
    new.check().await.unwrap();
    let ((tenant, id), _) = letters[0];
    assert_eq!(archive.sealed(tenant, id).await, before);
    for ((tenant, id), text) in letters {
        assert_eq!(archive.read(&new, tenant, id).await.unwrap(), text);
        assert_eq!(archive.read(&late, tenant, id).await.unwrap(), text);
    }
}

#[tokio::test]
async fn more_than_a_page_is_sealed_anew() {
    let archive = Archive::open().await;
    let letters = archive.write_by_the_ring("a", 450).await;
    let vault = archive.vault("ba");
    let rotated = rotate(&vault, Upgrade::Yes).await;
    assert_eq!((rotated.values, rotated.stuck), (450, 0));
    assert_eq!(uses(&vault, "a").await, (0, 0));
    let new = archive.vault("b");
    for (tenant, id) in [letters[0], letters[449]] {
        assert_eq!(archive.read(&new, tenant, id).await.unwrap(), "old");
        assert!(archive.sealed(tenant, id).await.starts_with("v2."));
    }
}

#[tokio::test]
async fn beside_programs_from_before_the_vault_values_stay_in_the_form_that_they_can_read() {
    let archive = Archive::open().await;
    let (tenant, id) = archive.write_by_the_ring("a", 1).await[0];
    let vault = archive.vault("ba");

    // A new first key: sealed anew, in the old form.
    let rotated = rotate(&vault, Upgrade::Begun).await;
    assert_eq!(rotated.values, 1);
    assert!(archive.sealed(tenant, id).await.starts_with("v1.b."));
    archive.write(&vault, tenant, id, "new").await;
    assert!(archive.sealed(tenant, id).await.starts_with("v1.b."));
    assert!(rotate(&vault, Upgrade::Begun).await.is_nothing());

    // Until somebody says that there are none.
    assert_eq!(rotate(&vault, Upgrade::Yes).await.values, 1);
    assert!(archive.sealed(tenant, id).await.starts_with("v2."));
    let other = archive.vault("b");
    assert_eq!(archive.read(&other, tenant, id).await.unwrap(), "new");
    archive.write(&other, tenant, id, "newer").await;
    assert!(archive.sealed(tenant, id).await.starts_with("v2."));
}

#[tokio::test]
async fn what_a_retired_data_key_sealed_is_sealed_anew() {
    let archive = Archive::open().await;
    let vault = archive.vault("a");
    let (tenant, id) = archive.tenant_with(&vault, "one").await;
    let before = archive.sealed(tenant, id).await;
    assert_eq!(
        vault.retire_data_keys(Duration::from_secs(3600)).await.unwrap(),
        0
    );
    assert_eq!(vault.retire_data_keys(Duration::ZERO).await.unwrap(), 1);
    assert_eq!(
        archive.read(&archive.vault("a"), tenant, id).await.unwrap(),
        "one"
    );

    assert_eq!(rotate(&vault, Upgrade::Begun).await.values, 1);
    let after = archive.sealed(tenant, id).await;
    let key = |sealed: &str| sealed.split('.').nth(1).unwrap().to_owned();
    assert_ne!(key(&before), key(&after));
    assert_eq!(
        archive.read(&archive.vault("a"), tenant, id).await.unwrap(),
        "one"
    );
    assert!(rotate(&vault, Upgrade::Begun).await.is_nothing());
}

#[tokio::test]
async fn what_was_interrupted_is_finished_by_the_next_pass() {
    let archive = Archive::open().await;
    archive.write_by_the_ring("a", 500).await;
    let vault = archive.vault("ba");
    // Told to stop before it begins, and dropped in the middle.
    let stopped = CancellationToken::new();
    stopped.cancel();
    let answer = vault.rotate(Upgrade::Yes, &stopped).await;
    assert!(matches!(answer, Err(VaultError::Stopped)), "{answer:?}");
    let never = CancellationToken::new();
    let pass = vault.rotate(Upgrade::Yes, &never);
    let begun = plaza_testkit::eventually(Duration::from_secs(60), || async {
        archive
            .count("SELECT count(*) FROM archive.letters WHERE starts_with(body, 'v2.')")
            .await
            > 0
    });
    tokio::select! {
        biased;
        _ = pass => {}
        () = begun => {}
    }
    rotate(&archive.vault("ba"), Upgrade::Yes).await;
    assert_eq!(uses(&vault, "a").await, (0, 0));
    let left = archive
        .count("SELECT count(*) FROM archive.letters WHERE NOT starts_with(body, 'v2.')")
        .await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_value_that_is_written_meanwhile_is_never_overwritten_with_an_older_one() {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity
                            WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let archive = Archive::open().await;
    let (vault, rotor) = (archive.vault("a"), archive.vault("a"));
    let (tenant, id) = archive.tenant_with(&vault, "0").await;
    // From the second value on it knows the tenant's key, and seals with it after it is retired, as a process does for a while.
    archive.write(&vault, tenant, id, "0").await;
    for number in ["1", "2", "3"] {
        rotor.retire_data_keys(Duration::ZERO).await.unwrap();
        let newer = archive.written(&vault, tenant, id, number).await;
        // Whoever writes holds the row. So the pass still reads the older value, and waits when it comes to put its own there.
        let overtaken = async {
            let waits = || async { archive.count(WAITING).await > 0 };
            plaza_testkit::eventually(Duration::from_secs(60), waits).await;
            newer.commit().await.unwrap();
        };
        let (rotated, ()) = tokio::join!(rotate(&rotor, Upgrade::Begun), overtaken);
        assert!(rotated.is_nothing(), "{rotated:?}");
        assert_eq!(archive.read(&vault, tenant, id).await.unwrap(), number);
        // The next pass finds the newer one.
        assert_eq!(rotate(&rotor, Upgrade::Begun).await.values, 1);
        let read = archive.read(&archive.vault("a"), tenant, id).await;
        assert_eq!(read.unwrap(), number);
    }
}

#[tokio::test]
async fn one_value_that_does_not_open_keeps_no_other_from_being_sealed_anew() {
    let archive = Archive::open().await;
    let letters = archive.write_by_the_ring("a", 3).await;
    archive
        .run(&format!("UPDATE archive.letters SET body = 'v1.a.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA' WHERE id = '{}'", letters[1].1))
        .await;
    let rotated = rotate(&archive.vault("ba"), Upgrade::Yes).await;
    assert_eq!((rotated.values, rotated.stuck), (2, 1));
    // It is not forgotten: its key is still asked for.
    assert_eq!(uses(&archive.vault("b"), "a").await, (0, 1));
}

#[tokio::test]
async fn two_passes_at_once_do_the_work_once() {
    let archive = Archive::open().await;
    let old = archive.vault("a");
    let letters: Vec<(TenantId, Uuid)> = {
        let mut all = Vec::new();
        for _ in 0..20 {
            all.push(archive.tenant_with(&old, "text").await);
        }
        all
    };
    let (one, other) = (archive.vault("ba"), archive.vault("ba"));
    let (first, second) = tokio::join!(rotate(&one, Upgrade::Begun), rotate(&other, Upgrade::Begun));
    assert_eq!(first.data_keys + second.data_keys, 20);
    let new = archive.vault("b");
    for (tenant, id) in letters {
        assert_eq!(archive.read(&new, tenant, id).await.unwrap(), "text");
    }
}

//! Sealing and opening.

use futures_util::future::join_all;
use plaza_crypto::KeyRingError;
use plaza_kernel::Scope;
use plaza_testkit::callers;
use plaza_vault::VaultError;
use secrecy::ExposeSecret;

use crate::archive::{ARCHIVE, Archive, letters, opened};

fn refused(answer: &Result<String, VaultError>) -> Option<KeyRingError> {
    match answer {
        Err(VaultError::Sealed(error)) => Some(*error),
        _ => None,
    }
}

#[tokio::test]
async fn what_is_sealed_opens_in_every_process_and_shows_nothing() {
    let archive = Archive::open().await;
    let vault = archive.vault("a");
    let (tenant, id) = archive.tenant_with(&vault, "CANARY").await;
    assert_eq!(archive.read(&vault, tenant, id).await.unwrap(), "CANARY");
    assert_eq!(
        archive.read(&archive.vault("a"), tenant, id).await.unwrap(),
        "CANARY"
    );
    let sealed = archive.sealed(tenant, id).await;
    assert!(
        sealed.starts_with("v2.") && !sealed.contains("CANARY"),
        "{sealed}"
    );
}

#[tokio::test]
async fn every_tenant_and_the_platform_have_one_key_of_their_own() {
    let archive = Archive::open().await;
    let vault = archive.vault("a");
    let (acme, first) = archive.tenant_with(&vault, "one").await;
    archive.write(&vault, acme, archive.clock.uuid(), "two").await;
    let (globex, other) = archive.tenant_with(&vault, "three").await;

    let tx = archive.database.of(ARCHIVE).begin_platform();
    let seal = vault.seal(&tx, &letters::SEALS, "great", b"wax").await.unwrap();
    tx.execute(&letters::WRITE_SEAL, ("great".to_owned(), seal.clone()))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let plain = vault
        .open(Scope::Platform, &letters::SEALS, "great", &seal)
        .await
        .unwrap();
    assert_eq!(plain.expose_secret(), b"wax");

    assert_eq!(archive.count("SELECT count(*) FROM archive.data_keys").await, 3);
    let key = |sealed: &str| sealed.split('.').nth(1).unwrap().to_owned();
    assert_ne!(
        key(&archive.sealed(acme, first).await),
        key(&archive.sealed(globex, other).await)
    );
}

#[tokio::test]
async fn a_value_that_was_moved_to_another_row_or_tenant_does_not_open() {
    let archive = Archive::open().await;
    let vault = archive.vault("a");
    let (acme, first) = archive.tenant_with(&vault, "one").await;
    let second = archive.clock.uuid();
    archive.write(&vault, acme, second, "two").await;
    let (globex, other) = archive.tenant_with(&vault, "three").await;

    // As somebody does who may write to the database: the rows of one tenant swapped, and one given to another.
    archive
        .run(&format!(
            "UPDATE archive.letters l SET body = o.body FROM archive.letters o
              WHERE l.tenant_id = '{acme}' AND o.tenant_id = '{acme}' AND l.id <> o.id;"
        ))
        .await;
    assert_eq!(
        refused(&archive.read(&vault, acme, first).await),
        Some(KeyRingError::DoesNotOpen)
    );
    assert_eq!(
        refused(&archive.read(&vault, acme, second).await),
        Some(KeyRingError::DoesNotOpen)
    );

    // Also where the key is known to the process, and where it is not.
    let theirs = archive.sealed(globex, other).await;
    for vault in [vault, archive.vault("a")] {
        let answer = opened(&vault, acme, other, &theirs).await;
        assert_eq!(refused(&answer), Some(KeyRingError::UnknownKey));
        let answer = opened(&vault, Scope::Platform, other, &theirs).await;
        assert_eq!(refused(&answer), Some(KeyRingError::UnknownKey));
    }
}

#[tokio::test]
async fn a_data_key_that_was_given_to_another_tenant_opens_nothing() {
    let archive = Archive::open().await;
    let vault = archive.vault("a");
    let (acme, first) = archive.tenant_with(&vault, "one").await;
    let rival = callers::tenant();
    archive
        .run(&format!(
            "UPDATE archive.data_keys SET tenant_id = '{rival}' WHERE tenant_id = '{acme}'"
        ))
        .await;
    let sealed = archive.sealed(acme, first).await;
    let answer = opened(&archive.vault("a"), rival, first, &sealed).await;
    assert_eq!(refused(&answer), Some(KeyRingError::DoesNotOpen));
}

#[tokio::test]
async fn a_key_of_a_transaction_that_is_rolled_back_is_used_no_more() {
    let archive = Archive::open().await;
    let (vault, tenant) = (archive.vault("a"), callers::tenant());
    let tx = archive.database.of(ARCHIVE).begin(tenant);
    for row in ["one", "two"] {
        vault.seal(&tx, &letters::BODIES, row, b"lost").await.unwrap();
    }
    drop(tx);

    let id = archive.clock.uuid();
    archive.write(&vault, tenant, id, "kept").await;
    assert_eq!(
        archive.read(&archive.vault("a"), tenant, id).await.unwrap(),
        "kept"
    );
}

#[tokio::test]
async fn those_who_seal_a_tenants_first_values_at_once_agree_on_its_key() {
    let archive = Archive::open().await;
    let tenant = callers::tenant();
    let vaults: Vec<_> = (0..4).map(|_| archive.vault("a")).collect();
    let ids: Vec<_> = vaults.iter().map(|_| archive.clock.uuid()).collect();
    join_all(
        vaults
            .iter()
            .zip(&ids)
            .map(|(vault, id)| archive.write(vault, tenant, *id, "text")),
    )
    .await;
    assert_eq!(archive.count("SELECT count(*) FROM archive.data_keys").await, 1);
    let fresh = archive.vault("a");
    for id in ids {
        assert_eq!(archive.read(&fresh, tenant, id).await.unwrap(), "text");
    }
}

#[tokio::test]
async fn a_tenant_whose_keys_were_shredded_has_no_secret_left() {
    let archive = Archive::open().await;
    let vault = archive.vault("a");
    let (acme, first) = archive.tenant_with(&vault, "one").await;
    let (globex, other) = archive.tenant_with(&vault, "two").await;
    assert_eq!(vault.shred(acme).await.unwrap(), 1);
    for vault in [&vault, &archive.vault("a")] {
        let answer = archive.read(vault, acme, first).await;
        assert_eq!(refused(&answer), Some(KeyRingError::UnknownKey));
        assert_eq!(archive.read(vault, globex, other).await.unwrap(), "two");
    }
}

#[tokio::test]
async fn no_service_sees_or_changes_the_data_key_of_another_tenant() {
    let archive = Archive::open().await;
    archive.tenant_with(&archive.vault("a"), "one").await;
    let admin = archive.database.admin().await;
    admin
        .batch_execute(&format!(
            "SET ROLE plaza_archive; SET search_path = archive; SET app.tenant_id = '{}'",
            callers::tenant()
        ))
        .await
        .unwrap();
    let seen: i64 = admin
        .query_one("SELECT count(*) FROM data_keys", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(seen, 0);
    let denied = admin.execute("DELETE FROM data_keys", &[]).await.unwrap_err();
    assert_eq!(
        denied.code(),
        Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE)
    );
}

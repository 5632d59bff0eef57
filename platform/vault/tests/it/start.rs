//! No start without the keys.

use plaza_crypto::KeyRing;
use plaza_vault::{Vault, VaultError};
use secrecy::SecretString;

use crate::archive::Archive;

#[tokio::test]
async fn whoever_lacks_a_key_that_something_was_sealed_with_does_not_start() {
    let archive = Archive::open().await;
    archive.vault("b").check().await.unwrap();
    archive.tenant_with(&archive.vault("a"), "one").await;

    archive.vault("a").check().await.unwrap();
    archive.vault("ba").check().await.unwrap();
    let refused = archive.vault("b").check().await.unwrap_err();
    assert!(
        matches!(&refused, VaultError::KeyMissing { key, count: 1, .. } if key == "a"),
        "{refused}"
    );
}

#[tokio::test]
async fn another_key_under_the_same_name_is_found_at_the_start() {
    let archive = Archive::open().await;
    archive.tenant_with(&archive.vault("a"), "one").await;
    let other = SecretString::from(format!("a:z{}=", "A".repeat(42)));
    let vault = Vault::new(
        archive.connections(),
        KeyRing::parse(&other).unwrap(),
        archive.clock.clone(),
    );
    let refused = vault.check().await.unwrap_err();
    assert!(
        matches!(&refused, VaultError::OtherKey { key, .. } if key == "a"),
        "{refused}"
    );
}

#[tokio::test]
async fn one_damaged_data_key_keeps_nobody_from_starting() {
    let archive = Archive::open().await;
    let vault = archive.vault("a");
    archive.tenant_with(&vault, "one").await;
    let (damaged, id) = archive.tenant_with(&vault, "two").await;
    archive
        .run(&format!(
            "UPDATE archive.data_keys SET wrapped = overlay(wrapped placing 'AAAA' from 40) WHERE tenant_id = '{damaged}'"
        ))
        .await;
    let vault = archive.vault("a");
    vault.check().await.unwrap();
    assert!(archive.read(&vault, damaged, id).await.is_err());
}

#[tokio::test]
async fn a_value_that_the_ring_sealed_itself_needs_its_key_too() {
    let archive = Archive::open().await;
    archive.write_by_the_ring("a", 1).await;
    archive.vault("a").check().await.unwrap();
    let refused = archive.vault("b").check().await.unwrap_err();
    assert!(
        matches!(&refused, VaultError::KeyMissing { key, .. } if key == "a"),
        "{refused}"
    );
}

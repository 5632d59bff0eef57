//! Secrets at rest: their key is replaced while people go on, and what is secret shows nowhere but where it is sealed.

mod canaries;
mod load;
mod places;
mod rotation;

use secrecy::ExposeSecret;

use crate::fleet::Fleet;
use crate::plaza::{complaint, printed};

#[tokio::test]
async fn a_setting_may_stand_sealed_in_the_environment() {
    let mut fleet = Fleet::builder().prepare().await;
    let url = fleet.variable("DATABASE_URL");
    let sealed = printed(&fleet.run(&["secrets", "encrypt", &url]).await)
        .trim()
        .to_owned();
    assert!(
        sealed.starts_with("enc:v1.") && !sealed.contains(&url),
        "{sealed}"
    );
    fleet.tell("DATABASE_URL", &sealed);
    printed(&fleet.run(&["secrets", "status"]).await);
    fleet.tell(
        "ENCRYPTION_KEY",
        plaza_crypto::KeyRing::generate().expose_secret(),
    );
    let told = complaint(&fleet.run(&["secrets", "status"]).await);
    assert!(
        told.contains("`database.url` is sealed and does not open"),
        "{told}"
    );
}

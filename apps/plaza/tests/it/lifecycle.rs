//! How Plaza starts and ends.

use crate::plaza::Plaza;
use crate::story;

#[tokio::test]
async fn kill_and_start_again_loses_nothing() {
    let mut plaza = Plaza::start().await;
    let admin = story::administrator(&plaza).await;
    let acme = story::tenant(&admin, "acme").await;
    story::member(&acme.owner, "low@acme.example").await;
    plaza.kill();
    plaza.restart().await;
    plaza.stop().await;
}

//! What anybody may ask a running Plaza: health, metrics, and the contract of its API.

use crate::plaza::{Plaza, bare, output, printed};

/// The committed contract.
const COMMITTED: &str = include_str!("../../../../docs/openapi.json");

#[tokio::test]
async fn the_openapi_document_is_the_committed_one() {
    let told = printed(&output(bare(&["openapi"])).await);
    assert!(
        told == COMMITTED,
        "docs/openapi.json is out of date: run `cargo xtask openapi` and look at the difference"
    );
    let mut plaza = Plaza::start().await;
    let answer = plaza.api().get("/openapi.json").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let committed: serde_json::Value = serde_json::from_str(COMMITTED).unwrap();
    assert!(
        answer.ok() == committed,
        "what is served is not what is committed"
    );
    plaza.stop().await;
}

#[tokio::test]
async fn health_and_metrics_are_told() {
    let mut plaza = Plaza::start().await;
    for base in [plaza.url(""), plaza.internal_url("")] {
        let api = crate::client::Api::at(&base);
        for path in ["/livez", "/readyz", "/health"] {
            assert_eq!(api.get(path).await.ok()["status"], "ok", "{base}{path}");
        }
        let ready = api.get("/readyz").await.ok();
        for service in ["identity", "tenancy", "access", "notification", "broadcast"] {
            assert_eq!(ready["checks"][service], "ok", "{ready}");
        }
    }
    let metrics = crate::client::Api::at(&plaza.internal_url(""))
        .get("/metrics")
        .await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("plaza_build_info{"), "{}", metrics.text());
    assert_eq!(
        plaza.api().get("/metrics").await.status,
        404,
        "metrics are not for the public"
    );
    plaza.stop().await;
}

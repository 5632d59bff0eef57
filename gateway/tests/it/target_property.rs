//! For any target at all: it is refused, or nothing is there, or exactly it arrives, and no internal address ever does.

use http::{Method, Uri};
use proptest::prelude::*;

use crate::house::House;

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "api", "v1", "auth", "internal", "users", "public", "admin", "tenants", "me", "%69nternal", "..", ".", "", "%2e", "%2e%2e",
            "%252e", "%2f", "%5c", "\\", ";", ";x=1", "%00", "%3b", "%0a", "7", "{id}", "*", "~", "%7e", "ä", "%c3%a4", "%ff", "?", "#", "@",
        ]).prop_map(str::to_owned),
        1 => "[ -~]{0,6}",
        1 => "\\PC{0,3}",
    ]
}

fn target() -> impl Strategy<Value = String> {
    let free = prop::collection::vec(piece(), 0..7).prop_map(|pieces| format!("/{}", pieces.join("/")));
    let near = prop::collection::vec(piece(), 1..4)
        .prop_map(|pieces| format!("/api/v1/auth/public/{}", pieces.join("/")));
    let mixed =
        prop::collection::vec(piece(), 1..8).prop_map(|pieces| format!("/api/v1/auth/{}", pieces.concat()));
    prop_oneof![free, near, mixed]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_decided_about_is_what_is_forwarded(target in target()) {
        // The server parses with the same code: what does not parse never arrives.
        let Ok(uri) = target.parse::<Uri>() else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(async {
            let house = House::new();
            let mut request = crate::house::request(Method::GET, "localhost", "/").body(axum::body::Body::empty()).unwrap();
            *request.uri_mut() = uri.clone();
            house.send(request).await
        });
        match answer.status.as_u16() {
            200 => {
                let forwarded = answer.echo().target;
                prop_assert_eq!(&forwarded, &uri.to_string());
                let path = forwarded.split('?').next().unwrap();
                prop_assert!(path.starts_with("/api/v1/auth/public/"), "{}", path);
                let has_dots = path.split('/').any(|segment| segment == "." || segment == "..");
                prop_assert!(!path.contains("//") && !has_dots && !path.contains(';') && !path.contains('\\'), "{}", path);
                prop_assert!(path.is_ascii(), "{}", path);
            }
            status => prop_assert!([400, 401, 404, 405].contains(&status), "{} for {}", status, target),
        }
    }
}

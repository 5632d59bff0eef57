//! Nothing opens but what was sealed, in the place where it was sealed, with no byte changed.

use std::sync::LazyLock;

use plaza_crypto::{DataKey, KeyRing, SealContext, SealedWith};
use secrecy::{ExposeSecret, SecretBox};

use crate::cut::changed;

static RING: LazyLock<KeyRing> = LazyLock::new(|| match KeyRing::parse(&KeyRing::generate()) {
    Ok(ring) => ring,
    Err(error) => panic!("a ring that was made is none: {error}"),
});

static KEY: LazyLock<DataKey> = LazyLock::new(|| match DataKey::generate("d1", &RING, &HERE) {
    Ok((key, _)) => key,
    Err(error) => panic!("a key cannot be made: {error}"),
});

const HERE: SealContext<'static> = SealContext {
    tenant: "platform",
    table: "schema.table",
    column: "column",
    row: "row",
};

type Opened<E> = Result<SecretBox<Vec<u8>>, E>;

pub(crate) fn bears(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(RING.open(&HERE, text).is_err(), "opened {text:?}");
        assert!(KEY.open(&HERE, text).is_err(), "opened {text:?}");
        assert!(
            DataKey::unwrapped("d1", &RING, &HERE, text).is_err(),
            "unwrapped {text:?}"
        );
        let _ = (
            RING.is_outdated(text),
            SealedWith::of(text),
            KeyRing::parse(&text.into()).is_ok(),
        );
    }
    holds(bytes, &RING.seal(&HERE, bytes), |place, sealed| {
        RING.open(place, sealed)
    });
    holds(bytes, &KEY.seal(&HERE, bytes), |place, sealed| {
        KEY.open(place, sealed)
    });
}

/// What was sealed opens; changed or moved it does not.
fn holds<E: std::fmt::Debug>(bytes: &[u8], sealed: &str, open: impl Fn(&SealContext<'_>, &str) -> Opened<E>) {
    match open(&HERE, sealed) {
        Ok(opened) => assert_eq!(opened.expose_secret(), bytes),
        Err(error) => panic!("what was sealed does not open: {error:?}"),
    }
    let elsewhere = SealContext {
        row: "another",
        ..HERE
    };
    assert!(open(&elsewhere, sealed).is_err(), "opens elsewhere");
    let other = changed(sealed.as_bytes(), bytes).map(String::from_utf8);
    if let Some(Ok(other)) = other {
        assert!(
            open(&HERE, &other).is_err(),
            "opens although it is {other} and not {sealed}"
        );
    }
}

//! Nobody who has no key makes a token that is believed, and a token that is believed is believed as it was made: with no byte
//! changed. It is the moment for which the files of `testdata/fuzz` are good but for their signatures.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use plaza_contracts::services::{ACCESS, IDENTITY};
use plaza_kernel::Clock;
use plaza_rpc::{InternalKeys, Verifier};

use crate::cut::changed;

struct Known {
    verifier: Verifier,
    /// Made by identity for access.
    good: String,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let keys = InternalKeys::derived(&"the key of an installation that is fuzzed".into());
    let moment = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap_or_default();
    let (clock, _) = Clock::manual(moment);
    let signer = keys.signer(IDENTITY, clock.clone());
    let good = signer.map(|signer| signer.token(ACCESS, None, None));
    let good = good.and_then(|good| good.to_str().map(str::to_owned).ok());
    Known {
        verifier: keys.verifier(ACCESS, clock),
        good: good.unwrap_or_default(),
    }
});

pub(crate) fn bears(bytes: &[u8]) {
    let Known { verifier, good } = &*KNOWN;
    if let Ok(token) = std::str::from_utf8(bytes) {
        assert!(verifier.verify(token).is_err(), "believed {token:?}");
    }
    assert!(verifier.verify(good).is_ok(), "not believed {good}");
    let other = changed(good.as_bytes(), bytes).and_then(|other| String::from_utf8(other).ok());
    assert!(
        other.is_none_or(|other| verifier.verify(&other).is_err()),
        "another token"
    );
}

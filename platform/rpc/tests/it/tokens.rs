//! What tokens are good for, and for how long.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use plaza_kernel::{Caller, SystemRole, TenantId};
use plaza_rpc::{InternalKeyError, InternalKeys, NotTrusted};
use secrecy::SecretString;

use crate::forge::{ACCESS, FRONT, Forge, IDENTITY, clock, keys, member, seed};

#[test]
fn what_is_signed_is_what_is_read() {
    let (clock, _) = clock();
    let signer = keys().signer(FRONT, clock.clone()).unwrap();
    let verifier = keys().verifier(ACCESS, clock.clone());
    let caller = member(&clock);
    let administrator = Caller {
        scope: None,
        role: SystemRole::PlatformAdmin,
        ..caller.clone()
    };
    let tenant = caller.scope.unwrap();
    let said = [
        (None, None),
        (Some(&caller), None),
        (None, Some((tenant, "acme"))),
        (Some(&caller), Some((tenant, "acme"))),
        (Some(&administrator), None),
    ];
    for (caller, host) in said {
        let token = signer.token(ACCESS, caller, host);
        let claims = verifier.verify(token.to_str().unwrap()).unwrap();
        assert_eq!((claims.iss, claims.aud), (FRONT, ACCESS));
        assert_eq!(claims.caller.as_ref(), caller);
        assert_eq!(claims.host, host.map(|(tenant, slug)| (tenant, slug.to_owned())));
        assert_eq!(claims.exp - claims.iat, 30);
    }
}

#[test]
fn a_token_is_used_again_until_ten_seconds_before_its_end() {
    let (clock, hand) = clock();
    let signer = keys().signer(FRONT, clock.clone()).unwrap();
    let verifier = keys().verifier(ACCESS, clock.clone());
    let first = signer.token(ACCESS, None, None);
    hand.advance(TimeDelta::seconds(19));
    assert_eq!(signer.token(ACCESS, None, None), first);
    hand.advance(TimeDelta::seconds(1));
    let second = signer.token(ACCESS, None, None);
    assert_ne!(second, first);
    hand.advance(TimeDelta::seconds(9));
    verifier.verify(first.to_str().unwrap()).unwrap();
    hand.advance(TimeDelta::seconds(1));
    // Known, and over.
    assert_eq!(
        verifier.verify(first.to_str().unwrap()).unwrap_err(),
        NotTrusted::Time
    );
    verifier.verify(second.to_str().unwrap()).unwrap();
}

#[test]
fn a_token_says_nothing_of_somebody_else() {
    let (clock, _) = clock();
    let signer = keys().signer(FRONT, clock.clone()).unwrap();
    let verifier = keys().verifier(ACCESS, clock.clone());
    let one = member(&clock);
    let others = [
        member(&clock),
        Caller {
            scope: Some(TenantId::generate(&clock)),
            ..one.clone()
        },
        Caller {
            role: SystemRole::Owner,
            ..one.clone()
        },
        Caller {
            session: clock.uuid().into(),
            ..one.clone()
        },
    ];
    signer.token(ACCESS, Some(&one), None);
    for other in others {
        let token = signer.token(ACCESS, Some(&other), None);
        let claims = verifier.verify(token.to_str().unwrap()).unwrap();
        assert_eq!(claims.caller.as_ref(), Some(&other));
    }
    let tenant = TenantId::generate(&clock);
    for slug in ["acme", "renamed"] {
        let token = signer.token(ACCESS, None, Some((tenant, slug)));
        let claims = verifier.verify(token.to_str().unwrap()).unwrap();
        assert_eq!(claims.host, Some((tenant, slug.to_owned())));
    }
}

#[test]
fn a_token_for_one_service_is_no_token_for_another() {
    let (clock, _) = clock();
    let token = keys()
        .signer(FRONT, clock.clone())
        .unwrap()
        .token(ACCESS, None, None);
    let other = keys().verifier(IDENTITY, clock);
    assert_eq!(
        other.verify(token.to_str().unwrap()).unwrap_err(),
        NotTrusted::Audience
    );
}

#[test]
fn only_the_front_door_speaks_for_people() {
    let (clock, _) = clock();
    let verifier = keys().verifier(ACCESS, clock.clone());
    let caller = member(&clock);
    for (issuer, may) in [(FRONT, true), (IDENTITY, false)] {
        let signer = keys().signer(issuer, clock.clone()).unwrap();
        let token = signer.token(ACCESS, Some(&caller), None);
        let claims = verifier.verify(token.to_str().unwrap()).unwrap();
        assert_eq!(claims.may_speak_for_people(FRONT), may, "{issuer}");
    }
}

#[test]
fn another_installation_is_not_believed() {
    let (clock, _) = clock();
    let other = InternalKeys::derived(&SecretString::from("another installation's key"));
    let token = other
        .signer(FRONT, clock.clone())
        .unwrap()
        .token(ACCESS, None, None);
    let refused = keys().verifier(ACCESS, clock).verify(token.to_str().unwrap());
    assert_eq!(refused.unwrap_err(), NotTrusted::Signature);
}

#[test]
fn a_service_that_this_program_has_no_name_for_is_known_by_its_signature() {
    let (clock, _) = clock();
    let verifier = keys().verifier(ACCESS, clock);
    let token = Forge {
        seed: seed("newcomer"),
        ..Forge::good()
            .header("/kid", "newcomer".into())
            .claim("/iss", "newcomer".into())
    };
    assert_eq!(verifier.verify(&token.sign()).unwrap().iss.as_str(), "newcomer");
}

fn secret(seed: [u8; 32]) -> SecretString {
    SecretString::from(STANDARD.encode(seed))
}

fn public(seed: [u8; 32]) -> String {
    let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    STANDARD.encode(aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref())
}

#[test]
fn with_separate_keys_a_process_signs_for_its_own_services_only() {
    let (clock, _) = clock();
    let everybody = BTreeMap::from([(FRONT, public([1; 32])), (IDENTITY, public([2; 32]))]);
    let front =
        InternalKeys::separate(BTreeMap::from([(FRONT, secret([1; 32]))]), everybody.clone()).unwrap();
    let identity = InternalKeys::separate(BTreeMap::from([(IDENTITY, secret([2; 32]))]), everybody).unwrap();
    assert!(front.signer(IDENTITY, clock.clone()).is_none());
    let token = front
        .signer(FRONT, clock.clone())
        .unwrap()
        .token(IDENTITY, None, None);
    let claims = identity
        .verifier(IDENTITY, clock.clone())
        .verify(token.to_str().unwrap());
    assert_eq!(claims.unwrap().iss, FRONT);
    // Nobody told this one of the front door.
    let alone =
        InternalKeys::separate(BTreeMap::from([(IDENTITY, secret([2; 32]))]), BTreeMap::new()).unwrap();
    let refused = alone.verifier(IDENTITY, clock).verify(token.to_str().unwrap());
    assert_eq!(refused.unwrap_err(), NotTrusted::Signature);
}

#[test]
fn keys_that_cannot_be_used_are_refused() {
    let refused = |own: &[(_, SecretString)], public: &[(_, String)]| {
        InternalKeys::separate(own.iter().cloned().collect(), public.iter().cloned().collect()).unwrap_err()
    };
    let short = SecretString::from(STANDARD.encode([1; 31]));
    assert_eq!(refused(&[(FRONT, short)], &[]), InternalKeyError::Seed(FRONT));
    assert_eq!(
        refused(&[], &[(FRONT, "not base64!".to_owned())]),
        InternalKeyError::Public(FRONT)
    );
    assert_eq!(
        refused(&[(FRONT, secret([1; 32]))], &[(FRONT, public([2; 32]))]),
        InternalKeyError::NotAPair(FRONT)
    );
    assert_eq!(
        refused(&[(FRONT, secret([1; 32]))], &[(IDENTITY, public([1; 32]))]),
        InternalKeyError::Shared(FRONT, IDENTITY)
    );
}

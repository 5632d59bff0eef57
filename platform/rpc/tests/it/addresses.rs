//! Which address is chosen.

use std::time::{Duration, Instant};

use http::Uri;
use plaza_rpc::{AddressError, Addresses, Chosen, HealthSettings};

use crate::forge::ACCESS;

/// What is left out stays out for the test.
const PATIENT: HealthSettings = HealthSettings {
    interval: Duration::from_millis(500),
    timeout: Duration::from_secs(1),
    failures: 2,
    ejected_for: Duration::from_secs(600),
};

fn uri(port: u16) -> Uri {
    format!("http://127.0.0.1:{port}").parse().unwrap()
}

fn three(settings: HealthSettings) -> Addresses {
    Addresses::new(ACCESS, vec![uri(1), uri(2), uri(3)], settings).unwrap()
}

fn choose(addresses: &Addresses) -> Chosen {
    addresses.choose(&[]).unwrap()
}

#[test]
fn the_one_with_the_least_to_do_is_chosen_and_equals_take_turns() {
    let addresses = three(HealthSettings::default());
    let mut held: Vec<_> = (0..6).map(|_| choose(&addresses)).collect();
    let mut load = [0; 3];
    for chosen in &held {
        load[chosen.index()] += 1;
    }
    assert_eq!(load, [2, 2, 2]);
    held.retain(|chosen| chosen.index() != 1);
    assert_eq!(choose(&addresses).index(), 1);
    drop(held);
    let idle: std::collections::BTreeSet<_> = (0..3).map(|_| choose(&addresses).index()).collect();
    assert_eq!(idle.len(), 3, "calls one after the other go round");
}

#[test]
fn what_is_excepted_is_never_chosen() {
    let addresses = three(HealthSettings::default());
    for _ in 0..10 {
        assert_eq!(addresses.choose(&[0, 2]).unwrap().index(), 1);
    }
    assert!(addresses.choose(&[0, 1, 2]).is_none());
}

/// The second of the three.
fn second(addresses: &Addresses) -> Chosen {
    addresses.choose(&[0, 2]).unwrap()
}

fn is_ever_chosen(addresses: &Addresses, index: usize) -> bool {
    (0..30).any(|_| choose(addresses).index() == index)
}

#[test]
fn an_address_that_fails_twice_in_a_row_is_left_out_for_a_while() {
    let addresses = three(PATIENT);
    second(&addresses).failed();
    second(&addresses).succeeded();
    second(&addresses).failed();
    assert!(is_ever_chosen(&addresses, 1), "not in a row");
    second(&addresses).failed();
    assert!(!is_ever_chosen(&addresses, 1));
    assert!(addresses.any_healthy());
}

#[test]
fn a_while_ends() {
    let addresses = three(HealthSettings {
        ejected_for: Duration::from_millis(50),
        ..HealthSettings::default()
    });
    second(&addresses).failed();
    second(&addresses).failed();
    let begun = Instant::now();
    while !is_ever_chosen(&addresses, 1) {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it gets no other chance"
        );
    }
}

#[test]
fn with_none_healthy_all_are_tried() {
    let addresses = three(PATIENT);
    for except in [[1, 2], [0, 2], [0, 1]] {
        let bad = addresses.choose(&except).unwrap();
        bad.failed();
        bad.failed();
    }
    assert!(!addresses.any_healthy());
    let tried: std::collections::BTreeSet<_> = (0..3).map(|_| choose(&addresses).index()).collect();
    assert_eq!(tried.len(), 3);
    choose(&addresses).succeeded();
    assert!(addresses.any_healthy());
}

#[test]
fn what_is_no_address_is_refused() {
    let new = |texts: &[&str]| {
        let uris = texts.iter().map(|text| text.parse().unwrap()).collect();
        Addresses::new(ACCESS, uris, HealthSettings::default()).map(|_| ())
    };
    assert!(new(&["http://localhost:9080", "http://[::1]:9080/"]).is_ok());
    assert_eq!(new(&[]), Err(AddressError::None(ACCESS)));
    for text in [
        "https://localhost:9080",
        "localhost:9080",
        "http://localhost",
        "http://localhost:80/x",
        "/x",
        "http://l:9/?q",
    ] {
        assert!(matches!(new(&[text]), Err(AddressError::Form(..))), "{text}");
    }
    let twice = new(&["http://localhost:1", "http://localhost:1/"]);
    assert!(matches!(twice, Err(AddressError::Twice(..))));
}

//! Every event has a way, and the exchanges and queues of others keep the names by which others know them.

use plaza_contracts::topology::TOPOLOGY;
use plaza_kernel::topology::{ExchangeKind, Reader};

const EVENTS: [&str; 3] = [
    include_str!("../../src/events.rs"),
    include_str!("../../src/events/life.rs"),
    include_str!("../../src/events/outcomes.rs"),
];

/// The names that the sources give their events.
fn published() -> Vec<&'static str> {
    EVENTS
        .iter()
        .flat_map(|file| file.lines())
        .filter_map(|line| line.trim().strip_prefix("const NAME: &'static str = \""))
        .filter_map(|rest| rest.strip_suffix("\";"))
        .collect()
}

#[test]
fn every_event_has_a_route() {
    let published = published();
    assert_eq!(
        published.len(),
        EVENTS.concat().matches("impl Event for").count(),
        "not every name was found"
    );
    let without: Vec<_> = published
        .into_iter()
        .filter(|event| TOPOLOGY.route(event).is_none())
        .collect();
    assert!(
        without.is_empty(),
        "add them to contracts/src/topology.rs: {without:?}"
    );
}

#[test]
fn the_table_is_whole() {
    assert_eq!(TOPOLOGY.problems(), Vec::<String>::new());
}

#[test]
fn every_queue_gets_something() {
    for queue in TOPOLOGY.queues {
        let heard = TOPOLOGY
            .routes
            .iter()
            .any(|route| TOPOLOGY.hearers(route.event).any(|hearer| hearer == queue));
        assert!(heard, "{} gets nothing", queue.name);
    }
}

#[test]
fn the_names_and_kinds_that_others_know_are_kept() {
    for (exchange, kind, queues) in [
        (
            "mail.exchange.direct",
            ExchangeKind::Direct,
            &["mail_service_queue"][..],
        ),
        (
            "devinsider_matching.exchange.direct",
            ExchangeKind::Direct,
            &["devinsider_matching_queue"],
        ),
        (
            "user_updates_exchange",
            ExchangeKind::Direct,
            &["odoo_user_queue"],
        ),
        (
            "odoo_company.exchange.direct",
            ExchangeKind::Direct,
            &["odoo_company_queue"],
        ),
        (
            "odoo_program.exchange.direct",
            ExchangeKind::Direct,
            &["odoo_program_queue"],
        ),
        (
            "odoo_investor.exchange.direct",
            ExchangeKind::Direct,
            &["odoo_investor_queue"],
        ),
        (
            "odoo_program_member.exchange.direct",
            ExchangeKind::Direct,
            &["odoo_program_member_queue"],
        ),
        (
            "odoo_verified_pro.exchange.direct",
            ExchangeKind::Direct,
            &["odoo_verified_pro_queue"],
        ),
        (
            "odoo_contact_support.exchange.direct",
            ExchangeKind::Direct,
            &["odoo_contact_support_queue"],
        ),
        (
            "devinsider_billing.exchange.direct",
            ExchangeKind::Direct,
            &["devinsider_billing_queue"],
        ),
        (
            "unlock.exchange.fanout",
            ExchangeKind::Fanout,
            &[
                "unlock_audit_queue",
                "unlock_notification_queue",
                "unlock_matching_queue",
            ],
        ),
    ] {
        assert_eq!(
            TOPOLOGY.exchange(exchange).map(|found| found.kind),
            Some(kind),
            "{exchange}"
        );
        let bound: Vec<_> = TOPOLOGY
            .queues
            .iter()
            .filter(|queue| queue.exchange == exchange)
            .map(|queue| queue.name)
            .collect();
        assert_eq!(bound, queues, "{exchange}");
    }
}

#[test]
fn a_queue_of_ours_has_the_name_of_its_consumer_and_hears_one_event() {
    for queue in TOPOLOGY.queues {
        if let Reader::Consumer(name) = queue.reader {
            assert_eq!(queue.name, name);
            assert_eq!(queue.keys.len(), 1, "{name}: a consumer listens to one event");
            assert!(published().contains(&queue.keys[0]), "{name}");
        }
    }
}

//! Where events go and who hears them: every exchange, queue and topic, also of services that are still to come.
//!
//! Plaza's own events are topics of one exchange. The partner marketplace has exchanges and queues of its own: mail,
//! matching, the ERP and billing know them by these names. `plaza events topology` prints the table and declares it.

use plaza_kernel::topology::{Exchange, ExchangeKind, Queue, Reader, Route, Topology};

/// The topic exchange of Plaza's own events: the routing key is the event's name.
pub const EVENTS: &str = "plaza.events";

const MAIL: &str = "mail.exchange.direct";
const MATCHING: &str = "devinsider_matching.exchange.direct";
// Its kind is not said anywhere: direct, unless the broker's settings name another.
const USERS: &str = "user_updates_exchange";
const COMPANIES: &str = "odoo_company.exchange.direct";
const PROGRAMS: &str = "odoo_program.exchange.direct";
const INVESTORS: &str = "odoo_investor.exchange.direct";
const PROGRAM_MEMBERS: &str = "odoo_program_member.exchange.direct";
const VERIFIED_PRO: &str = "odoo_verified_pro.exchange.direct";
const SUPPORT: &str = "odoo_contact_support.exchange.direct";
const BILLING: &str = "devinsider_billing.exchange.direct";
const UNLOCK: &str = "unlock.exchange.fanout";

/// All of it.
pub static TOPOLOGY: Topology = Topology {
    exchanges: &[
        exchange(EVENTS, ExchangeKind::Topic),
        exchange(MAIL, ExchangeKind::Direct),
        exchange(MATCHING, ExchangeKind::Direct),
        exchange(USERS, ExchangeKind::Direct),
        exchange(COMPANIES, ExchangeKind::Direct),
        exchange(PROGRAMS, ExchangeKind::Direct),
        exchange(INVESTORS, ExchangeKind::Direct),
        exchange(PROGRAM_MEMBERS, ExchangeKind::Direct),
        exchange(VERIFIED_PRO, ExchangeKind::Direct),
        exchange(SUPPORT, ExchangeKind::Direct),
        exchange(BILLING, ExchangeKind::Direct),
        exchange(UNLOCK, ExchangeKind::Fanout),
    ],
    routes: &[
        route(EVENTS, "tenant.created"),
        route(EVENTS, "user.registered"),
        route(EVENTS, "identity.owner.provisioned"),
        route(EVENTS, "identity.member.role_changed"),
        route(EVENTS, "identity.member.removed"),
        route(EVENTS, "tenancy.tenant.state_changed"),
        route(EVENTS, "tenancy.tenant.deleted"),
        route(EVENTS, "tenancy.config.changed"),
        route(EVENTS, "webhook.received"),
        route(EVENTS, "notification.requested"),
        route(EVENTS, "notification.source.settled"),
        route(EVENTS, "notification.source.tripped"),
        route(EVENTS, "broadcast.send"),
        route(EVENTS, "broadcast.campaign.state_changed"),
        route(EVENTS, "broadcast.import.completed"),
        route(EVENTS, "broadcast.message.accepted"),
        route(EVENTS, "broadcast.message.sent"),
        route(EVENTS, "broadcast.message.delivered"),
        route(EVENTS, "broadcast.message.read"),
        route(EVENTS, "broadcast.message.failed"),
        route(EVENTS, "broadcast.message.skipped"),
        route(EVENTS, "broadcast.inbound.received"),
        route(EVENTS, "broadcast.optout.recorded"),
        route(EVENTS, "broadcast.template.state_changed"),
        route(EVENTS, "broadcast.sender.degraded"),
        route(MAIL, "mail.send"),
        route(MATCHING, "matching.requested"),
        route(MATCHING, "matching.completed"),
        route(USERS, "user.upserted"),
        route(USERS, "user.archived"),
        route(COMPANIES, "company.upserted"),
        route(COMPANIES, "company.archived"),
        route(PROGRAMS, "program.upserted"),
        route(PROGRAMS, "program.archived"),
        route(INVESTORS, "investor.upserted"),
        route(INVESTORS, "investor.archived"),
        route(PROGRAM_MEMBERS, "program_member.state_changed"),
        route(VERIFIED_PRO, "verified_pro.state_changed"),
        route(SUPPORT, "support.created"),
        route(BILLING, "billing.subscription_changed"),
        route(BILLING, "billing.payment_succeeded"),
        route(BILLING, "billing.payment_failed"),
        route(UNLOCK, "unlock.captured"),
        route(UNLOCK, "unlock.refunded"),
    ],
    queues: &[
        ours("identity.provision_owner", &["tenant.created"]),
        ours("identity.end_tenant", &["tenancy.tenant.deleted"]),
        ours("access.provision_roles", &["tenant.created"]),
        ours("notification.add_development_sender", &["tenant.created"]),
        ours("access.give_first_role", &["user.registered"]),
        ours("tenancy.activate_tenant", &["identity.owner.provisioned"]),
        ours("notification.queue_messages", &["broadcast.send"]),
        ours("broadcast.complete_campaigns", &["notification.source.settled"]),
        ours("access.follow_role", &["identity.member.role_changed"]),
        ours("access.forget_member", &["identity.member.removed"]),
        ours("notification.hold_tenant", &["tenancy.tenant.state_changed"]),
        ours("notification.take_settings", &["tenancy.config.changed"]),
        ours("notification.queue_requested", &["notification.requested"]),
        ours("broadcast.pause_tripped", &["notification.source.tripped"]),
        ours("broadcast.pause_sender", &["broadcast.sender.degraded"]),
        ours("broadcast.note_optout", &["broadcast.optout.recorded"]),
        ours(
            "broadcast.note_template_state",
            &["broadcast.template.state_changed"],
        ),
        theirs("mail_service_queue", MAIL, &["mail.send"]),
        theirs(
            "devinsider_matching_queue",
            MATCHING,
            &["matching.requested", "matching.completed"],
        ),
        theirs("odoo_user_queue", USERS, &["user.upserted", "user.archived"]),
        theirs(
            "odoo_company_queue",
            COMPANIES,
            &["company.upserted", "company.archived"],
        ),
        theirs(
            "odoo_program_queue",
            PROGRAMS,
            &["program.upserted", "program.archived"],
        ),
        theirs(
            "odoo_investor_queue",
            INVESTORS,
            &["investor.upserted", "investor.archived"],
        ),
        theirs(
            "odoo_program_member_queue",
            PROGRAM_MEMBERS,
            &["program_member.state_changed"],
        ),
        theirs(
            "odoo_verified_pro_queue",
            VERIFIED_PRO,
            &["verified_pro.state_changed"],
        ),
        theirs("odoo_contact_support_queue", SUPPORT, &["support.created"]),
        theirs(
            "devinsider_billing_queue",
            BILLING,
            &[
                "billing.subscription_changed",
                "billing.payment_succeeded",
                "billing.payment_failed",
            ],
        ),
        theirs("unlock_audit_queue", UNLOCK, &[]),
        theirs("unlock_notification_queue", UNLOCK, &[]),
        theirs("unlock_matching_queue", UNLOCK, &[]),
    ],
};

const fn exchange(name: &'static str, kind: ExchangeKind) -> Exchange {
    Exchange { name, kind }
}

/// The routing key is the event's name, everywhere.
const fn route(exchange: &'static str, event: &'static str) -> Route {
    Route {
        event,
        exchange,
        key: event,
    }
}

/// The queue of a consumer of ours has its name.
const fn ours(consumer: &'static str, events: &'static [&'static str]) -> Queue {
    Queue {
        name: consumer,
        exchange: EVENTS,
        keys: events,
        reader: Reader::Consumer(consumer),
    }
}

const fn theirs(name: &'static str, exchange: &'static str, keys: &'static [&'static str]) -> Queue {
    Queue {
        name,
        exchange,
        keys,
        reader: Reader::Others,
    }
}

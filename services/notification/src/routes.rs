//! The table of contents of notification's HTTP API.

use std::time::Duration;

use plaza_contracts::permissions::{
    ManageSenders, ManageSuppressions, ReplyConversations, SendMessages, ViewConversations, ViewLogs,
    ViewSenders, ViewSuppressions,
};
use plaza_contracts::services::NOTIFICATION;
use plaza_web::{Api, May, RouteLimits};
use utoipa_axum::routes;

use crate::Notification;
use crate::mails::http::{self as inbox, Development};
use crate::receipts::http::{self as webhooks, MetaSignature};
use crate::sms::http::{self as twilio, TwilioSignature};
use crate::{conversations, messages, senders, suppressions};

/// Every route with its access rule.
pub(crate) fn api() -> Api<Notification> {
    let callback = RouteLimits {
        body: webhooks::BODY,
        deadline: Duration::from_secs(10),
    };
    Api::new(NOTIFICATION)
        .route::<May<ViewSenders>>(routes!(senders::http::list_senders))
        .route::<May<ManageSenders>>(routes!(senders::http::create_sender))
        .route::<May<ViewSenders>>(routes!(senders::http::get_sender))
        .route::<May<ManageSenders>>(routes!(senders::http::resume_sender))
        .route::<May<ManageSenders>>(routes!(senders::http::renew_sender_token))
        .route::<May<SendMessages>>(routes!(messages::http::send_message))
        .route::<May<ViewLogs>>(routes!(messages::http::list_messages))
        .route::<May<ViewLogs>>(routes!(messages::http::get_message))
        .route::<May<ViewConversations>>(routes!(conversations::http::list_conversations))
        .route::<May<ViewConversations>>(routes!(conversations::http::get_conversation))
        .route::<May<ViewConversations>>(routes!(conversations::http::list_conversation_messages))
        .route::<May<ReplyConversations>>(routes!(conversations::http::reply_conversation))
        .route::<May<ReplyConversations>>(routes!(conversations::http::read_conversation))
        .route::<May<ViewSuppressions>>(routes!(suppressions::http::list_suppressions))
        .route::<May<ManageSuppressions>>(routes!(suppressions::http::suppress))
        .route::<May<ManageSuppressions>>(routes!(suppressions::http::lift_suppression))
        .route::<MetaSignature>(routes!(webhooks::verify_meta_webhook))
        .route_within::<MetaSignature>(callback, routes!(webhooks::receive_meta_webhook))
        .route_within::<TwilioSignature>(twilio::LIMITS, routes!(twilio::receive_twilio_status))
        .route_within::<TwilioSignature>(twilio::LIMITS, routes!(twilio::receive_twilio_message))
        .route::<Development>(routes!(inbox::inbox_page))
        .route::<Development>(routes!(inbox::list_inbox))
        .route::<Development>(routes!(inbox::get_inbox_mail))
}

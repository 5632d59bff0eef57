//! Settings of notification.

mod mail;
mod twilio;

use std::time::Duration;

use plaza_crypto::random_token;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

pub use mail::MailConfig;
pub use twilio::TwilioConfig;

/// Settings of notification.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotificationConfig {
    /// Messages of one sender that are with the provider at the same time.
    pub in_flight: usize,
    /// Senders that claim and write down at the same time, each on a connection of its own. When more want to, tenants
    /// take turns, however many senders each has.
    pub claims_at_once: usize,
    /// How long a claimed message may be worked on before it counts as unknown. Milliseconds.
    pub lease_milliseconds: u64,
    /// How long an unknown message waits for a receipt before it is sent again. Milliseconds.
    pub unknown_wait_milliseconds: u64,
    /// The first delay after a refusal that may pass; doubled each time, ±20 %. Milliseconds.
    pub retry_milliseconds: u64,
    /// How often a message is tried before it has failed for good.
    pub attempts: u32,
    /// How often the queue is looked at when nobody wakes the dispatcher. Milliseconds.
    pub poll_milliseconds: u64,
    /// Messages a second of a sender that names no rate; 0 is without limit.
    pub default_rate: u32,
    /// Whether every new tenant gets a sender of its own, named `Development`: for laptops, whose messages go to the
    /// simulator.
    pub development_sender: bool,
    /// WhatsApp Cloud API.
    pub whatsapp: WhatsAppConfig,
    /// Twilio, for text messages.
    pub twilio: TwilioConfig,
    /// The mail server.
    pub mail: MailConfig,
    /// The origin that providers reach us under, without a slash at the end. Not a setting of its own: whoever puts the
    /// process together says it.
    #[serde(skip)]
    pub public_url: String,
}

/// How to reach the WhatsApp Cloud API and how to know its callbacks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WhatsAppConfig {
    /// The origin of the Graph API, without a slash at the end.
    pub base_url: String,
    /// Its version in the path.
    pub version: String,
    /// The app's secret, which signs callbacks. Without it no callback is accepted.
    pub app_secret: Option<SecretString>,
    /// What Meta sends back when a callback URL is set up. Without it no set-up succeeds.
    pub verify_token: Option<SecretString>,
    /// How long one call may take; three quarters of the lease at the most. Milliseconds.
    pub timeout_milliseconds: u64,
    /// How long a message takes of what Meta lets go from one number to one person: 45 at once, and then one in this time.
    /// Seconds; 0 is without limit.
    pub pair_seconds: u32,
    /// Whether calls carry the `traceparent` of their message. Meta has no use for it; the simulator's callbacks carry
    /// it back.
    pub send_trace_context: bool,
}

impl Default for NotificationConfig {
    fn default() -> Self {
        Self {
            in_flight: 8,
            // Of the four connections that a service writes on, one is left to requests and events.
            claims_at_once: 3,
            lease_milliseconds: 60_000,
            unknown_wait_milliseconds: 60_000,
            retry_milliseconds: 5_000,
            attempts: 10,
            poll_milliseconds: 1_000,
            // What Meta allows a number before it raises its throughput.
            default_rate: 80,
            development_sender: false,
            whatsapp: WhatsAppConfig::default(),
            twilio: TwilioConfig::default(),
            mail: MailConfig::default(),
            public_url: String::new(),
        }
    }
}

impl Default for WhatsAppConfig {
    fn default() -> Self {
        Self {
            base_url: "https://graph.facebook.com".to_owned(),
            version: "v23.0".to_owned(),
            app_secret: None,
            verify_token: None,
            timeout_milliseconds: 10_000,
            pair_seconds: 6,
            send_trace_context: false,
        }
    }
}

impl WhatsAppConfig {
    /// An empty secret is none: anybody can sign with it.
    pub fn forget_empty_secrets(&mut self) {
        for secret in [&mut self.app_secret, &mut self.verify_token] {
            secret.take_if(|secret| secret.expose_secret().is_empty());
        }
    }
}

// What the settings come to: a value that would make no sense (nothing in flight, no pause) is the nearest that does.
impl NotificationConfig {
    /// Messages of one sender in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.max(1)
    }

    /// Senders that claim at the same time.
    pub(crate) fn claims_at_once(&self) -> usize {
        self.claims_at_once.max(1)
    }

    /// How long a claim holds.
    pub(crate) fn lease(&self) -> Duration {
        milliseconds(self.lease_milliseconds.max(100))
    }

    /// How long doubt lasts.
    pub(crate) fn unknown_wait(&self) -> Duration {
        milliseconds(self.unknown_wait_milliseconds)
    }

    /// The pause between two looks at the queue.
    pub(crate) fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_milliseconds.max(10))
    }

    /// The pause between two sweeps: four in the shorter of lease and doubt, one a second at the least.
    pub(crate) fn sweep(&self) -> Duration {
        let shortest = self.lease_milliseconds.min(self.unknown_wait_milliseconds);
        Duration::from_millis((shortest / 4).clamp(50, 1_000))
    }

    /// How long a call to a provider may take: it has to be over well before the claim on its message is.
    pub(crate) fn provider_timeout(&self) -> Duration {
        self.well_within_a_lease(self.whatsapp.timeout_milliseconds)
    }

    /// The same for Twilio.
    pub(crate) fn twilio_timeout(&self) -> Duration {
        self.well_within_a_lease(self.twilio.timeout_milliseconds)
    }

    fn well_within_a_lease(&self, milliseconds: u64) -> Duration {
        let most = self.lease_milliseconds.max(100) / 4 * 3;
        Duration::from_millis(milliseconds.clamp(1, most))
    }

    /// A token for a development sender: the simulator accepts any.
    pub(crate) fn development_token() -> SecretString {
        random_token()
    }
}

/// So many milliseconds; what no calendar holds is cut to what one does.
pub(crate) fn milliseconds(count: u64) -> Duration {
    const CENTURY: u64 = 100 * 365 * 24 * 3_600_000;
    Duration::from_millis(count.min(CENTURY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_over_well_before_the_claim_on_its_message() {
        let mut config = NotificationConfig::default();
        assert_eq!(config.provider_timeout(), Duration::from_secs(10));
        config.lease_milliseconds = 2_000;
        assert_eq!(config.provider_timeout(), Duration::from_millis(1_500));
    }

    #[test]
    fn settings_without_sense_do_not_stop_or_spin_the_sending() {
        let config = NotificationConfig {
            in_flight: 0,
            claims_at_once: 0,
            lease_milliseconds: 0,
            poll_milliseconds: 0,
            unknown_wait_milliseconds: u64::MAX,
            ..NotificationConfig::default()
        };
        assert_eq!((config.in_flight(), config.claims_at_once()), (1, 1));
        assert!(config.lease() > Duration::ZERO);
        assert!(config.poll() > Duration::ZERO && config.sweep() > Duration::ZERO);
        assert!(config.unknown_wait() > Duration::from_secs(365 * 24 * 3_600));
    }
}

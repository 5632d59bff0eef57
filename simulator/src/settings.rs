//! How the simulator behaves.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::faults::Faults;

/// How the simulator behaves. The default is a friendly provider with a few repetitions and swaps.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorSettings {
    /// The listener of `plaza simulator`; [`crate::Simulator::serve`] takes a bound one.
    pub listen: SocketAddr,
    /// Decides every delay, repetition, swap and failure.
    pub seed: u64,
    /// Where accepted messages are kept (JSON lines). Left out: in memory only.
    pub state_file: Option<PathBuf>,
    /// The only access token, and token of Twilio's accounts, that is good. Left out: any that is not empty.
    pub access_token: Option<SecretString>,
    /// The account in `entry[].id` of callbacks.
    pub business_account_id: String,

    /// Whose last digits choose a fault.
    pub faults: Faults,
    /// Numbers that begin so (digits, without `+`) have faults by their last four digits under
    /// [`Faults::ByDigits`]. No real number begins with one of the defaults.
    pub fault_prefixes: Vec<String>,
    /// How many attempts of a message a passing fault refuses before it lets it through.
    pub transient_attempts: u16,
    /// Share of messages that meet a passing fault (130429 or 131000) whatever their number. 0 to 1.
    pub transient_rate: f64,
    /// Share of messages that are accepted, while the connection closes without an answer. 0 to 1.
    pub unanswered_rate: f64,
    /// Messages a second that one number may send, a second's worth at once; more are refused with 130429. 0 is without limit;
    /// Meta's own begins with 80.
    pub number_rate: u32,
    /// How long a message takes of what may go from one number to one person: 45 at once, and then one in this time; more are
    /// refused with 131056. Seconds; 0 is without limit, Meta's own are 6.
    pub pair_seconds: u32,
    /// How long an answer takes, least and most.
    pub answer_milliseconds: [u64; 2],
    /// How long a stalled answer takes.
    pub stall_milliseconds: u64,

    /// Where callbacks go: `http://127.0.0.1:8080/webhooks/meta`. Left out: they stay pending.
    pub callback_url: Option<String>,
    /// What callbacks are signed with. Needed with `callback_url`.
    pub app_secret: SecretString,
    /// Allows callbacks in plain text to other machines.
    pub allow_remote_plaintext: bool,
    /// From one status of a message to its next, least and most.
    pub delay_milliseconds: [u64; 2],
    /// Share of callbacks that are sent twice. 0 to 1.
    pub duplicate_rate: f64,
    /// Share of messages whose `delivered` arrives before `sent`. 0 to 1.
    pub reorder_rate: f64,
    /// Share of recipients who read their messages. 0 to 1.
    pub read_rate: f64,
    /// Share of recipients who cannot be reached (131026). 0 to 1.
    pub failure_rate: f64,
    /// The most statuses in one callback request.
    pub batch: usize,
    /// The most callback requests at a time.
    pub in_flight: usize,
    /// The wait before a refused callback is repeated; it doubles each time.
    pub retry_first_milliseconds: u64,
    /// The longest wait before a refused callback is repeated.
    pub retry_longest_milliseconds: u64,
    /// How long an answer to a callback may take.
    pub callback_timeout_milliseconds: u64,
}

impl Default for SimulatorSettings {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 9090).into(),
            seed: 1,
            state_file: None,
            access_token: None,
            business_account_id: "100000000000001".to_owned(),
            faults: Faults::ByDigits,
            fault_prefixes: vec!["1555".to_owned(), "999".to_owned()],
            transient_attempts: 2,
            transient_rate: 0.0,
            unanswered_rate: 0.0,
            number_rate: 0,
            pair_seconds: 0,
            answer_milliseconds: [0, 0],
            stall_milliseconds: 30_000,
            callback_url: None,
            app_secret: SecretString::from(String::new()),
            allow_remote_plaintext: false,
            delay_milliseconds: [20, 400],
            duplicate_rate: 0.05,
            reorder_rate: 0.05,
            read_rate: 0.6,
            failure_rate: 0.02,
            batch: 20,
            in_flight: 8,
            retry_first_milliseconds: 200,
            retry_longest_milliseconds: 5_000,
            callback_timeout_milliseconds: 10_000,
        }
    }
}

/// A setting makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// Shares are between 0 and 1.
    #[error("simulator.{0} must be between 0 and 1")]
    Rate(&'static str),
    /// At least one.
    #[error("simulator.{0} must be at least 1")]
    Zero(&'static str),
    /// The least is above the most.
    #[error("simulator.{0} is the least and the most, in this order")]
    Range(&'static str),
    /// Prefixes are digits.
    #[error("simulator.fault_prefixes holds digits, without a plus")]
    Prefix,
    /// Not a URL, or not of HTTP.
    #[error("simulator.callback_url is not an http or https URL")]
    CallbackUrl,
    /// Receipts in plain text would be readable on the way.
    #[error("simulator.callback_url is plain http to another machine; use https, or allow_remote_plaintext")]
    RemotePlaintext,
    /// Unsigned callbacks are refused by every receiver.
    #[error("simulator.app_secret is needed to sign callbacks")]
    NoAppSecret,
}

impl SimulatorSettings {
    /// Whether callbacks may go to this address.
    pub(crate) fn may_call(&self, url: &str) -> bool {
        reqwest::Url::parse(url).is_ok_and(|url| match url.scheme() {
            "https" => true,
            "http" => self.allow_remote_plaintext || is_loopback(&url),
            _ => false,
        })
    }

    pub(crate) fn check(&self) -> Result<(), InvalidSettings> {
        self.check_rates()?;
        for (name, count) in [("batch", self.batch), ("in_flight", self.in_flight)] {
            if count == 0 {
                return Err(InvalidSettings::Zero(name));
            }
        }
        for (name, [least, most]) in [
            ("delay_milliseconds", self.delay_milliseconds),
            ("answer_milliseconds", self.answer_milliseconds),
        ] {
            if least > most {
                return Err(InvalidSettings::Range(name));
            }
        }
        let digits = |prefix: &String| !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        if !self.fault_prefixes.iter().all(digits) {
            return Err(InvalidSettings::Prefix);
        }
        self.check_callback()
    }

    fn check_rates(&self) -> Result<(), InvalidSettings> {
        let rates = [
            ("transient_rate", self.transient_rate),
            ("unanswered_rate", self.unanswered_rate),
            ("duplicate_rate", self.duplicate_rate),
            ("reorder_rate", self.reorder_rate),
            ("read_rate", self.read_rate),
            ("failure_rate", self.failure_rate),
        ];
        match rates.into_iter().find(|(_, rate)| !(0.0..=1.0).contains(rate)) {
            Some((name, _)) => Err(InvalidSettings::Rate(name)),
            None => Ok(()),
        }
    }

    fn check_callback(&self) -> Result<(), InvalidSettings> {
        let Some(url) = &self.callback_url else {
            return Ok(());
        };
        let url = reqwest::Url::parse(url).map_err(|_| InvalidSettings::CallbackUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_remote_plaintext || is_loopback(&url) => {}
            "http" => return Err(InvalidSettings::RemotePlaintext),
            _ => return Err(InvalidSettings::CallbackUrl),
        }
        if self.app_secret.expose_secret().is_empty() {
            return Err(InvalidSettings::NoAppSecret);
        }
        Ok(())
    }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<std::net::IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_callback(url: &str) -> Result<(), InvalidSettings> {
        let settings = SimulatorSettings {
            callback_url: Some(url.to_owned()),
            app_secret: "s".into(),
            ..SimulatorSettings::default()
        };
        settings.check()
    }

    #[test]
    fn the_default_is_good() {
        SimulatorSettings::default().check().unwrap();
    }

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for url in [
            "http://127.0.0.1:1/x",
            "http://[::1]:1/x",
            "http://acme.localhost/x",
            "https://example.com/x",
        ] {
            assert_eq!(with_callback(url), Ok(()), "{url}");
        }
        assert_eq!(
            with_callback("http://example.com/x"),
            Err(InvalidSettings::RemotePlaintext)
        );
        assert_eq!(
            with_callback("http://localhost.example.com/x"),
            Err(InvalidSettings::RemotePlaintext)
        );
        assert_eq!(
            with_callback("ftp://127.0.0.1/x"),
            Err(InvalidSettings::CallbackUrl)
        );
        assert_eq!(with_callback("127.0.0.1"), Err(InvalidSettings::CallbackUrl));
    }

    #[test]
    fn settings_without_sense_are_named() {
        let check = |change: fn(&mut SimulatorSettings)| {
            let mut settings = SimulatorSettings::default();
            change(&mut settings);
            settings.check().unwrap_err()
        };
        assert_eq!(check(|s| s.read_rate = 1.5), InvalidSettings::Rate("read_rate"));
        assert_eq!(
            check(|s| s.failure_rate = f64::NAN),
            InvalidSettings::Rate("failure_rate")
        );
        assert_eq!(check(|s| s.batch = 0), InvalidSettings::Zero("batch"));
        assert_eq!(
            check(|s| s.delay_milliseconds = [2, 1]),
            InvalidSettings::Range("delay_milliseconds")
        );
        assert_eq!(
            check(|s| s.fault_prefixes = vec!["+1".into()]),
            InvalidSettings::Prefix
        );
        assert_eq!(
            check(|s| s.callback_url = Some("http://localhost/".into())),
            InvalidSettings::NoAppSecret
        );
    }
}

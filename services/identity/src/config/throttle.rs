//! How often strangers may try.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// So many at once, and as many again in that time: `10/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// In which time as many come back.
    pub per: Duration,
}

/// The text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rate: a number above 0 and a time, as in `10/min`; times are s, min and h")]
pub struct InvalidRate(String);

impl Rate {
    const fn per_minute(burst: u32) -> Self {
        Self {
            burst,
            per: Duration::from_secs(60),
        }
    }

    const fn per_hour(burst: u32) -> Self {
        Self {
            burst,
            per: Duration::from_secs(3600),
        }
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let invalid = || InvalidRate(text.to_owned());
        let (burst, time) = text.split_once('/').ok_or_else(invalid)?;
        let seconds = match time.trim() {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            _ => return Err(invalid()),
        };
        let burst = burst.trim().parse().ok().filter(|burst| *burst > 0);
        Ok(Self {
            burst: burst.ok_or_else(invalid)?,
            per: Duration::from_secs(seconds),
        })
    }
}

impl TryFrom<String> for Rate {
    type Error = InvalidRate;

    fn try_from(text: String) -> Result<Self, InvalidRate> {
        text.parse()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = match self.per.as_secs() {
            1 => "s",
            60 => "min",
            _ => "h",
        };
        write!(f, "{}/{time}", self.burst)
    }
}

/// How often strangers may try. A client is an IPv4 address, or 64 bits of an IPv6 address.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleConfig {
    /// Whether what counts clients, and logins over all, leaves out clients on this machine. What counts accounts does not.
    pub loopback_exempt: bool,
    /// Logins of a client.
    pub login_per_client: Rate,
    /// Logins of an account that fail, from wherever. A client from which the right password came lately is counted for itself,
    /// and neither by tenant nor overall.
    pub login_per_account: Rate,
    /// Logins that name a tenant.
    pub login_per_tenant: Rate,
    /// Logins over all.
    pub login_overall: Rate,
    /// How many wrong passwords of an account a network (24 bits of IPv4) may send before the pauses begin: 1 s, 2 s, 4 s, …
    pub free_failures: u32,
    /// The longest pause.
    pub longest_pause_seconds: u32,
    /// Accounts that a client makes.
    pub register_per_client: Rate,
    /// Mails that a client asks for.
    pub recovery_per_client: Rate,
    /// Mails of one kind to an e-mail address. Who asks for more is answered as if there were one.
    pub recovery_per_mailbox: Rate,
    /// Codes that are tried for an e-mail address, however many codes there are.
    pub code_per_mailbox: Rate,
    /// Tries of the present password by somebody who is logged in.
    pub password_per_account: Rate,
    /// Refreshes of a session.
    pub refresh_per_session: Rate,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            loopback_exempt: false,
            login_per_client: Rate::per_minute(10),
            login_per_account: Rate::per_hour(100),
            login_per_tenant: Rate::per_minute(600),
            login_overall: Rate::per_minute(3000),
            free_failures: 5,
            longest_pause_seconds: 60,
            register_per_client: Rate::per_hour(5),
            recovery_per_client: Rate::per_hour(10),
            recovery_per_mailbox: Rate::per_hour(3),
            code_per_mailbox: Rate::per_hour(30),
            password_per_account: Rate::per_hour(10),
            refresh_per_session: Rate::per_minute(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_reads_as_it_is_written() {
        for text in ["10/min", "3000/min", "3/h", "1/s"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("10 / min".parse(), Ok(Rate::per_minute(10)));
        for text in [
            "", "10", "10/", "/min", "0/min", "-1/min", "10/m", "10/60", "10/min/h",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}

//! Throttling: how often strangers may try, decided before anything expensive is done for them.
//!
//! Nothing locks an account: whoever could lock it could lock its owner out. Wrong passwords slow down the network they come
//! from. A client from which the right one came lately is counted for itself, with the same numbers: what strangers do to the
//! account, the tenant or all of them does not slow it down, and who comes from there by chance guesses no faster than anybody
//! else. Whom strangers slow down from a new client sets a new password by mail. Unknown addresses are counted as known ones are,
//! under the same names, so that being slowed down tells nothing.

use std::time::Duration;

use plaza_contracts::email::Email;
use plaza_kernel::{SessionId, TenantId, UserId};
use plaza_throttle::{Ladder, Rule, Throttle, Throttled};

use crate::config::{Rate, ThrottleConfig};
use crate::mails::Template;
use crate::origin::Origin;

/// How long after the last wrong password the pauses are forgotten.
const MEMORY: Duration = Duration::from_secs(3600);

/// How often the password of an account is tried with one link to it, as long as links are good.
const TRIES_OF_LINK: Rate = Rate {
    burst: 10,
    per: Duration::from_secs(72 * 3600),
};

/// A password that is about to be compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guess<'a> {
    /// The address of the account, in the form it is compared by.
    pub(crate) email: &'a str,
    /// The tenant that is to be entered, where one is named.
    pub(crate) tenant: Option<TenantId>,
    pub(crate) origin: Origin,
    /// The account's right password came from this client lately.
    pub(crate) familiar: bool,
    /// The hash of the link that it is tried with, if it is.
    pub(crate) link: Option<&'a [u8]>,
}

impl Guess<'_> {
    fn of_account(&self) -> String {
        match self.familiar_client() {
            Some(client) => format!("login/account/{}/from/{client}", self.email),
            None => format!("login/account/{}", self.email),
        }
    }

    fn failures(&self) -> String {
        match self.familiar_client() {
            Some(client) => format!("login/failures/{}/from/{client}", self.email),
            None => format!("login/failures/{}/in/{}", self.email, self.origin.network_name()),
        }
    }

    fn familiar_client(&self) -> Option<String> {
        self.origin.client().filter(|_| self.familiar)
    }

    fn of_tenant(&self) -> Option<String> {
        Some(format!("login/tenant/{}", self.tenant?))
    }

    fn of_link(&self) -> Option<String> {
        Some(format!("setup/link/{:x?}", self.link?))
    }
}

/// Counts for identity. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Throttling {
    throttle: Throttle,
    config: ThrottleConfig,
}

impl Throttling {
    pub(crate) fn new(throttle: Throttle, config: ThrottleConfig) -> Self {
        Self { throttle, config }
    }

    /// Before a password is compared.
    pub(crate) async fn login(&self, guess: &Guess<'_>) -> Result<(), Throttled> {
        let config = &self.config;
        let client = self.client("login", guess.origin);
        let of_strangers = |label: Option<String>| label.filter(|_| !guess.familiar);
        let overall = self.counts(guess.origin).then(|| "login".to_owned());
        let limits = [
            (client, "login", config.login_per_client),
            (
                Some(guess.of_account()),
                "login-account",
                config.login_per_account,
            ),
            (
                of_strangers(guess.of_tenant()),
                "login-tenant",
                config.login_per_tenant,
            ),
            (of_strangers(overall), "login-overall", config.login_overall),
            (guess.of_link(), "setup-link", TRIES_OF_LINK),
        ];
        let rules: Vec<Rule<'_>> = limits
            .iter()
            .filter_map(|(label, policy, rate)| Some(rule(policy, label.as_deref()?, *rate)))
            .collect();
        let label = guess.failures();
        self.throttle.attempt(&rules, &self.ladder(&label)).await
    }

    /// After the right one.
    pub(crate) async fn forgive(&self, guess: &Guess<'_>) {
        let (failures, account) = (guess.failures(), guess.of_account());
        tokio::join!(self.throttle.forget(&failures), self.throttle.forget(&account));
    }

    /// After a new password was set from there by who reads the account's mail: nothing that was counted against it stands.
    pub(crate) async fn forgive_account(&self, email: &str, origin: Origin) {
        for familiar in [false, true] {
            let guess = Guess {
                email,
                tenant: None,
                origin,
                familiar,
                link: None,
            };
            self.forgive(&guess).await;
        }
    }

    /// Before an account is made.
    pub(crate) async fn register(&self, origin: Origin) -> Result<(), Throttled> {
        self.of_client("register", origin, self.config.register_per_client)
            .await
    }

    /// Before a mail is asked for.
    pub(crate) async fn recovery(&self, origin: Origin) -> Result<(), Throttled> {
        self.of_client("recovery", origin, self.config.recovery_per_client)
            .await
    }

    /// Before a secret out of a mail is looked at: as rare as logins.
    pub(crate) async fn proof(&self, origin: Origin) -> Result<(), Throttled> {
        self.of_client("proof", origin, self.config.login_per_client)
            .await
    }

    /// Whether one more mail goes to this address.
    pub(crate) async fn mail(&self, template: Template, email: &Email) -> bool {
        let label = format!("mail/{}/{}", template.as_str(), email.normal());
        let rate = self.config.recovery_per_mailbox;
        self.throttle.take(&[rule("mail", &label, rate)]).await.is_ok()
    }

    /// Before a code is tried.
    pub(crate) async fn code(&self, email: &Email) -> Result<(), Throttled> {
        let label = format!("code/{}", email.normal());
        let rate = self.config.code_per_mailbox;
        self.throttle.take(&[rule("code", &label, rate)]).await
    }

    /// Before somebody's present password is compared once more.
    pub(crate) async fn present_password(&self, user: UserId) -> Result<(), Throttled> {
        let label = format!("password/{user}");
        let rate = self.config.password_per_account;
        self.throttle.take(&[rule("password", &label, rate)]).await
    }

    /// After it was right.
    pub(crate) async fn forgive_present_password(&self, user: UserId) {
        self.throttle.forget(&format!("password/{user}")).await;
    }

    /// Before a session is refreshed.
    pub(crate) async fn refresh(&self, session: SessionId) -> Result<(), Throttled> {
        let label = format!("refresh/{session}");
        let rate = self.config.refresh_per_session;
        self.throttle.take(&[rule("refresh", &label, rate)]).await
    }

    async fn of_client(&self, policy: &'static str, origin: Origin, rate: Rate) -> Result<(), Throttled> {
        match self.client(policy, origin) {
            Some(label) => self.throttle.take(&[rule(policy, &label, rate)]).await,
            None => Ok(()),
        }
    }

    /// The label of a client, if it is counted.
    fn client(&self, policy: &str, origin: Origin) -> Option<String> {
        let client = origin.client().filter(|_| self.counts(origin))?;
        Some(format!("{policy}/client/{client}"))
    }

    fn counts(&self, origin: Origin) -> bool {
        !(self.config.loopback_exempt && origin.is_loopback())
    }

    fn ladder<'a>(&self, label: &'a str) -> Ladder<'a> {
        Ladder {
            policy: "login-failures",
            label,
            free: self.config.free_failures,
            first: Duration::from_secs(1),
            most: Duration::from_secs(self.config.longest_pause_seconds.into()),
            memory: MEMORY,
        }
    }
}

fn rule<'a>(policy: &'static str, label: &'a str, rate: Rate) -> Rule<'a> {
    Rule {
        policy,
        label,
        burst: rate.burst,
        per: rate.per,
    }
}

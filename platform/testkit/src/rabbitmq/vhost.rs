//! A virtual host of its own for one test.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use plaza_kernel::Clock;
use secrecy::{ExposeSecret, SecretString};

use super::management::Management;
use super::permissions::Permissions;
use super::shared;
use crate::process_name;

/// An empty virtual host that one test has to itself: its exchanges and queues meet nobody else's. Dropped with this
/// value, with everything in it; `PLAZA_TEST_KEEP=1` keeps it and prints its URL.
pub struct Vhost {
    server: SecretString,
    name: String,
    management: Management,
    /// Those who may do little here.
    logins: Mutex<Vec<String>>,
}

impl Vhost {
    /// A virtual host of the shared broker, which is started if it does not run.
    ///
    /// # Panics
    /// When there is no broker and none can be started: a test of the broker without a broker is no test.
    pub async fn new() -> Self {
        Self::on(shared::url().await).await
    }

    pub(super) async fn on(server: SecretString) -> Self {
        match Self::try_on(server).await {
            Ok(vhost) => vhost,
            Err(error) => panic!("no virtual host for this test: {error:#}"),
        }
    }

    async fn try_on(server: SecretString) -> Result<Self> {
        let management = Management::of(&server)?;
        let name = process_name::unique(&Clock::system());
        let vhost = Self {
            server,
            name,
            management,
            logins: Mutex::default(),
        };
        let (management, name) = (vhost.management.clone(), vhost.name.clone());
        tokio::task::spawn_blocking(move || management.make_vhost(&name)).await??;
        Ok(vhost)
    }

    /// `amqp://user:password@host:port/name`.
    pub fn url(&self) -> SecretString {
        format!("{}/{}", self.server.expose_secret(), self.name).into()
    }

    /// The same for somebody who may do no more than this here. The login goes with the virtual host.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn login(&self, permissions: &Permissions) -> SecretString {
        let name = process_name::unique(&Clock::system());
        self.logins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name.clone());
        let (management, vhost, permissions) =
            (self.management.clone(), self.name.clone(), permissions.clone());
        let made = tokio::task::spawn_blocking(move || permissions.give(&management, &vhost, &name)).await;
        match made.map_err(anyhow::Error::from).flatten() {
            Ok(url) => url,
            Err(error) => panic!("no login for this test: {error:#}"),
        }
    }

    /// The name: letters, digits and underscores.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
        if std::env::var("PLAZA_TEST_KEEP").is_ok() {
            eprintln!("kept: {}", self.url().expose_secret());
            return;
        }
        // The broker may have been killed on purpose; a leftover is dropped when the shared one is adopted the next time.
        let _ = self.management.drop_vhost(&self.name);
        let logins = self.logins.get_mut().unwrap_or_else(PoisonError::into_inner);
        for login in logins.drain(..) {
            let _ = self.management.drop_login(&login);
        }
    }
}

/// Drops the virtual hosts and logins of processes that are gone.
pub(super) fn sweep(management: &Management) -> Result<()> {
    let vhosts = management.vhosts()?;
    for name in vhosts.iter().filter(|name| process_name::owner_is_gone(name)) {
        // Another process may be faster.
        management.drop_vhost(name).ok();
    }
    let logins = management.logins()?;
    for name in logins.iter().filter(|name| process_name::owner_is_gone(name)) {
        management.drop_login(name).ok();
    }
    Ok(())
}

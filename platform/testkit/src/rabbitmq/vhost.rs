//! A virtual host of its own for one test.

use anyhow::Result;
use plaza_kernel::Clock;
use secrecy::{ExposeSecret, SecretString};

use super::management::Management;
use super::shared;
use crate::process_name;

/// An empty virtual host that one test has to itself: its exchanges and queues meet nobody else's. Dropped with this
/// value, with everything in it; `PLAZA_TEST_KEEP=1` keeps it and prints its URL.
pub struct Vhost {
    server: SecretString,
    name: String,
    management: Management,
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
        };
        let (management, name) = (vhost.management.clone(), vhost.name.clone());
        tokio::task::spawn_blocking(move || management.make_vhost(&name)).await??;
        Ok(vhost)
    }

    /// `amqp://user:password@host:port/name`.
    pub fn url(&self) -> SecretString {
        format!("{}/{}", self.server.expose_secret(), self.name).into()
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
    }
}

/// Drops the virtual hosts of processes that are gone.
pub(super) fn sweep(management: &Management) -> Result<()> {
    let vhosts = management.vhosts()?;
    for name in vhosts.iter().filter(|name| process_name::owner_is_gone(name)) {
        // Another process may be faster.
        management.drop_vhost(name).ok();
    }
    Ok(())
}

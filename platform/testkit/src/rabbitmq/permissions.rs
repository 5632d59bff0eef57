//! What a login may do in a virtual host, where that is less than everything.

use anyhow::Result;
use secrecy::SecretString;
use serde_json::json;

use super::management::Management;

/// Regular expressions over the names of exchanges and queues, as `rabbitmqctl set_permissions` takes them.
#[derive(Debug, Clone)]
pub struct Permissions {
    /// What it may declare and delete.
    pub configure: String,
    /// Where it may publish, and what it may bind.
    pub write: String,
    /// What it may consume, and bind its queues to.
    pub read: String,
    /// Of one topic exchange, which keys it may bind its queues with; none means any
    /// (`rabbitmqctl set_topic_permissions`).
    pub topics: Option<Topics>,
}

/// The keys of a topic exchange that a login may use.
#[derive(Debug, Clone)]
pub struct Topics {
    /// The exchange.
    pub exchange: String,
    /// The keys that it may publish with.
    pub write: String,
    /// The keys and patterns that it may bind with.
    pub read: String,
}

impl Permissions {
    /// Makes the login. Blocking.
    pub(super) fn give(&self, management: &Management, vhost: &str, login: &str) -> Result<SecretString> {
        // Nobody but this machine reaches the broker, and nobody has to guess it.
        let password = login;
        management.make_login(login, password)?;
        let what = json!({"configure": self.configure, "write": self.write, "read": self.read});
        management.permit("permissions", vhost, login, &what)?;
        if let Some(topics) = &self.topics {
            let what = json!({"exchange": topics.exchange, "write": topics.write, "read": topics.read});
            management.permit("topic-permissions", vhost, login, &what)?;
        }
        let (host, port) = (&management.host, management.amqp_port);
        Ok(format!("amqp://{login}:{password}@{host}:{port}/{vhost}").into())
    }
}

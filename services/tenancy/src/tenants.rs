//! Tenants: the model. No I/O here.

pub(crate) mod charge;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod end;
pub(crate) mod http;
pub(crate) mod life;
pub(crate) mod life_http;
pub(crate) mod live;
pub(crate) mod look_up;
pub(crate) mod owner_link;
mod parse;
pub(crate) mod store;
pub(crate) mod update;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use plaza_kernel::TenantId;
use plaza_web::Version;
use serde::{Deserialize, Serialize};

pub use life::Life;
pub use look_up::status;

/// Where a tenant is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Made, its owner's account not yet.
    Provisioning,
    /// In use.
    Active,
    /// Refuses logins and work.
    Suspended,
    /// Will be gone after its days of grace.
    Deleting,
    /// Gone: nobody reaches anything of it, and its slug is free.
    Deleted,
}

impl Status {
    /// The name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name in hosts and URLs.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// Who was named to own it.
    pub admin_email: String,
    /// What has happened to it.
    pub life: Life,
    /// Rises with every change.
    pub version: Version,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Tenant {
    /// Where it is in its life.
    pub const fn status(&self) -> Status {
        self.life.status()
    }
}

/// A tenant's name in hosts: one DNS label (RFC 1035 §2.3.1, digits first allowed by RFC 1123), lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slug(String);

/// Names that hosts of the platform itself have, or that people would take for it.
const RESERVED: &[&str] = &[
    "admin",
    "api",
    "app",
    "auth",
    "console",
    "docs",
    "help",
    "internal",
    "localhost",
    "mail",
    "metrics",
    "platform",
    "plaza",
    "root",
    "setup",
    "simulator",
    "status",
    "support",
    "system",
    "webhooks",
    "www",
];

/// A text cannot be a slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotASlug {
    /// Not a lower-case DNS label.
    #[error("a slug has 1 to 63 characters of a-z, 0-9 and inner hyphens")]
    Form,
    /// The platform keeps it for itself.
    #[error("this slug is reserved")]
    Reserved,
}

impl Slug {
    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = NotASlug;

    fn from_str(text: &str) -> Result<Self, NotASlug> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let label = (1..=63).contains(&text.len())
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-');
        // `xn--` labels are other scripts in disguise: names that look like another tenant's.
        if !label || text.starts_with("xn--") {
            return Err(NotASlug::Form);
        }
        if RESERVED.contains(&text) {
            return Err(NotASlug::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_dns_label_that_nobody_confuses_with_the_platform() {
        for good in ["acme", "a", "a-1", "0x"] {
            assert!(good.parse::<Slug>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a.b",
            "a_b",
            "ä",
            "xn--pypal-4ve",
            &"a".repeat(64),
        ] {
            assert_eq!(bad.parse::<Slug>(), Err(NotASlug::Form), "{bad}");
        }
        assert_eq!("www".parse::<Slug>(), Err(NotASlug::Reserved));
    }
}

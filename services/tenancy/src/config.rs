//! Settings of tenancy.

/// Settings of tenancy.
#[derive(Debug, Clone)]
pub struct TenancyConfig {
    /// The origin that links are made of, `https://app.example` without a slash at the end; never a `Host` header.
    pub public_url: String,
}

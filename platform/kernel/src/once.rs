//! A request that may be repeated without a second effect: what names it, and what it is answered.

/// The key under which a request may be repeated; none when the client gave none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnceKey(pub Option<OnceRequest>);

/// A request with a key of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnceRequest {
    /// What the client calls it: 1 to 255 visible ASCII characters.
    pub key: String,
    /// SHA-256 of what was asked: the same key with another request is a mistake of the client.
    pub fingerprint: [u8; 32],
}

impl OnceKey {
    /// No key: the request has its effect each time.
    pub const NONE: Self = Self(None);
}

/// What a verb answers whose request may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// It was done now.
    New(T),
    /// It was done before; this is what was answered then.
    Replayed {
        /// The status of that answer.
        status: u16,
        /// Its body, JSON; empty where there was none.
        body: String,
    },
}

//! Names of services.

/// The name of a service: its schema, its roles, its audience and its place in the topology are called by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceName(&'static str);

impl ServiceName {
    /// A name; lower-case ASCII letters only, because roles and schemas are made of it.
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        let mut at = 0;
        assert!(!bytes.is_empty(), "a service has a name");
        while at < bytes.len() {
            assert!(
                bytes[at].is_ascii_lowercase(),
                "a service's name is lower-case ASCII letters"
            );
            at += 1;
        }
        Self(name)
    }

    /// The name as text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Display for ServiceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

//! What is audited.

/// Something that is audited. Declared by the service that does it, all of a service's in one table.
///
/// ```
/// use plaza_audit::Action;
///
/// /// A campaign was sent.
/// static SEND: Action = Action::new("campaigns.send", "campaign", &["state"]);
/// assert_eq!(SEND.name(), "campaigns.send");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    name: &'static str,
    target: &'static str,
    fields: &'static [&'static str],
}

impl Action {
    /// `name` is `<resource>.<verb>`, `target` the kind of thing that it is done to.
    ///
    /// `fields` are those whose values before and after may be told: names of things, states, numbers, ids. Never what is
    /// personal or secret: no telephone numbers, addresses, texts or tokens.
    pub const fn new(name: &'static str, target: &'static str, fields: &'static [&'static str]) -> Self {
        Self { name, target, fields }
    }

    /// Its name. Never changed: it is what people look for.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The kind of thing it is done to.
    pub const fn target(&self) -> &'static str {
        self.target
    }

    /// Whether a field may be told.
    pub(crate) fn tells(&self, field: &str) -> bool {
        self.fields.contains(&field)
    }
}

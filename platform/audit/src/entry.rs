//! One entry, before it is written.

use plaza_kernel::{Caller, SystemRole, UserId};
use plaza_rpc::carried;
use serde_json::{Map, Value};

use crate::Action;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person who is logged in.
    Person {
        /// The account.
        subject: UserId,
        /// The coarse role.
        role: SystemRole,
    },
    /// The service itself: what follows from an event, or is due.
    Service,
    /// Whoever runs commands on the machine.
    Operator,
    /// Somebody who is not logged in, or not yet.
    Nobody,
}

impl Actor {
    /// The person that the work at hand is done for; the service, if it is for none.
    pub fn at_hand() -> Self {
        carried().caller.as_ref().map_or(Self::Service, Self::from)
    }

    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Person { .. } => "person",
            Self::Service => "service",
            Self::Operator => "operator",
            Self::Nobody => "nobody",
        }
    }

    pub(crate) fn subject(&self) -> Option<UserId> {
        match self {
            Self::Person { subject, .. } => Some(*subject),
            Self::Service | Self::Operator | Self::Nobody => None,
        }
    }

    pub(crate) fn role(&self) -> Option<String> {
        match self {
            Self::Person { role, .. } => Some(role.to_string()),
            Self::Service | Self::Operator | Self::Nobody => None,
        }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self::Person {
            subject: caller.subject,
            role: caller.role,
        }
    }
}

/// One entry: what was done, to what, by whom.
#[derive(Debug, Clone)]
#[must_use = "an entry tells nothing until it is recorded"]
pub struct Entry {
    pub(crate) action: &'static Action,
    pub(crate) target: Option<String>,
    pub(crate) actor: Actor,
    pub(crate) denied: bool,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

impl Entry {
    /// It was done to the thing with this id, by whomever the work at hand is for.
    pub fn of(action: &'static Action, target: impl ToString) -> Self {
        Self {
            action,
            target: Some(target.to_string()),
            actor: Actor::at_hand(),
            denied: false,
            before: None,
            after: None,
        }
    }

    /// Nobody knows to what it was done.
    pub fn of_unknown(action: &'static Action) -> Self {
        Self {
            target: None,
            ..Self::of(action, "")
        }
    }

    /// It was done by somebody else than the work at hand is for.
    pub fn by(self, actor: impl Into<Actor>) -> Self {
        Self {
            actor: actor.into(),
            ..self
        }
    }

    /// It was refused.
    pub fn denied(self) -> Self {
        Self { denied: true, ..self }
    }

    /// How it was: an object of fields that the action tells.
    pub fn before(self, fields: Value) -> Self {
        let before = Some(told(self.action, fields));
        Self { before, ..self }
    }

    /// How it is now: an object of fields that the action tells.
    pub fn after(self, fields: Value) -> Self {
        let after = Some(told(self.action, fields));
        Self { after, ..self }
    }
}

/// What is not on the action's list is left out, and a mistake that tests find.
fn told(action: &Action, fields: Value) -> Value {
    let Value::Object(fields) = fields else {
        debug_assert!(false, "{} tells something that is no object", action.name());
        return Value::Object(Map::new());
    };
    let told = fields.into_iter().filter(|(name, _)| {
        let tells = action.tells(name);
        debug_assert!(tells, "{} does not tell `{name}`", action.name());
        tells
    });
    Value::Object(told.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static RENAME: Action = Action::new("things.rename", "thing", &["name"]);

    #[test]
    #[should_panic(expected = "things.rename does not tell `phone`")]
    fn a_field_that_is_not_on_the_list_is_found_by_the_first_test_that_records_it() {
        let _ = Entry::of(&RENAME, "1").after(json!({"name": "a", "phone": "+49"}));
    }

    #[test]
    fn outside_of_any_request_it_is_the_service() {
        assert_eq!(Entry::of(&RENAME, "1").actor, Actor::Service);
    }
}

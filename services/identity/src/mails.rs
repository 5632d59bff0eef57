//! Mails that identity owes somebody.
//!
//! That one is due is written in the transaction that makes it true; a worker of any process takes it up, makes what it needs
//! and hands it to notification, which knows the mail by the row's id: taken up again after a crash, it is the same mail.

mod post;
mod store;
mod worker;

use plaza_database::{DatabaseError, Transaction};

pub(crate) use post::Post;

use crate::Identity;

/// Wakes the worker.
const SIGNAL: &str = "identity.mails";

/// What a mail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Template {
    /// Where to choose a new password.
    Reset,
    /// Where to show that the address is one's own.
    Verify,
    /// That the password was changed.
    PasswordChanged,
}

impl Template {
    /// Its name in the database, and at notification.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::PasswordChanged => "password_changed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Reset, Self::Verify, Self::PasswordChanged]
            .into_iter()
            .find(|template| template.as_str() == text)
    }
}

impl Identity {
    /// Owes a mail to the account of an address, if there turns out to be one; `email` in the form addresses are compared by.
    pub(crate) async fn owe_mail(
        &self,
        tx: &Transaction,
        template: Template,
        email: &str,
    ) -> Result<(), DatabaseError> {
        let (id, now) = (self.clock().uuid(), self.clock().now());
        store::add(tx, id, template.as_str(), email, now).await?;
        tx.signal_on_commit(SIGNAL);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_one_name() {
        for template in [Template::Reset, Template::Verify, Template::PasswordChanged] {
            assert_eq!(Template::parse(template.as_str()), Some(template));
        }
        assert_eq!(Template::parse("Reset"), None);
    }
}

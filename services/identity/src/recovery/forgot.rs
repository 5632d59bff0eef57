//! Forgot the password: a link to a new one is sent to the address, if it has an account.

use plaza_contracts::email::Email;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, Limits};
use plaza_throttle::Throttled;

use crate::Identity;
use crate::mails::Template;
use crate::origin::Origin;

/// No mail was asked for.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The client asks too often. What is asked too often for one address is answered as if a mail went there.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The database failed.
    #[error("the mail could not be asked for")]
    Database(#[from] DatabaseError),
}

impl Failure for AskError {
    fn kind(&self) -> Kind {
        match self {
            Self::Throttled(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Throttled(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Throttled(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
        }
    }

    fn limits(&self) -> Option<Limits> {
        match self {
            Self::Throttled(error) => error.limits(),
            Self::Database(_) => None,
        }
    }
}

impl Identity {
    /// Asks for the mail that leads to a new password.
    pub(crate) async fn forgot_password(&self, email: &Email, origin: Origin) -> Result<(), AskError> {
        self.ask_for_mail(Template::Reset, email, origin).await
    }

    /// Does the same whether the address has an account or not: who works the row off finds out.
    pub(super) async fn ask_for_mail(
        &self,
        template: Template,
        email: &Email,
        origin: Origin,
    ) -> Result<(), AskError> {
        self.throttling().recovery(origin).await?;
        if !self.throttling().mail(template, email).await {
            return Ok(());
        }
        let tx = self.database().begin_platform();
        self.owe_mail(&tx, template, email.normal()).await?;
        Ok(tx.commit().await?)
    }
}

//! Suppressing an address, and lifting that again.

use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::ManageSuppressions;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind};

use super::{Suppression, SuppressionId, is_e164, store};
use crate::Notification;
use crate::senders::WHATSAPP;

/// Why an address was not suppressed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SuppressError {
    #[error("the address is not acceptable")]
    NotE164,
    #[error("the reason is not acceptable")]
    Unprintable,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for SuppressError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotE164 | Self::Unprintable => Kind::Invalid,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotE164 | Self::Unprintable => "INVALID_SUPPRESSION",
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::NotE164 => vec![FieldError::new(
                "/address",
                "NOT_E164",
                "a plus and 7 to 15 digits",
            )],
            Self::Unprintable => vec![FieldError::new("/reason", "INVALID_REASON", "no NUL character")],
            Self::Database(_) => Vec::new(),
        }
    }
}

/// Why a suppression was not lifted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiftError {
    #[error("this suppression does not exist")]
    NotFound,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for LiftError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "SUPPRESSION_NOT_FOUND",
            Self::Database(error) => error.code(),
        }
    }
}

impl Notification {
    /// Suppresses an address: nothing is sent to it any more, whatever is queued. What stands is given back: one that is
    /// suppressed already stays as it was.
    pub(crate) async fn suppress(
        &self,
        right: &TenantRight<ManageSuppressions>,
        address: String,
        reason: Option<String>,
    ) -> Result<Suppression, SuppressError> {
        if !is_e164(&address) {
            return Err(SuppressError::NotE164);
        }
        let reason = reason.unwrap_or_else(|| "added by hand".to_owned());
        if reason.contains('\0') {
            return Err(SuppressError::Unprintable);
        }
        let clock = &self.inner.clock;
        let new = Suppression {
            id: SuppressionId::generate(clock),
            channel: WHATSAPP.to_owned(),
            address,
            reason: reason.chars().take(200).collect(),
            created_at: clock.now(),
        };
        let tx = self.inner.database.begin(right.tenant());
        let stands = store::add(&tx, new).await?;
        tx.commit().await?;
        Ok(stands)
    }

    /// Lifts a suppression.
    pub(crate) async fn lift_suppression(
        &self,
        right: &TenantRight<ManageSuppressions>,
        id: SuppressionId,
    ) -> Result<(), LiftError> {
        let tx = self.inner.database.begin(right.tenant());
        let found = store::remove(&tx, id).await?;
        tx.commit().await?;
        found.then_some(()).ok_or(LiftError::NotFound)
    }
}

//! Suppressing an address, and lifting that again.

use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::ManageSuppressions;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind};

use super::{Said, Scope, Suppression, SuppressionId, is_e164, store};
use crate::senders::{SMS, WHATSAPP};
use crate::{Notification, audit};

/// An address to be suppressed.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewSuppression {
    /// In E.164.
    pub(crate) address: String,
    /// `whatsapp` unless told.
    pub(crate) channel: Option<String>,
    /// Everything unless told.
    pub(crate) scope: Option<String>,
    /// Why, for people.
    pub(crate) reason: Option<String>,
}

/// Why an address was not suppressed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SuppressError {
    #[error("the address is not acceptable")]
    NotE164,
    #[error("the reason is not acceptable")]
    Unprintable,
    #[error("there is no such channel")]
    NoChannel,
    #[error("there is no such scope")]
    NoScope,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for SuppressError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotE164 | Self::Unprintable | Self::NoChannel | Self::NoScope => Kind::Invalid,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotE164 | Self::Unprintable | Self::NoChannel | Self::NoScope => "INVALID_SUPPRESSION",
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
            Self::NoChannel => vec![FieldError::new("/channel", "UNKNOWN_CHANNEL", "whatsapp or sms")],
            Self::NoScope => vec![FieldError::new("/scope", "UNKNOWN_SCOPE", "all or marketing")],
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
    /// Suppresses an address: nothing is sent to it any more, or no advertising, whatever is queued. What stands is given
    /// back: one that is suppressed as widely already stays as it was.
    pub(crate) async fn suppress(
        &self,
        right: &TenantRight<ManageSuppressions>,
        new: NewSuppression,
    ) -> Result<Suppression, SuppressError> {
        let new = self.checked(new)?;
        let tx = self.inner.database.begin(right.tenant());
        let stands = store::add(&tx, new).await?;
        plaza_audit::done(&tx, &self.inner.clock, &audit::SUPPRESSED, stands.id).await?;
        tx.commit().await?;
        Ok(stands)
    }

    fn checked(&self, new: NewSuppression) -> Result<Suppression, SuppressError> {
        if !is_e164(&new.address) {
            return Err(SuppressError::NotE164);
        }
        let channel = new.channel.unwrap_or_else(|| WHATSAPP.to_owned());
        if ![WHATSAPP, SMS].contains(&channel.as_str()) {
            return Err(SuppressError::NoChannel);
        }
        let scope = new.scope.as_deref().map_or(Some(Scope::All), Scope::parse);
        let reason = new.reason.unwrap_or_else(|| Said::Api.reason().to_owned());
        if reason.contains('\0') {
            return Err(SuppressError::Unprintable);
        }
        let clock = &self.inner.clock;
        Ok(Suppression {
            id: SuppressionId::generate(clock),
            channel,
            address: new.address,
            scope: scope.ok_or(SuppressError::NoScope)?,
            source: Said::Api.as_str().to_owned(),
            reason: reason.chars().take(200).collect(),
            created_at: clock.now(),
        })
    }

    /// Lifts a suppression. What else was said of the address stands.
    pub(crate) async fn lift_suppression(
        &self,
        right: &TenantRight<ManageSuppressions>,
        id: SuppressionId,
    ) -> Result<(), LiftError> {
        let tx = self.inner.database.begin(right.tenant());
        let found = store::remove(&tx, id, self.inner.clock.now()).await?;
        if found {
            plaza_audit::done(&tx, &self.inner.clock, &audit::LIFTED, id).await?;
        }
        tx.commit().await?;
        found.then_some(()).ok_or(LiftError::NotFound)
    }
}

//! Making a sender.

use plaza_contracts::ids::SenderId;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::ManageSenders;
use plaza_database::{DatabaseError, TenantTx, violated};
use plaza_kernel::{Failure, FieldError, Kind, TenantId};
use secrecy::{ExposeSecret, SecretString};

use super::{Sender, WHATSAPP, development_account, seal_context, store};
use crate::{Notification, NotificationConfig};

/// A sender to be made.
pub(crate) struct NewSender {
    pub(crate) name: String,
    pub(crate) account_id: String,
    pub(crate) access_token: SecretString,
    /// Messages a second; none for the default.
    pub(crate) rate: Option<u32>,
}

/// Why a sender was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateSenderError {
    #[error("the sender is not acceptable")]
    Invalid(Vec<FieldError>),
    #[error("a sender of this name exists")]
    NameTaken,
    #[error("a sender with this account exists")]
    AccountTaken,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for CreateSenderError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::NameTaken | Self::AccountTaken => Kind::Conflict,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_SENDER",
            Self::NameTaken => "SENDER_NAME_TAKEN",
            Self::AccountTaken => "ACCOUNT_TAKEN",
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(fields) => fields.clone(),
            _ => Vec::new(),
        }
    }
}

impl Notification {
    /// Makes a WhatsApp sender. Its token is sealed before it touches the database and never read back to people.
    pub(crate) async fn create_sender(
        &self,
        right: &TenantRight<ManageSenders>,
        new: NewSender,
    ) -> Result<Sender, CreateSenderError> {
        let new = NewSender {
            name: new.name.trim().to_owned(),
            ..new
        };
        check(&new)?;
        let tx = self.inner.database.begin(right.tenant());
        let sender = self.insert_sender(&tx, &new).await?;
        tx.commit().await?;
        Ok(sender)
    }

    /// Gives a tenant the sender that leads to the simulator, once.
    pub(crate) async fn add_development_sender(&self, tx: &TenantTx) -> Result<(), CreateSenderError> {
        let new = NewSender {
            name: "Development".to_owned(),
            account_id: development_account(tx.tenant()),
            access_token: NotificationConfig::development_token(),
            rate: None,
        };
        self.insert_sender(tx, &new).await.map(drop)
    }

    async fn insert_sender(&self, tx: &TenantTx, new: &NewSender) -> Result<Sender, CreateSenderError> {
        let clock = &self.inner.clock;
        let sender = Sender {
            id: SenderId::generate(clock),
            channel: WHATSAPP.to_owned(),
            name: new.name.clone(),
            account_id: new.account_id.clone(),
            rate: i32::try_from(new.rate.unwrap_or(self.inner.config.default_rate)).unwrap_or(i32::MAX),
            status: "active".to_owned(),
            status_reason: None,
            created_at: clock.now(),
        };
        let sealed = self.seal_token(tx.tenant(), sender.id, &new.access_token);
        store::insert(tx, &sender, sealed)
            .await
            .map_err(|error| match violated(&error) {
                Some("senders_name_key") => CreateSenderError::NameTaken,
                Some("senders_account_key") => CreateSenderError::AccountTaken,
                _ => error.into(),
            })?;
        Ok(sender)
    }

    pub(super) fn seal_token(&self, tenant: TenantId, sender: SenderId, token: &SecretString) -> String {
        let (tenant, sender) = (tenant.to_string(), sender.to_string());
        self.inner
            .keys
            .seal(&seal_context(&tenant, &sender), token.expose_secret().as_bytes())
    }
}

fn check(new: &NewSender) -> Result<(), CreateSenderError> {
    let mut wrong = Vec::new();
    let name = &new.name;
    if name.is_empty() || name.chars().count() > 100 || name.contains(char::is_control) {
        wrong.push(FieldError::new(
            "/name",
            "INVALID_NAME",
            "a name has 1 to 100 printable characters",
        ));
    }
    if !(1..=32).contains(&new.account_id.len()) || !new.account_id.bytes().all(|byte| byte.is_ascii_digit())
    {
        wrong.push(FieldError::new(
            "/phone_number_id",
            "INVALID_ACCOUNT",
            "a phone number id has 1 to 32 digits",
        ));
    }
    wrong.extend(check_token(&new.access_token));
    if new.rate.is_some_and(|rate| rate > 100_000) {
        wrong.push(FieldError::new(
            "/rate",
            "INVALID_RATE",
            "at most 100000 messages a second",
        ));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(CreateSenderError::Invalid(wrong))
    }
}

/// What is wrong with a token; none if nothing is. It goes into a header as it stands.
pub(super) fn check_token(token: &SecretString) -> Option<FieldError> {
    let token = token.expose_secret();
    let good = (1..=4096).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    let wrong = || {
        FieldError::new(
            "/access_token",
            "INVALID_TOKEN",
            "a token has 1 to 4096 visible characters",
        )
    };
    (!good).then(wrong)
}

//! Making a sender.

use plaza_contracts::ids::SenderId;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::ManageSenders;
use plaza_database::{DatabaseError, TenantTx, violated};
use plaza_kernel::{Answer, Failure, FieldError, Kind, OnceKey, TenantId, UserId};
use plaza_once::{Entry, OnceError};
use plaza_vault::VaultError;
use secrecy::{ExposeSecret, SecretString};

use super::http::SenderView;
use super::{NewAccount, Sender, TOKENS, development_account, store};
use crate::{Notification, NotificationConfig, audit};

/// A sender to be made.
pub(crate) struct NewSender {
    pub(crate) name: String,
    pub(crate) account: NewAccount,
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
    #[error(transparent)]
    Once(#[from] OnceError),
    #[error("the token was not sealed")]
    Vault(#[from] VaultError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for CreateSenderError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::NameTaken | Self::AccountTaken => Kind::Conflict,
            Self::Once(error) => error.kind(),
            Self::Vault(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_SENDER",
            Self::NameTaken => "SENDER_NAME_TAKEN",
            Self::AccountTaken => "ACCOUNT_TAKEN",
            Self::Once(error) => error.code(),
            Self::Vault(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(fields) => fields.clone(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Once(error) => error.retry_after(),
            Self::Vault(error) => error.retry_after(),
            Self::Database(error) => error.retry_after(),
            Self::Invalid(_) | Self::NameTaken | Self::AccountTaken => None,
        }
    }
}

impl Notification {
    /// Makes a sender. Its token is sealed before it touches the database and never read back to people.
    pub(crate) async fn create_sender(
        &self,
        right: &TenantRight<ManageSenders>,
        new: NewSender,
    ) -> Result<Sender, CreateSenderError> {
        let new = new.checked()?;
        let tx = self.inner.database.begin(right.tenant());
        let sender = self.insert_sender(&tx, &new).await?;
        audit::sender_created(&tx, &self.inner.clock, &sender).await?;
        tx.commit().await?;
        Ok(sender)
    }

    /// The same for a request that may be repeated.
    pub(crate) async fn create_sender_once(
        &self,
        right: &TenantRight<ManageSenders>,
        new: NewSender,
        (actor, key): (UserId, &OnceKey),
    ) -> Result<Answer<SenderView>, CreateSenderError> {
        let new = new.checked()?;
        let tx = self.inner.database.begin(right.tenant());
        let entry = plaza_once::enter(&tx, key, actor, "create_sender").await?;
        if let Entry::Replay { status, body } = entry {
            return Ok(Answer::Replayed { status, body });
        }
        let sender = self.insert_sender(&tx, &new).await?;
        audit::sender_created(&tx, &self.inner.clock, &sender).await?;
        let view = SenderView::from(sender);
        entry.leave(&tx, 201, &view).await?;
        tx.commit().await?;
        Ok(Answer::New(view))
    }

    /// Gives a tenant the sender that leads to the simulator, once.
    pub(crate) async fn add_development_sender(&self, tx: &TenantTx) -> Result<(), CreateSenderError> {
        let new = NewSender {
            name: "Development".to_owned(),
            account: NewAccount::WhatsApp {
                phone_number_id: development_account(tx.tenant()),
            },
            access_token: NotificationConfig::development_token(),
            rate: None,
        };
        self.insert_sender(tx, &new).await.map(drop)
    }

    async fn insert_sender(&self, tx: &TenantTx, new: &NewSender) -> Result<Sender, CreateSenderError> {
        let clock = &self.inner.clock;
        let sender = Sender {
            id: SenderId::generate(clock),
            channel: new.account.channel().to_owned(),
            name: new.name.clone(),
            account_id: new.account.id(),
            settings: new.account.settings(),
            rate: i32::try_from(new.rate.unwrap_or(self.inner.config.default_rate)).unwrap_or(i32::MAX),
            status: "active".to_owned(),
            status_reason: None,
            created_at: clock.now(),
        };
        let sealed = self.seal_token(tx, sender.id, &new.access_token).await?;
        store::insert(tx, &sender, sealed)
            .await
            .map_err(|error| match violated(&error) {
                Some("senders_name_key") => CreateSenderError::NameTaken,
                Some("senders_account_key") => CreateSenderError::AccountTaken,
                _ => error.into(),
            })?;
        Ok(sender)
    }

    /// A sender's token; none when what is in the database does not open.
    pub(crate) async fn open_token(
        &self,
        tenant: TenantId,
        sender: SenderId,
        sealed: &str,
    ) -> Result<Option<SecretString>, DatabaseError> {
        match self
            .inner
            .vault
            .open(tenant, &TOKENS, &sender.to_string(), sealed)
            .await
        {
            Ok(opened) => Ok(String::from_utf8(opened.expose_secret().clone())
                .ok()
                .map(SecretString::from)),
            // It may open the next time.
            Err(VaultError::Database(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    pub(super) async fn seal_token(
        &self,
        tx: &TenantTx,
        sender: SenderId,
        token: &SecretString,
    ) -> Result<String, VaultError> {
        let plain = token.expose_secret().as_bytes();
        self.inner
            .vault
            .seal(tx, &TOKENS, &sender.to_string(), plain)
            .await
    }
}

impl NewSender {
    fn checked(mut self) -> Result<Self, CreateSenderError> {
        self.name = self.name.trim().to_owned();
        check(&self).map(|()| self)
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
    wrong.extend(new.account.problems());
    wrong.extend(check_token(new.account.secret(), &new.access_token));
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

/// What is wrong with a token in this field; none if nothing is. It goes into a header as it stands.
pub(super) fn check_token(pointer: &str, token: &SecretString) -> Option<FieldError> {
    let token = token.expose_secret();
    let good = (1..=4096).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    let wrong = || {
        FieldError::new(
            pointer,
            "INVALID_TOKEN",
            "a token has 1 to 4096 visible characters",
        )
    };
    (!good).then(wrong)
}

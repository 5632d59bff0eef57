//! The platform's first administrator.

use plaza_kernel::{Scope, SystemRole, UserId};
use secrecy::SecretString;
use uuid::Uuid;

use super::{SetUp, Setup, SetupError, store};
use crate::opaque::OpaqueToken;
use crate::users::store as users;
use crate::{Identity, audit};

impl Identity {
    /// The token of the link that makes the platform's administrator: the same each time until it is used, and none
    /// once there is an administrator.
    ///
    /// # Errors
    /// When the database or the keys cannot be had.
    pub async fn setup_link(&self) -> Result<Option<SecretString>, SetupError> {
        let keys = self.keys().open().await?;
        let token = |id: Uuid| OpaqueToken::derived(Scope::Platform, keys.server(), "setup", id.as_bytes());
        let proposed = self.clock().uuid();
        let tx = self.database().begin_platform();
        store::propose_setup(&tx, proposed, token(proposed).hash(), self.clock().now()).await?;
        let open = store::open_setup(&tx).await?;
        tx.commit().await?;
        Ok(open.map(|id| token(id).text()))
    }

    pub(super) async fn set_up_administrator(
        &self,
        token: &OpaqueToken,
        setup: Setup,
    ) -> Result<SetUp, SetupError> {
        if !store::is_setup_open(self.database(), token.hash()).await? {
            return Err(SetupError::InvalidLink);
        }
        let Setup { email, password, .. } = setup;
        let phc = self.passwords().hash_new(&password, email.normal()).await?;

        let now = self.clock().now();
        let tx = self.database().begin_platform();
        if !store::consume_setup(&tx, token.hash(), now).await? {
            return Err(SetupError::InvalidLink);
        }
        let user_id = users::claim(&tx, UserId::generate(self.clock()), &email, now)
            .await?
            .user_id;
        // Whoever holds this link runs the server: an account that has the address is taken over, whole.
        users::disarm(&tx, user_id).await?;
        users::add_hash(&tx, user_id, phc, now).await?;
        users::verify(&tx, user_id, now).await?;
        users::add_admin(&tx, user_id, now).await?;
        audit::by_themselves(&tx, self.clock(), &audit::ADMINISTRATOR, user_id).await?;
        tx.commit().await?;
        tracing::info!(user = %user_id, "platform administrator made");
        Ok(SetUp {
            user_id,
            email: email.as_written().to_owned(),
            role: SystemRole::PlatformAdmin,
            tenant_id: None,
        })
    }
}

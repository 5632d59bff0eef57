//! The first password of a tenant's owner or of an invited member.
//!
//! Accounts are global and links are made inside one tenant, so a link must not open other tenants' doors. An
//! invitation never replaces a password and admits to its own tenant only. An owner's link comes from the platform,
//! which vouches for the address: it replaces the password of an account that somebody else may have made.

use plaza_kernel::{SystemRole, TenantId};
use secrecy::SecretString;

use super::store::LinkHolder;
use super::{Purpose, SetUp, Setup, SetupError, store};
use crate::opaque::OpaqueToken;
use crate::passwords::Verdict;
use crate::throttling::Guess;
use crate::users::store as users;
use crate::{Identity, audit};

/// What using the link does to the account's password.
enum Password {
    /// It has one, and the holder knows it.
    Known,
    /// It had none.
    First(String),
    /// The platform vouches for the holder; whatever there was before ends.
    Vouched(String),
}

impl Identity {
    pub(super) async fn set_up_member(
        &self,
        tenant: TenantId,
        token: &OpaqueToken,
        setup: Setup,
    ) -> Result<SetUp, SetupError> {
        let (now, client) = (self.clock().now(), setup.origin.client_bytes());
        let holder = store::link_holder(self.database(), tenant, token.hash(), client, now).await?;
        let holder = holder.ok_or(SetupError::InvalidLink)?;
        if holder.email_norm != setup.email.normal() {
            return Err(SetupError::OtherEmail);
        }
        let password = self.password_of(tenant, token, &holder, &setup).await?;
        self.use_link(tenant, token, &holder, password).await?;
        let role = if holder.role == "owner" {
            SystemRole::Owner
        } else {
            SystemRole::Member
        };
        Ok(SetUp {
            user_id: holder.user_id,
            email: holder.email,
            role,
            tenant_id: Some(tenant),
        })
    }

    async fn password_of(
        &self,
        tenant: TenantId,
        token: &OpaqueToken,
        holder: &LinkHolder,
        setup: &Setup,
    ) -> Result<Password, SetupError> {
        let vouched = holder.purpose == Purpose::Owner.as_str() && !holder.verified;
        if vouched || holder.phc.is_none() {
            let phc = self
                .passwords()
                .hash_new(&setup.password, setup.email.normal())
                .await?;
            return Ok(if vouched {
                Password::Vouched(phc)
            } else {
                Password::First(phc)
            });
        }
        let hash = token.hash();
        let guess = Guess {
            email: &holder.email_norm,
            tenant: Some(tenant),
            origin: setup.origin,
            familiar: holder.familiar,
            link: Some(&hash),
        };
        self.compare_present(holder, &setup.password, &guess).await
    }

    /// Whoever may invite gets a link for any account there is: it must be no way to try passwords that the login does not have.
    async fn compare_present(
        &self,
        holder: &LinkHolder,
        password: &SecretString,
        guess: &Guess<'_>,
    ) -> Result<Password, SetupError> {
        self.throttling().login(guess).await?;
        let verdict = self.passwords().compare(password, holder.phc.clone()).await?;
        if verdict == Verdict::Wrong {
            self.tell_refused(&audit::LINK_USED, Some(holder.user_id)).await?;
            return Err(SetupError::WrongPassword);
        }
        self.throttling().forgive(guess).await;
        Ok(Password::Known)
    }

    async fn use_link(
        &self,
        tenant: TenantId,
        token: &OpaqueToken,
        holder: &LinkHolder,
        password: Password,
    ) -> Result<(), SetupError> {
        let (now, user) = (self.clock().now(), holder.user_id);
        let tx = self.database().begin(tenant);
        // The membership first, as everybody who makes a link does: so nobody waits for each other.
        let member = users::status_of(&tx, user).await?;
        if member.is_none_or(|status| status == "disabled") {
            return Err(SetupError::InvalidLink);
        }
        if !store::consume_link(&tx, token.hash(), now).await? {
            return Err(SetupError::InvalidLink);
        }
        // Another link, of another tenant, may have set a password since the account was looked at: then this one
        // has not been compared with it, and nothing happens.
        let taken = match password {
            Password::Known => true,
            Password::First(phc) => users::add_hash(&tx, user, phc, now).await?,
            Password::Vouched(phc) => {
                let first_to_vouch = users::verify(&tx, user, now).await?;
                if first_to_vouch {
                    users::disarm(&tx, user).await?;
                    users::add_hash(&tx, user, phc, now).await?;
                }
                first_to_vouch
            }
        };
        if !taken {
            return Err(SetupError::WrongPassword);
        }
        users::accept(&tx, user).await?;
        audit::by_themselves(&tx, self.clock(), &audit::LINK_USED, user).await?;
        Ok(tx.commit().await?)
    }
}

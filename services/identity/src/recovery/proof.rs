//! Proofs: a link, and for a verification a code, that only the reader of an address's mail has.

use chrono::TimeDelta;
use plaza_database::{DatabaseError, Transaction};
use plaza_kernel::Scope;
use secrecy::SecretString;
use uuid::Uuid;

use super::{Code, store};
use crate::Identity;
use crate::keys::{KeysError, OpenKeys};
use crate::opaque::OpaqueToken;

/// What a proof is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new password.
    Reset,
    /// The address alone.
    Verify,
}

impl Purpose {
    /// Its name in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
        }
    }

    /// The token of a proof of this purpose. Of no tenant, for accounts are of none.
    fn token(self, keys: &OpenKeys, proof: Uuid) -> OpaqueToken {
        let purpose = match self {
            Self::Reset => "proof reset",
            Self::Verify => "proof verify",
        };
        OpaqueToken::derived(Scope::Platform, keys.server(), purpose, proof.as_bytes())
    }
}

/// What goes into a mail.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) token: SecretString,
    /// Of a verification.
    pub(crate) code: Option<Code>,
}

impl Identity {
    /// Makes the proof that has this id, in place of the account's live one of the same purpose; making it again gives the same
    /// one. None for an address without an account that could use it, and for a proof that was used or replaced meanwhile.
    pub(crate) async fn make_proof(
        &self,
        id: Uuid,
        purpose: Purpose,
        email: &str,
    ) -> Result<Option<Made>, KeysError> {
        let keys = self.keys().open().await?;
        let (now, token) = (self.clock().now(), purpose.token(&keys, id));
        let tx = self.database().begin_platform();
        // Holds the account: one proof is made of it at a time.
        let Some(account) = store::lock_account_of(&tx, email).await? else {
            return Ok(None);
        };
        if purpose == Purpose::Verify && account.proven {
            return Ok(None);
        }
        let code = (purpose == Purpose::Verify).then(|| Code::derived(keys.server(), id));
        let new = store::NewProof {
            id,
            user: account.user_id,
            purpose,
            token: token.hash(),
            code: code.as_ref().map(|code| code.hash(keys.server(), id)),
            now,
            expires_at: now + self.lasts(purpose),
        };
        if !make(&tx, new).await? {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(Made {
            account,
            proof: Proof {
                token: token.text(),
                code,
            },
        }))
    }

    /// How long a proof is good.
    pub(crate) fn lasts(&self, purpose: Purpose) -> TimeDelta {
        match purpose {
            Purpose::Reset => TimeDelta::minutes(self.config().reset_minutes.into()),
            Purpose::Verify => TimeDelta::hours(self.config().verify_hours.into()),
        }
    }
}

/// A proof and whose it is.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) account: store::Recoverable,
    pub(crate) proof: Proof,
}

/// Writes the row, or finds it: false if it was used or replaced since.
async fn make(tx: &Transaction, new: store::NewProof) -> Result<bool, DatabaseError> {
    match store::is_live(tx, new.id).await? {
        Some(true) => {
            // The mail was late: who gets it has the whole time from now on.
            store::prolong(tx, new.id, new.expires_at).await?;
            Ok(true)
        }
        Some(false) => Ok(false),
        None => {
            store::end_proofs(tx, new.user, new.purpose, new.now).await?;
            store::add_proof(tx, new).await?;
            Ok(true)
        }
    }
}

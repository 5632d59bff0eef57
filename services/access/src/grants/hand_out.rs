//! Nobody hands out more than they hold.

use plaza_contracts::incoming::{Asker, Refusal, TenantRight};
use plaza_database::DatabaseError;
use plaza_kernel::{Permission, PermissionSet, TenantId};

use super::{held, store};
use crate::Access;

impl Access {
    /// Whether whoever has this right may hand out these permissions: people what they hold themselves, the platform
    /// everything.
    pub(crate) async fn may_hand_out<P: Permission>(
        &self,
        right: &TenantRight<P>,
        permissions: &PermissionSet,
    ) -> Result<bool, DatabaseError> {
        let Some(person) = right.person() else {
            return Ok(true);
        };
        let mine = store::of_member(&self.inner.database, right.tenant(), person.subject).await?;
        Ok(held(person, mine.permissions).includes(permissions))
    }

    /// The right of whoever asks over gRPC, by the grants as they are at this moment.
    pub(crate) async fn right<P: Permission>(
        &self,
        asker: Asker,
        tenant: TenantId,
    ) -> Result<TenantRight<P>, Refusal> {
        asker
            .may(tenant, async |tenant, user| {
                let grants = store::of_member(&self.inner.database, tenant, user).await?;
                Ok(grants.permissions)
            })
            .await
    }
}

//! Whether a session stands: asked by the gateway at most once per session and cache time.

use plaza_database::DatabaseError;
use plaza_kernel::{Scope, SessionId, UserId};

use super::store::Statements;
use crate::Identity;
use crate::scoped;

impl Identity {
    /// The role of the session's user as it is now; none when the session, the account or the membership has ended.
    pub(crate) async fn check_session(
        &self,
        scope: Scope,
        session: SessionId,
        user: UserId,
    ) -> Result<Option<String>, DatabaseError> {
        let standing = Statements::of(scope).standing;
        let found = scoped::read(
            self.database(),
            scope,
            standing,
            (session, user, self.clock().now()),
        )
        .await?;
        Ok(found.into_iter().next().map(|(role,)| role))
    }
}

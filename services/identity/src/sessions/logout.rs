//! Log out: end the caller's session.

use plaza_database::DatabaseError;
use plaza_kernel::Caller;

use super::store::Statements;
use crate::Identity;
use crate::scoped::ScopedTx;

impl Identity {
    /// Ends the session. Doing it again changes nothing.
    pub(crate) async fn logout(&self, caller: &Caller) -> Result<(), DatabaseError> {
        let tx = ScopedTx::begin(self.database(), caller.scope());
        let revoke = Statements::of(caller.scope()).revoke;
        tx.execute(revoke, (caller.session, self.clock().now(), "logout".to_owned()))
            .await?;
        tx.commit().await
    }
}

//! Log out: end the caller's session.

use plaza_database::DatabaseError;
use plaza_kernel::Caller;

use super::store::Statements;
use crate::scoped::ScopedTx;
use crate::{Identity, audit};

impl Identity {
    /// Ends the session. Doing it again changes nothing.
    pub(crate) async fn logout(&self, caller: &Caller) -> Result<(), DatabaseError> {
        let tx = ScopedTx::begin(self.database(), caller.scope());
        let revoke = Statements::of(caller.scope()).revoke;
        let row = (caller.session, self.clock().now(), "logout".to_owned());
        if tx.execute(revoke, row).await? == 1 {
            plaza_audit::done(&tx, self.clock(), &audit::LOGOUT, caller.session).await?;
        }
        tx.commit().await
    }
}

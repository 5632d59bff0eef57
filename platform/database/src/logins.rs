//! A service refuses to start with a login that could reach more than the service may.

use crate::DatabaseError;
use crate::pool::Lease;

const POWERS: &str = "
SELECT r.rolname::text,
       CASE
         WHEN r.rolsuper THEN 1
         WHEN r.rolbypassrls THEN 2
         WHEN EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p', 'v', 'm'))
           THEN 3
         WHEN EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid) THEN 4
         ELSE 0
       END
  FROM pg_catalog.pg_roles r
 WHERE r.rolname IN (current_user, session_user)";

/// Judges the login of this connection, and gives the connection back.
pub(crate) async fn check(lease: Lease) -> Result<(), DatabaseError> {
    for row in lease.client().query(POWERS, &[]).await? {
        let reason = match row.try_get::<_, i32>(1)? {
            0 => continue,
            1 => "is a superuser",
            2 => "bypasses row-level security",
            3 => "owns tables",
            _ => "is a member of another role",
        };
        return Err(DatabaseError::UnsafeLogin {
            role: row.try_get(0)?,
            reason,
        });
    }
    lease.give_back();
    Ok(())
}

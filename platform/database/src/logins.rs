//! A service refuses to start with a login that could reach more than the service may, or that is not its own.

use crate::DatabaseError;
use crate::pool::Lease;

const POWERS: &str = "
SELECT r.rolname::text,
       CASE
         WHEN r.rolsuper THEN 1
         WHEN r.rolbypassrls THEN 2
         WHEN EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p', 'v', 'm')
                                                             -- Temporary tables are of one connection.
                                                             AND c.relpersistence <> 't')
           THEN 3
         WHEN r.rolcreaterole THEN 4
         WHEN EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid) THEN 5
         ELSE 0
       END
  FROM pg_catalog.pg_roles r
 WHERE r.rolname IN (current_user, session_user)";

/// Judges the login of this connection, and gives the connection back. Policies and grants are made for exactly
/// `expected`: any other name reaches nothing, or what another door is for.
pub(crate) async fn check(lease: Lease, expected: &str) -> Result<(), DatabaseError> {
    for row in lease.client().query(POWERS, &[]).await? {
        let role: String = row.try_get(0)?;
        let reason = match row.try_get::<_, i32>(1)? {
            0 if role == expected => continue,
            0 => {
                return Err(DatabaseError::WrongLogin {
                    role,
                    expected: expected.to_owned(),
                });
            }
            1 => "is a superuser",
            2 => "bypasses row-level security",
            3 => "owns tables",
            4 => "may create roles",
            _ => "is a member of another role",
        };
        return Err(DatabaseError::UnsafeLogin { role, reason });
    }
    lease.give_back();
    Ok(())
}

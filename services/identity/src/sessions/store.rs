//! All SQL about sessions and their refresh tokens.
//!
//! A tenant's sessions and the platform's lie in tables of their own with the same columns; the statements differ in
//! nothing but the tables' names. Which tenant is meant is the transaction's business (see the migration).

use chrono::{DateTime, Utc};
use plaza_database::Query;
use plaza_kernel::{Scope, SessionId, UserId};
use uuid::Uuid;

plaza_database::row! {
    /// A session that was just refreshed.
    pub(super) struct Rotated {
        pub(super) session_id: SessionId,
        pub(super) user_id: UserId,
        pub(super) role: String,
    }
}

plaza_database::row! {
    /// Why a refresh token could not be rotated.
    pub(super) struct Presented {
        pub(super) session_id: SessionId,
        pub(super) user_id: UserId,
        pub(super) role: Option<String>,
        pub(super) live: bool,
        pub(super) used_at: Option<DateTime<Utc>>,
        pub(super) successor_exists: bool,
        pub(super) successor_used: bool,
    }
}

plaza_database::row! {
    /// The caller, as `me` shows.
    pub(super) struct Person {
        pub(super) user_id: UserId,
        pub(super) email: String,
        pub(super) name: String,
        pub(super) role: String,
    }
}

plaza_database::row! {
    /// A session that stands.
    pub(super) struct Listed {
        pub(super) session_id: SessionId,
        pub(super) user_id: UserId,
        pub(super) created_at: DateTime<Utc>,
        pub(super) refreshed_at: DateTime<Utc>,
        pub(super) expires_at: DateTime<Utc>,
    }
}

type Time = DateTime<Utc>;
type Hash = Vec<u8>;

/// The statements of one kind of session.
pub(super) struct Statements {
    /// Session id, user, epoch, now, absolute expiry.
    pub(super) start: &'static Query<(SessionId, UserId, i32, Time, Time), ()>,
    /// Hash, session, now, expiry: the first token of a family.
    pub(super) add_first: &'static Query<(Hash, SessionId, Time, Time), ()>,
    /// Hash, the successor's hash, now, the successor's expiry. One winner: whoever comes second finds `used_at` set.
    pub(super) rotate: &'static Query<(Hash, Hash, Time, Time), Rotated>,
    /// Hash, the successor's hash, now. Holds the session until the transaction ends.
    pub(super) presented: &'static Query<(Hash, Hash, Time), Presented>,
    /// Session, now, why.
    pub(super) revoke: &'static Query<(SessionId, Time, String), ()>,
    /// Session, user, now: the role, if the session stands.
    pub(super) standing: &'static Query<(SessionId, UserId, Time), (String,)>,
    /// Session, user, now, why: one that has ended already stays as it is.
    pub(super) revoke_of: &'static Query<(SessionId, UserId, Time, String), ()>,
    /// User, the session to begin after, now, how many: those that stand and can still be refreshed.
    pub(super) list: &'static Query<(UserId, Option<Uuid>, Time, i64), Listed>,
    /// The caller.
    pub(super) person: &'static Query<(UserId,), Person>,
}

impl Statements {
    /// Those of a scope.
    pub(super) fn of(scope: Scope) -> &'static Self {
        match scope {
            Scope::Tenant(_) => &of_tenants::ALL,
            Scope::Platform => &of_platform::ALL,
        }
    }
}

macro_rules! statements_of {
    ($module:ident, $sessions:literal, $tokens:literal, $members:literal) => {
        mod $module {
            use super::{
                Hash, Listed, Person, Presented, Rotated, SessionId, Statements, Time, UserId, Uuid,
            };

            plaza_database::statements! {
                static START: (SessionId, UserId, i32, Time, Time) => () = concat!(
                    "INSERT INTO ", $sessions, " (id, user_id, epoch, created_at, absolute_expires_at)
                     VALUES ($1, $2, $3, $4, $5)"
                );

                static ADD_FIRST: (Hash, SessionId, Time, Time) => () = concat!(
                    "INSERT INTO ", $tokens, " (hash, session_id, generation, created_at, expires_at)
                     VALUES ($1, $2, 1, $3, $4)"
                );

                static ROTATE: (Hash, Hash, Time, Time) => Rotated = concat!(
                    "WITH rotated AS (
                         UPDATE ", $tokens, " AS t
                            SET used_at = $3::timestamptz
                           FROM ", $sessions, " AS s
                           JOIN identity.users AS u ON u.id = s.user_id
                           JOIN ", $members, " AS m ON m.user_id = s.user_id
                          WHERE t.hash = $1::bytea AND t.used_at IS NULL AND t.expires_at > $3::timestamptz
                            AND s.id = t.session_id
                            AND s.revoked_at IS NULL AND s.absolute_expires_at > $3::timestamptz
                            AND u.status = 'active' AND u.epoch = s.epoch AND m.status = 'active'
                      RETURNING t.session_id, t.generation, s.user_id, s.absolute_expires_at, m.role
                     ), successor AS (
                         INSERT INTO ", $tokens, " (hash, session_id, parent, generation, created_at, expires_at)
                         SELECT $2::bytea, session_id, $1::bytea, generation + 1, $3::timestamptz,
                                least($4::timestamptz, absolute_expires_at)
                           FROM rotated
                     )
                     SELECT session_id, user_id, role FROM rotated"
                );

                static PRESENTED: (Hash, Hash, Time) => Presented = concat!(
                    "SELECT s.id AS session_id, s.user_id, m.role, t.used_at,
                            coalesce(s.revoked_at IS NULL AND s.absolute_expires_at > $3 AND u.status = 'active'
                                     AND u.epoch = s.epoch AND m.status = 'active', false) AS live,
                            n.hash IS NOT NULL AS successor_exists,
                            n.used_at IS NOT NULL AS successor_used
                       FROM ", $tokens, " AS t
                       JOIN ", $sessions, " AS s ON s.id = t.session_id
                       JOIN identity.users AS u ON u.id = s.user_id
                       LEFT JOIN ", $members, " AS m ON m.user_id = s.user_id
                       LEFT JOIN ", $tokens, " AS n ON n.hash = $2
                      WHERE t.hash = $1
                        FOR UPDATE OF s"
                );

                static REVOKE: (SessionId, Time, String) => () = concat!(
                    "UPDATE ", $sessions, " SET revoked_at = $2, revoked_because = $3
                      WHERE id = $1 AND revoked_at IS NULL"
                );

                static REVOKE_OF: (SessionId, UserId, Time, String) => () = concat!(
                    "UPDATE ", $sessions, " SET revoked_at = coalesce(revoked_at, $3),
                            revoked_because = coalesce(revoked_because, $4)
                      WHERE id = $1 AND user_id = $2"
                );

                static LIST: (UserId, Option<Uuid>, Time, i64) => Listed = concat!(
                    "SELECT s.id AS session_id, s.user_id, s.created_at, t.created_at AS refreshed_at,
                            s.absolute_expires_at AS expires_at
                       FROM ", $sessions, " AS s
                       JOIN identity.users AS u ON u.id = s.user_id
                       JOIN ", $members, " AS m ON m.user_id = s.user_id
                       JOIN ", $tokens, " AS t ON t.session_id = s.id
                      WHERE s.user_id = $1 AND ($2::uuid IS NULL OR s.id > $2)
                        AND s.revoked_at IS NULL AND s.absolute_expires_at > $3
                        AND u.status = 'active' AND u.epoch = s.epoch AND m.status = 'active'
                        AND t.used_at IS NULL AND t.expires_at > $3
                      ORDER BY s.id
                      LIMIT $4"
                );

                static STANDING: (SessionId, UserId, Time) => (String,) = concat!(
                    "SELECT m.role
                       FROM ", $sessions, " AS s
                       JOIN identity.users AS u ON u.id = s.user_id
                       JOIN ", $members, " AS m ON m.user_id = s.user_id
                      WHERE s.id = $1 AND s.user_id = $2
                        AND s.revoked_at IS NULL AND s.absolute_expires_at > $3
                        AND u.status = 'active' AND u.epoch = s.epoch AND m.status = 'active'"
                );

                static PERSON: (UserId,) => Person = concat!(
                    "SELECT u.id AS user_id, u.email, m.name, m.role
                       FROM ", $members, " AS m
                       JOIN identity.users AS u ON u.id = m.user_id
                      WHERE m.user_id = $1 AND m.status = 'active' AND u.status = 'active'"
                );
            }

            pub(super) static ALL: Statements = Statements {
                start: &START,
                add_first: &ADD_FIRST,
                rotate: &ROTATE,
                presented: &PRESENTED,
                revoke: &REVOKE,
                revoke_of: &REVOKE_OF,
                list: &LIST,
                standing: &STANDING,
                person: &PERSON,
            };
        }
    };
}

statements_of!(
    of_tenants,
    "identity.sessions",
    "identity.refresh_tokens",
    "identity.memberships"
);
statements_of!(
    of_platform,
    "identity.platform_sessions",
    "identity.platform_refresh_tokens",
    "identity.platform_admins"
);

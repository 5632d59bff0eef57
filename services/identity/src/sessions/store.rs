//! All SQL about sessions and their refresh tokens.
//!
//! A tenant's sessions and the platform's lie in tables of their own with the same columns; the statements differ in
//! nothing but the tables' names. Which tenant is meant is the transaction's business (see the migration).

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, Query, TenantTx};
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
        pub(super) email_verified: bool,
        pub(super) locale: Option<String>,
        pub(super) timezone: Option<String>,
        pub(super) version: i64,
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
    /// Session id, user, epoch, now, absolute expiry: the role of the member, who is held until the transaction ends; none, and
    /// no session, if there is no active one.
    pub(super) start: &'static Query<(SessionId, UserId, i32, Time, Time), (String,)>,
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
    /// Session, user, now, why: whether it ends by this; one that has ended already stays as it is. None if there is none.
    pub(super) revoke_of: &'static Query<(SessionId, UserId, Time, String), (bool,)>,
    /// User, the session to begin after, now, how many, leaving out how many: those that stand and can still be refreshed.
    pub(super) list: &'static Query<(UserId, Option<Uuid>, Time, i64, i64), Listed>,
    /// The caller.
    pub(super) person: &'static Query<(UserId,), Person>,
    /// User, name, locale, time zone, the version that is meant, now: none if there is no such person in this version. What is
    /// none stays as it is; an empty locale or time zone takes away what was said.
    pub(super) change_person: &'static Query<Change, (UserId,)>,
    /// Hash: the session of a refresh token, used or not.
    pub(super) session_of: &'static Query<(Hash,), (SessionId,)>,
    /// Session, the epoch in which it goes on.
    pub(super) go_on: &'static Query<(SessionId, i32), ()>,
}

/// User, name, locale, time zone, version, now.
pub(super) type Change = (
    UserId,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Time,
);

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
                Change, Hash, Listed, Person, Presented, Rotated, SessionId, Statements, Time, UserId, Uuid,
            };

            plaza_database::statements! {
                static START: (SessionId, UserId, i32, Time, Time) => (String,) = concat!(
                    "WITH member AS (
                         SELECT m.role FROM ", $members, " AS m WHERE m.user_id = $2::uuid AND m.status = 'active' FOR SHARE
                     ), started AS (
                         INSERT INTO ", $sessions, " (id, user_id, epoch, created_at, absolute_expires_at)
                         SELECT $1::uuid, $2::uuid, $3::integer, $4::timestamptz, $5::timestamptz FROM member
                     )
                     SELECT role FROM member"
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

                static REVOKE_OF: (SessionId, UserId, Time, String) => (bool,) = concat!(
                    "WITH found AS (
                         SELECT id, revoked_at IS NULL AS stood FROM ", $sessions, " WHERE id = $1 AND user_id = $2 FOR UPDATE
                     ), ended AS (
                         UPDATE ", $sessions, " AS s SET revoked_at = $3, revoked_because = $4
                           FROM found WHERE s.id = found.id AND found.stood
                     )
                     SELECT stood FROM found"
                );

                static LIST: (UserId, Option<Uuid>, Time, i64, i64) => Listed = concat!(
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
                      LIMIT $4 OFFSET $5"
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
                    "SELECT u.id AS user_id, u.email, m.name, m.role,
                            (u.email_verified_at IS NOT NULL OR u.verified_at IS NOT NULL) AS email_verified,
                            m.locale, m.timezone, m.version
                       FROM ", $members, " AS m
                       JOIN identity.users AS u ON u.id = m.user_id
                      WHERE m.user_id = $1 AND m.status = 'active' AND u.status = 'active'"
                );

                static CHANGE_PERSON: Change => (UserId,) = concat!(
                    "UPDATE ", $members, " SET name = coalesce($2, name),
                            locale = nullif(coalesce($3, locale), ''), timezone = nullif(coalesce($4, timezone), ''),
                            version = version + 1, updated_at = $6
                      WHERE user_id = $1 AND status = 'active' AND ($5::bigint IS NULL OR version = $5)
                  RETURNING user_id"
                );

                static SESSION_OF: (Hash,) => (SessionId,) =
                    concat!("SELECT session_id FROM ", $tokens, " WHERE hash = $1");

                static GO_ON: (SessionId, i32) => () = concat!("UPDATE ", $sessions, " SET epoch = $2 WHERE id = $1");
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
                change_person: &CHANGE_PERSON,
                session_of: &SESSION_OF,
                go_on: &GO_ON,
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

plaza_database::statements! {
    static END_ALL: (UserId, String, Time) => () =
        "UPDATE identity.sessions SET revoked_at = $3, revoked_because = $2 WHERE user_id = $1 AND revoked_at IS NULL";

    static END_TENANT: (String, Time) => () =
        "UPDATE identity.sessions SET revoked_at = $2, revoked_because = $1 WHERE revoked_at IS NULL";
}

/// Ends every session that there is in this tenant.
pub(crate) async fn end_tenant(tx: &TenantTx, because: &'static str, now: Time) -> Result<(), DatabaseError> {
    tx.execute(&END_TENANT, (because.to_owned(), now)).await.map(drop)
}

/// Ends every session that a user has in this tenant.
pub(crate) async fn end_all(
    tx: &TenantTx,
    user: UserId,
    because: &'static str,
    now: Time,
) -> Result<(), DatabaseError> {
    tx.execute(&END_ALL, (user, because.to_owned(), now))
        .await
        .map(drop)
}

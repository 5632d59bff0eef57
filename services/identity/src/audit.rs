//! What identity writes into the audit: people by their ids alone.

use plaza_audit::{Action, Actor, Entry, record};
use plaza_database::{DatabaseError, Transaction};
use plaza_kernel::{Clock, SessionId, SystemRole, UserId};
use serde_json::json;

/// What is told of a member.
const MEMBER: &[&str] = &["role", "status"];

pub(crate) static LOGIN: Action = Action::new("sessions.login", "user", &[]);
pub(crate) static LOGOUT: Action = Action::new("sessions.logout", "session", &[]);
static SESSION_ENDED: Action = Action::new("sessions.revoke", "session", &["user_id"]);
pub(crate) static SESSIONS_ENDED: Action = Action::new("sessions.end", "user", &[]);

pub(crate) static USER_INVITED: Action = Action::new("users.invite", "user", &[]);
pub(crate) static USER_ADDED: Action = Action::new("users.create", "user", MEMBER);
pub(crate) static USER_UPDATED: Action = Action::new("users.update", "user", MEMBER);
pub(crate) static USER_REMOVED: Action = Action::new("users.delete", "user", MEMBER);
pub(crate) static USER_REGISTERED: Action = Action::new("users.register", "user", &[]);

/// What one says of oneself is told by the names of what was said.
static ME_UPDATED: Action = Action::new("me.update", "user", &["said"]);
pub(crate) static EMAIL_VERIFIED: Action = Action::new("emails.verify", "user", &[]);

pub(crate) static PASSWORD_CHANGED: Action = Action::new("passwords.change", "user", &[]);
pub(crate) static PASSWORD_RESET: Action = Action::new("passwords.reset", "user", &[]);

pub(crate) static OWNER_LINK: Action = Action::new("owner_links.create", "user", &[]);
pub(crate) static LINK_USED: Action = Action::new("links.use", "user", &[]);
pub(crate) static ADMINISTRATOR: Action = Action::new("administrators.create", "user", &[]);

/// Somebody logged in.
pub(crate) async fn logged_in(
    tx: &Transaction,
    clock: &Clock,
    user: UserId,
    role: SystemRole,
) -> Result<(), DatabaseError> {
    let entry = Entry::of(&LOGIN, user).by(Actor::Person { subject: user, role });
    record(tx, clock, entry).await.map(drop)
}

/// A password was refused: to the account that has the address, if one has it. Written for all alike, so that its time tells
/// nothing.
pub(crate) async fn refused(
    tx: &Transaction,
    clock: &Clock,
    action: &'static Action,
    user: Option<UserId>,
) -> Result<(), DatabaseError> {
    let entry = match user {
        Some(user) => Entry::of(action, user),
        None => Entry::of_unknown(action),
    };
    record(tx, clock, entry.by(Actor::Nobody).denied())
        .await
        .map(drop)
}

/// Somebody did something to their own account, before they were logged in.
pub(crate) async fn by_themselves(
    tx: &Transaction,
    clock: &Clock,
    action: &'static Action,
    user: UserId,
) -> Result<(), DatabaseError> {
    record(tx, clock, Entry::of(action, user).by(Actor::Nobody))
        .await
        .map(drop)
}

/// A member's role and status.
type Standing<'a> = (&'a str, &'a str);

/// A member was added, changed or removed: what they were, and what they are now.
pub(crate) async fn member(
    tx: &Transaction,
    clock: &Clock,
    action: &'static Action,
    user: UserId,
    (before, after): (Option<Standing<'_>>, Option<Standing<'_>>),
) -> Result<(), DatabaseError> {
    let told = |(role, status): Standing<'_>| json!({"role": role, "status": status});
    let mut entry = Entry::of(action, user);
    if let Some(before) = before {
        entry = entry.before(told(before));
    }
    if let Some(after) = after {
        entry = entry.after(told(after));
    }
    record(tx, clock, entry).await.map(drop)
}

/// Somebody said something else of themselves.
pub(crate) async fn me_updated(
    tx: &Transaction,
    clock: &Clock,
    user: UserId,
    said: &[&str],
) -> Result<(), DatabaseError> {
    let entry = Entry::of(&ME_UPDATED, user).after(json!({"said": said}));
    record(tx, clock, entry).await.map(drop)
}

/// One of somebody's sessions was ended, by them or by others.
pub(crate) async fn session_ended(
    tx: &Transaction,
    clock: &Clock,
    session: SessionId,
    user: UserId,
) -> Result<(), DatabaseError> {
    let entry = Entry::of(&SESSION_ENDED, session).after(json!({"user_id": user}));
    record(tx, clock, entry).await.map(drop)
}

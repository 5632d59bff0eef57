//! The sessions of a user.

use chrono::{DateTime, Utc};
use plaza_database::DatabaseError;
use plaza_kernel::{Cursor, Page, PageQuery, Scope, SessionId, UserId};

use super::store::{Listed, Statements};
use crate::Identity;
use crate::scoped;

/// A session that stands.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) created_at: DateTime<Utc>,
    /// When it was last refreshed; when it began, if never.
    pub(crate) refreshed_at: DateTime<Utc>,
    /// When it ends however often it is refreshed.
    pub(crate) expires_at: DateTime<Utc>,
}

impl Identity {
    /// A page of the sessions that a user has in a tenant, or on the platform, oldest first.
    pub(crate) async fn sessions(
        &self,
        scope: Scope,
        user: UserId,
        page: PageQuery,
        skip: i64,
    ) -> Result<Page<Session>, DatabaseError> {
        let after = page.cursor.map(Cursor::last_seen);
        let question = (user, after, self.clock().now(), page.limit.and_one(), skip);
        let found = scoped::read(self.database(), scope, Statements::of(scope).list, question).await?;
        Ok(Page::from_found(found, page.limit, |session| session.session_id).map(Session::from))
    }
}

impl From<Listed> for Session {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.session_id,
            user: listed.user_id,
            created_at: listed.created_at,
            refreshed_at: listed.refreshed_at,
            expires_at: listed.expires_at,
        }
    }
}

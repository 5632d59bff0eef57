//! People: global accounts and their memberships in tenants.

mod add;
mod authority;
pub(crate) mod http;
mod invite;
mod register;
mod remove;
pub(crate) mod store;
mod update;

use plaza_contracts::email::Email;
use plaza_contracts::incoming::TenantRight;
use plaza_contracts::permissions::ViewUsers;
use plaza_database::DatabaseError;
use plaza_kernel::{Cursor, Failure, FieldError, Kind, Page, PageQuery, TenantId, UserId};
use uuid::Uuid;

pub use add::AddError;
pub(crate) use add::{Added, Addition};
pub(crate) use authority::Act;
pub use authority::Overreach;
pub use invite::InviteError;
pub(crate) use invite::{Invitation, Invite};
pub use register::RegisterError;
pub(crate) use register::Registration;
pub use remove::RemoveMemberError;
pub use store::Member;
pub use update::UpdateMemberError;
pub(crate) use update::{Admission, CoarseRole, MemberChange};

use crate::Identity;

/// The name of a person in a tenant: at most 200 characters, no control characters; may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PersonName(String);

/// The text is not a name that Plaza accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has at most 200 characters and no control characters")]
pub(crate) struct InvalidName;

impl PersonName {
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, InvalidName> {
        let text = text.unwrap_or_default().trim();
        let accepted = text.chars().count() <= 200 && !text.chars().any(char::is_control);
        if accepted {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName)
        }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl Failure for InvalidName {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        "INVALID_NAME"
    }

    fn fields(&self) -> Vec<FieldError> {
        vec![FieldError::new("/name", self.code(), self.to_string())]
    }
}

/// A member cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// No such member of this tenant.
    #[error("the user does not exist")]
    NotFound,
    /// The database failed.
    #[error("the user could not be read")]
    Database(#[from] DatabaseError),
}

impl Failure for MemberError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "USER_NOT_FOUND",
            Self::Database(error) => error.code(),
        }
    }
}

impl Identity {
    /// One member of a tenant.
    pub(crate) async fn member(&self, tenant: TenantId, user: UserId) -> Result<Member, MemberError> {
        store::member(self.database(), tenant, user)
            .await?
            .ok_or(MemberError::NotFound)
    }

    /// The member of an address.
    pub(crate) async fn find_member(
        &self,
        right: &TenantRight<ViewUsers>,
        email: &Email,
    ) -> Result<Member, MemberError> {
        store::member_of_email(self.database(), right.tenant(), email)
            .await?
            .ok_or(MemberError::NotFound)
    }

    /// A page of the members of a tenant, in the order of their accounts.
    pub(crate) async fn members(
        &self,
        right: &TenantRight<ViewUsers>,
        page: PageQuery,
        skip: i64,
    ) -> Result<Page<Member>, DatabaseError> {
        let after = page.cursor.map_or(Uuid::nil(), Cursor::last_seen);
        let found = store::members(
            self.database(),
            right.tenant(),
            after.into(),
            page.limit.and_one(),
            skip,
        )
        .await?;
        Ok(Page::from_found(found, page.limit, |member| member.user_id))
    }
}

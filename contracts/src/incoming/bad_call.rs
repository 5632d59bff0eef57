//! A call that is refused whatever it asks.

use plaza_kernel::{Failure, FieldError, Kind};
use plaza_web::Denied;

/// A call that is refused whatever it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCall {
    /// The text of this field is no id.
    #[error("`{0}` is not an id")]
    NotAnId(&'static str),
    /// A page of that many items is not given.
    #[error("limit is a number from 1 to 200, or 0 for the usual")]
    Limit,
    /// Not a cursor of a list of ours.
    #[error("cursor is not one of this list")]
    Cursor,
    /// No service vouches for the call. The callee refuses such calls before; this is for the day that it does not.
    #[error("the calling service is not known")]
    CallerNotTrusted,
    /// The call passes on a person who does not work in the tenant it is about. Says nothing of what is there: it is
    /// the same answer whether the tenant exists or not.
    #[error("the call passes on a person of another tenant")]
    OtherTenant,
    /// The call passes on nobody, and is about the person it passes on.
    #[error("log in first")]
    Unauthenticated,
    /// The person whom the call passes on may not do this.
    #[error("you may not do this")]
    Forbidden,
}

impl Failure for BadCall {
    fn kind(&self) -> Kind {
        match self {
            Self::NotAnId(_) | Self::Limit | Self::Cursor => Kind::Invalid,
            Self::CallerNotTrusted | Self::Unauthenticated => Kind::Unauthenticated,
            Self::OtherTenant | Self::Forbidden => Kind::Forbidden,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotAnId(_) => "INVALID_ID",
            Self::Limit | Self::Cursor => "INVALID_PAGE",
            Self::CallerNotTrusted => "CALLER_NOT_TRUSTED",
            Self::OtherTenant => "OTHER_TENANT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        let field = match self {
            Self::NotAnId(field) => field,
            Self::Limit => "limit",
            Self::Cursor => "cursor",
            _ => return Vec::new(),
        };
        vec![FieldError::new(
            format!("/{field}"),
            self.code(),
            self.to_string(),
        )]
    }
}

impl From<Denied> for BadCall {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthenticated => Self::Unauthenticated,
            Denied::Forbidden | Denied::Hidden => Self::Forbidden,
        }
    }
}

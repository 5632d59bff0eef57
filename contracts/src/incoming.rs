//! What an incoming gRPC call says: who asks and with which rights, which ids, which page. The services' `rpc.rs` are
//! made of it, so that a right means over gRPC what it means over HTTP.

mod asker;
mod bad_call;
mod right;

use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use plaza_kernel::{Cursor, Failure, Limit, PageQuery};
use tonic::{Response, Status};

pub use asker::Asker;
pub use bad_call::BadCall;
pub use right::{PlatformRight, TenantRight};

/// Any failure on its way out of a method: what `ApiError` is to a handler.
#[derive(Debug)]
pub struct Refusal(Status);

impl<E: Failure> From<E> for Refusal {
    fn from(failure: E) -> Self {
        Self(match plaza_rpc::answer::<(), E>(Err(failure)) {
            Err(status) => status,
            // A failure never makes a success.
            Ok(_) => Status::internal("something went wrong on our side"),
        })
    }
}

/// The answer of a method.
///
/// # Errors
/// The refusal, as a status whose metadata carries kind and code.
pub fn reply<T>(result: Result<T, Refusal>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|refusal| refusal.0)
}

/// The id in a field.
///
/// # Errors
/// `INVALID_ID` when the text is none.
pub fn id<T: FromStr>(field: &'static str, text: &str) -> Result<T, BadCall> {
    text.parse().map_err(|_| BadCall::NotAnId(field))
}

/// Which page of a list is asked for: no limit is the usual one, no cursor the first page.
///
/// # Errors
/// `INVALID_PAGE` when limit or cursor is not acceptable.
pub fn page(limit: u32, cursor: &str) -> Result<PageQuery, BadCall> {
    let limit = match limit {
        0 => Limit::default(),
        some => u16::try_from(some)
            .ok()
            .and_then(Limit::new)
            .ok_or(BadCall::Limit)?,
    };
    let cursor = match cursor {
        "" => None,
        some => Some(Cursor::parse(some).map_err(|_| BadCall::Cursor)?),
    };
    Ok(PageQuery { limit, cursor })
}

/// A time as messages carry it: RFC 3339, UTC.
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_long_as_asked_but_never_too_long() {
        assert_eq!(page(0, ""), Ok(PageQuery::default()));
        assert_eq!(page(200, "").map(|page| page.limit.get()), Ok(200));
        for limit in [201, 65_537, u32::MAX] {
            assert_eq!(page(limit, ""), Err(BadCall::Limit), "{limit}");
        }
        assert_eq!(page(1, "c2"), Err(BadCall::Cursor));
    }
}

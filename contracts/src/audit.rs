//! The audit of a service over gRPC: what its `Audit` answers, and what whoever asks makes of the answer. It is the same for
//! every service that has one.

use chrono::{DateTime, Utc};
use plaza_audit::{AuditFilter, AuditRow, Broken, Fault, Progress, Verified};
use plaza_database::Database;
use plaza_kernel::{Clock, Failure, FieldError, Kind, Scope, UserId};
use tonic::Request;
use uuid::Uuid;

use crate::incoming::{Asker, BadCall, Refusal, id, page, time};
use crate::proto::audit::{
    Broken as BrokenMessage, Entry, ListAuditReply, ListAuditRequest, Place, Progress as ProgressMessage,
    VerifyAuditReply, VerifyAuditRequest,
};

/// How many pages of a chain one call checks: well within the deadline of a call.
const PAGES: u32 = 25;

/// A field is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time in RFC 3339")]
struct NotATime(&'static str);

impl Failure for NotATime {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        "INVALID_TIME"
    }

    fn fields(&self) -> Vec<FieldError> {
        vec![FieldError::new(
            format!("/{}", self.0),
            self.code(),
            self.to_string(),
        )]
    }
}

/// An answer of another process is not what this one understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit of a service was answered with something else")]
pub struct NotUnderstood;

impl Failure for NotUnderstood {
    fn kind(&self) -> Kind {
        Kind::Internal
    }

    fn code(&self) -> &'static str {
        "INTERNAL"
    }
}

/// Answers `List` from the service's own audit.
///
/// # Errors
/// What the call is refused with.
pub async fn list(
    database: &Database,
    request: Request<ListAuditRequest>,
) -> Result<ListAuditReply, Refusal> {
    let scope = scope(&request, &request.get_ref().tenant_id)?;
    let request = request.into_inner();
    let page = page(request.limit, &request.cursor)?;
    let filter = AuditFilter {
        actor: given(&request.actor)
            .map(|text| id::<UserId>("actor", text))
            .transpose()?,
        from: moment("from", &request.from)?,
        to: moment("to", &request.to)?,
        target: given(&request.target).map(str::to_owned),
        action: given(&request.action).map(str::to_owned),
    };
    let page = plaza_audit::list(database, scope, &filter, page).await?;
    Ok(ListAuditReply {
        entries: page.items.into_iter().map(entry).collect(),
        next_cursor: page.next_cursor.unwrap_or_default(),
    })
}

/// Answers `Verify` from the service's own audit.
///
/// # Errors
/// What the call is refused with.
pub async fn verify(
    database: &Database,
    clock: &Clock,
    request: Request<VerifyAuditRequest>,
) -> Result<VerifyAuditReply, Refusal> {
    let scope = scope(&request, &request.get_ref().tenant_id)?;
    let from = match &request.get_ref().from {
        None => Progress::default(),
        Some(from) => Progress {
            entry: id("from/entry", &from.entry)?,
            seq: from.seq.max(0),
        },
    };
    let (verified, next) = plaza_audit::verify_some(database, clock, scope, from, PAGES).await?;
    Ok(checked(verified, next))
}

/// Whose audit is asked for. Who may read it is decided where all audits are put together, so nobody asks for a person.
fn scope<T>(request: &Request<T>, tenant: &str) -> Result<Scope, BadCall> {
    let asker = Asker::of(request)?;
    if asker.person().is_some() {
        return Err(BadCall::Forbidden);
    }
    match given(tenant) {
        None => Ok(Scope::Platform),
        Some(text) => Ok(Scope::Tenant(asker.tenant(text)?)),
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn moment(field: &'static str, text: &str) -> Result<Option<DateTime<Utc>>, NotATime> {
    let read = |text| DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    given(text).map(read).transpose().map_err(|_| NotATime(field))
}

/// What is asked for, as a message.
pub fn question(
    scope: Scope,
    filter: &AuditFilter,
    limit: usize,
    cursor: Option<String>,
) -> ListAuditRequest {
    ListAuditRequest {
        tenant_id: whose(scope),
        actor: text(filter.actor),
        target: filter.target.clone().unwrap_or_default(),
        action: filter.action.clone().unwrap_or_default(),
        from: filter.from.map(time).unwrap_or_default(),
        to: filter.to.map(time).unwrap_or_default(),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        cursor: cursor.unwrap_or_default(),
    }
}

/// Which piece is to be checked, as a message.
pub fn piece(scope: Scope, from: Progress) -> VerifyAuditRequest {
    VerifyAuditRequest {
        tenant_id: whose(scope),
        from: Some(progress(from)),
    }
}

fn whose(scope: Scope) -> String {
    text(scope.tenant())
}

fn text(id: Option<impl ToString>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn progress(progress: Progress) -> ProgressMessage {
    ProgressMessage {
        entry: progress.entry.to_string(),
        seq: progress.seq,
    }
}

fn entry(row: AuditRow) -> Entry {
    Entry {
        id: row.id.to_string(),
        tenant_id: text(row.tenant),
        at: time(row.at),
        actor_kind: row.actor_kind,
        actor: text(row.actor),
        actor_role: row.actor_role.unwrap_or_default(),
        request_id: row.request_id.unwrap_or_default(),
        action: row.action,
        target_kind: row.target_kind,
        target: row.target.unwrap_or_default(),
        outcome: row.outcome,
        before: row.before.unwrap_or_default(),
        after: row.after.unwrap_or_default(),
    }
}

/// The entry that a message tells.
///
/// # Errors
/// When it has no id or no time.
pub fn row(entry: Entry) -> Result<AuditRow, NotUnderstood> {
    Ok(AuditRow {
        id: read(&entry.id)?,
        tenant: read_given(&entry.tenant_id)?,
        at: moment("at", &entry.at).ok().flatten().ok_or(NotUnderstood)?,
        actor: read_given(&entry.actor)?,
        actor_kind: entry.actor_kind,
        actor_role: some(entry.actor_role),
        request_id: some(entry.request_id),
        action: entry.action,
        target_kind: entry.target_kind,
        target: some(entry.target),
        outcome: entry.outcome,
        before: some(entry.before),
        after: some(entry.after),
    })
}

fn checked(verified: Verified, next: Option<Progress>) -> VerifyAuditReply {
    VerifyAuditReply {
        entries: verified.entries,
        unchained: verified.unchained,
        late: verified.late,
        first_late: text(verified.first_late),
        head: verified.head.map(|(seq, hash)| Place {
            seq,
            hash: hash.to_vec(),
        }),
        broken: verified.broken.map(|broken| BrokenMessage {
            seq: broken.seq,
            entry: broken.entry.to_string(),
            fault: broken.fault.as_str().to_owned(),
        }),
        next: next.map(progress),
    }
}

/// What a message says a check came to, and where to go on.
///
/// # Errors
/// When it names an id, a hash or a fault that is none.
pub fn verified(reply: VerifyAuditReply) -> Result<(Verified, Option<Progress>), NotUnderstood> {
    let head = reply.head.map(|head| {
        let hash = head.hash.try_into().map_err(|_| NotUnderstood)?;
        Ok((head.seq, hash))
    });
    let broken = reply.broken.map(|broken| {
        Ok(Broken {
            seq: broken.seq,
            entry: read(&broken.entry)?,
            fault: Fault::named(&broken.fault).ok_or(NotUnderstood)?,
        })
    });
    let next = reply.next.map(|next| {
        Ok(Progress {
            entry: read(&next.entry)?,
            seq: next.seq,
        })
    });
    let verified = Verified {
        entries: reply.entries,
        unchained: reply.unchained,
        late: reply.late,
        first_late: read_given(&reply.first_late)?,
        head: head.transpose()?,
        broken: broken.transpose()?,
    };
    Ok((verified, next.transpose()?))
}

fn read(text: &str) -> Result<Uuid, NotUnderstood> {
    text.parse().map_err(|_| NotUnderstood)
}

fn read_given(text: &str) -> Result<Option<Uuid>, NotUnderstood> {
    given(text).map(read).transpose()
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> AuditRow {
        AuditRow {
            id: Uuid::from_u128(1),
            tenant: Some(Uuid::from_u128(2)),
            at: DateTime::from_timestamp_micros(1_800_000_000_000_001).unwrap(),
            actor_kind: "person".to_owned(),
            actor: Some(Uuid::from_u128(3)),
            actor_role: Some("owner".to_owned()),
            request_id: Some("r".to_owned()),
            action: "campaigns.send".to_owned(),
            target_kind: "campaign".to_owned(),
            target: Some("t".to_owned()),
            outcome: "done".to_owned(),
            before: Some("{}".to_owned()),
            after: Some(r#"{"state":"planning"}"#.to_owned()),
        }
    }

    #[test]
    fn an_entry_arrives_as_it_was_written() {
        let bare = AuditRow {
            tenant: None,
            actor: None,
            actor_role: None,
            request_id: None,
            target: None,
            before: None,
            after: None,
            ..told()
        };
        for wanted in [told(), bare] {
            assert_eq!(row(entry(wanted.clone())), Ok(wanted));
        }
        let nobodys = Entry {
            id: String::new(),
            ..entry(told())
        };
        assert_eq!(row(nobodys), Err(NotUnderstood));
    }

    #[test]
    fn what_a_check_came_to_arrives_whole() {
        let progress = Progress {
            entry: Uuid::from_u128(7),
            seq: 400,
        };
        let found = Verified {
            entries: 5,
            unchained: 2,
            late: 1,
            first_late: Some(Uuid::from_u128(8)),
            head: Some((400, [7; 32])),
            broken: Some(Broken {
                seq: 3,
                entry: Uuid::from_u128(9),
                fault: Fault::Removed,
            }),
        };
        for (found, next) in [(found, Some(progress)), (Verified::default(), None)] {
            assert_eq!(verified(checked(found.clone(), next)), Ok((found, next)));
        }
        let mut strange = checked(Verified::default(), None);
        strange.head = Some(Place {
            seq: 1,
            hash: vec![1],
        });
        assert_eq!(verified(strange), Err(NotUnderstood));
    }

    #[test]
    fn what_is_asked_for_arrives_as_it_is_meant() {
        let filter = AuditFilter {
            from: Some(told().at),
            ..AuditFilter::default()
        };
        let asked = question(Scope::Platform, &filter, 200, None);
        assert_eq!((asked.tenant_id.as_str(), asked.limit), ("", 200));
        assert_eq!(moment("from", &asked.from), Ok(filter.from));
        assert_eq!(moment("to", &asked.to), Ok(None));
        assert_eq!(moment("to", "yesterday"), Err(NotATime("to")));
    }
}

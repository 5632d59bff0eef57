//! A page of the audit of the whole.

use futures_util::future::try_join_all;
use plaza_audit::{Action, AuditFilter, AuditRow};
use plaza_kernel::{Caller, Cursor, Limit, Page, PageQuery, Scope, ServiceName, TenantId};
use plaza_rpc::{Carried, carried, carry_as_service};

use super::TrailError;
use crate::{Access, audit};

/// The most that a page may have.
pub(super) const MOST: Limit = match Limit::new(Limit::MOST) {
    Some(limit) => limit,
    None => unreachable!(),
};

/// An entry, and the service whose audit it is in.
pub(super) type Told = (ServiceName, AuditRow);

impl Access {
    /// Whose audit a caller reads: their own tenant's; whoever runs the platform, the platform's or the tenant's that is
    /// named.
    pub(super) async fn trail_of(
        &self,
        caller: &Caller,
        named: Option<TenantId>,
    ) -> Result<Scope, TrailError> {
        match (caller.scope(), named) {
            (Scope::Tenant(own), Some(named)) if own != named => Err(TrailError::OtherTenant),
            (Scope::Platform, Some(named)) => {
                self.tenant_status(named).await?;
                Ok(named.into())
            }
            (own, _) => Ok(own),
        }
    }

    /// Whoever runs the platform and reads a tenant's audit is told of in it, before anything is shown.
    pub(super) async fn tell_reading(&self, caller: &Caller, scope: Scope) -> Result<(), TrailError> {
        match (caller.scope(), scope) {
            (Scope::Platform, Scope::Tenant(_)) => self.tell(caller, scope, &audit::AUDIT_READ).await,
            _ => Ok(()),
        }
    }

    /// Writes down, in the audit that was read, who did it.
    pub(super) async fn tell(
        &self,
        caller: &Caller,
        scope: Scope,
        action: &'static Action,
    ) -> Result<(), TrailError> {
        let (database, clock) = (&self.inner.database, &self.inner.clock);
        Ok(audit::read(database, clock, scope, caller, action).await?)
    }

    /// The same for a client that counts pages: so many entries later. They are read to be passed over, because no service
    /// knows how many of them are another's.
    pub(super) async fn trail_page_later(
        &self,
        scope: Scope,
        filter: &AuditFilter,
        page: PageQuery,
        skip: i64,
    ) -> Result<Page<Told>, TrailError> {
        let (mut left, mut cursor) = (usize::try_from(skip).unwrap_or_default(), page.cursor);
        while left > 0 {
            let passed = PageQuery { limit: MOST, cursor };
            let mut passed = self.trail_page(carried(), scope, filter, passed).await?;
            let is_end = passed.next_cursor.is_none() && passed.items.len() <= left;
            passed.items.truncate(left);
            left -= passed.items.len();
            if is_end {
                let items = Vec::new();
                return Ok(Page {
                    items,
                    next_cursor: None,
                });
            }
            cursor = passed.items.last().map(|(_, row)| Cursor::after(row.id));
        }
        let page = PageQuery { cursor, ..page };
        self.trail_page(carried(), scope, filter, page).await
    }

    /// A page of the entries of all services, newest first. Who may read them is decided; the services are asked by access
    /// itself, which alone they tell.
    pub(super) async fn trail_page(
        &self,
        carried: Carried,
        scope: Scope,
        filter: &AuditFilter,
        page: PageQuery,
    ) -> Result<Page<Told>, TrailError> {
        let pages = self.inner.sources.all().iter().map(|source| async move {
            let (rows, more) = source.page(scope, filter, page).await?;
            Ok::<_, TrailError>((source.service, rows, more))
        });
        let pages = carry_as_service(carried, try_join_all(pages)).await?;
        Ok(merged(pages, page.limit.get()))
    }
}

/// The newest of all, and where the next page begins. What a page of a service leaves out is older than all that it shows, so
/// nothing is missed between them.
fn merged(pages: Vec<(ServiceName, Vec<AuditRow>, bool)>, limit: usize) -> Page<Told> {
    let mut more = false;
    let mut items: Vec<Told> = Vec::new();
    for (service, rows, has_more) in pages {
        more |= has_more;
        items.extend(rows.into_iter().map(|row| (service, row)));
    }
    items.sort_unstable_by_key(|(_, row)| std::cmp::Reverse(row.id));
    more |= items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    Page {
        next_cursor: last.map(|(_, row)| Cursor::after(row.id).to_string()),
        items,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use plaza_contracts::services::{ACCESS, IDENTITY};
    use uuid::Uuid;

    use super::*;

    fn row(id: u128) -> AuditRow {
        AuditRow {
            id: Uuid::from_u128(id),
            tenant: None,
            at: DateTime::UNIX_EPOCH,
            actor_kind: "service".to_owned(),
            actor: None,
            actor_role: None,
            request_id: None,
            action: "things.make".to_owned(),
            target_kind: "thing".to_owned(),
            target: None,
            outcome: "done".to_owned(),
            before: None,
            after: None,
        }
    }

    fn ids(page: &Page<Told>) -> Vec<u128> {
        page.items.iter().map(|(_, row)| row.id.as_u128()).collect()
    }

    #[test]
    fn the_newest_of_all_come_first_and_none_is_lost_between_pages() {
        let page = |ids: &[u128]| ids.iter().map(|id| row(*id)).collect::<Vec<_>>();
        let both = merged(
            vec![(ACCESS, page(&[9, 4]), true), (IDENTITY, page(&[8, 7]), true)],
            2,
        );
        assert_eq!(ids(&both), [9, 8]);
        assert_eq!(both.items[1].0, IDENTITY);
        let next = Cursor::after(Uuid::from_u128(8)).to_string();
        assert_eq!(both.next_cursor, Some(next), "7 and 4 come behind it");
        // One service alone fills the page, and has more.
        let one = merged(vec![(ACCESS, page(&[9, 4]), true), (IDENTITY, vec![], false)], 2);
        assert!(ids(&one) == [9, 4] && one.next_cursor.is_some());
        let last = merged(
            vec![(ACCESS, page(&[3]), false), (IDENTITY, page(&[2]), false)],
            2,
        );
        assert!(ids(&last) == [3, 2] && last.next_cursor.is_none());
        let none = merged(vec![(ACCESS, vec![], false)], 2);
        assert!(none.items.is_empty() && none.next_cursor.is_none());
    }
}

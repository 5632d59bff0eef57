//! The audit as a file: an entry a line, as JSON (NDJSON). Not as a table: nothing in it can become a formula.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use plaza_audit::AuditFilter;
use plaza_kernel::{Caller, Cursor, Page, PageQuery, Scope};
use plaza_rpc::{Carried, carried};

use super::TrailError;
use super::read::{MOST, Told};
use super::view::EntryView;
use crate::{Access, audit};

impl Access {
    /// Streams the file, newest first: at most two pages of entries are in memory. That it was taken is written down before;
    /// whatever can be refused is refused before the first byte. A file that could not be read to its end has none: the
    /// connection breaks.
    pub(super) async fn export_trail(
        &self,
        caller: &Caller,
        scope: Scope,
        filter: AuditFilter,
    ) -> Result<Response, TrailError> {
        self.tell(caller, scope, &audit::AUDIT_EXPORTED).await?;
        // The stream is read after the request's own work, so what that carries is given to it, but for its deadline.
        let carried = Carried {
            deadline: None,
            ..carried()
        };
        let access = self.clone();
        let first = access
            .trail_page(carried.clone(), scope, &filter, after(None))
            .await?;
        let pages = stream::try_unfold(Some(first), move |page: Option<Page<Told>>| {
            let (access, carried, filter) = (access.clone(), carried.clone(), filter.clone());
            async move {
                let Some(page) = page else {
                    return Ok::<_, TrailError>(None);
                };
                let last = page.items.last().map(|(_, row)| Cursor::after(row.id));
                let next = match page.next_cursor {
                    None => None,
                    Some(_) => Some(access.trail_page(carried, scope, &filter, after(last)).await?),
                };
                Ok(Some((lines(page.items), next)))
            }
        });
        Ok((headers(), Body::from_stream(pages)).into_response())
    }
}

fn after(cursor: Option<Cursor>) -> PageQuery {
    PageQuery { limit: MOST, cursor }
}

fn headers() -> [(header::HeaderName, HeaderValue); 3] {
    [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"audit.ndjson\""),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ]
}

fn lines(entries: Vec<Told>) -> Bytes {
    let mut text = Vec::with_capacity(entries.len() * 400);
    for entry in entries {
        // Cannot fail: texts, times and objects whose keys are texts.
        text.extend(serde_json::to_vec(&EntryView::from(entry)).unwrap_or_default());
        text.push(b'\n');
    }
    Bytes::from(text)
}

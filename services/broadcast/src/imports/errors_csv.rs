//! The rows that made no recipient, as a file to download.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use plaza_database::DatabaseError;
use plaza_kernel::TenantId;

use super::store;
use crate::{Broadcast, ImportId};

/// Streams the file: at most one page of rows is in memory.
pub(crate) fn response(broadcast: Broadcast, tenant: TenantId, id: ImportId) -> Response {
    let pages = stream::try_unfold(Some(0), move |after| {
        let broadcast = broadcast.clone();
        async move {
            let Some(after) = after else {
                return Ok::<_, DatabaseError>(None);
            };
            let rows = store::error_page(&broadcast.database, tenant, id, after).await?;
            let next = rows.last().map(|(row, _, _)| *row);
            Ok(Some((page(&rows, after == 0), next)))
        }
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/csv; charset=utf-8"),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"errors.csv\""),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    (headers, Body::from_stream(pages)).into_response()
}

fn page(rows: &[(i64, String, String)], first: bool) -> Bytes {
    let mut text = String::new();
    if first {
        text.push_str("row,class,value\r\n");
    }
    for (row, class, value) in rows {
        text.push_str(&format!("{row},{class},{}\r\n", cell(value)));
    }
    Bytes::from(text)
}

/// A cell that a spreadsheet shows and does not run: what would begin a formula gets an apostrophe in front, except
/// the plus of a plain number. Quoted where CSV needs it.
pub(crate) fn cell(value: &str) -> String {
    let plain_number = value
        .strip_prefix('+')
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && !plain_number;
    let safe = if formula {
        format!("'{value}")
    } else {
        value.to_owned()
    };
    if safe.contains(['"', ',', '\r', '\n', ';', '\t']) || safe.trim() != safe {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_is_a_formula() {
        for (value, expected) in [
            ("+254712", "+254712"),
            ("call office", "call office"),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("+1+1", "'+1+1"),
            ("+49 151", "'+49 151"),
            ("-", "'-"),
            ("@x", "'@x"),
            ("\tx", "\"'\tx\""),
            ("a,b", "\"a,b\""),
            ("", ""),
        ] {
            assert_eq!(cell(value), expected, "{value}");
        }
    }
}

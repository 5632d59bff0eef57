//! `plaza.broadcast.v1.Imports`: how far imports are.

use plaza_contracts::incoming::{Asker, id, page, reply, time};
use plaza_contracts::permissions::ViewRecipients;
use plaza_contracts::proto::broadcast::imports_server::Imports;
use plaza_contracts::proto::broadcast::{
    GetImportRequest, Import as ImportReply, ImportErrorRow, ImportProblem as ProblemReply,
    ListImportErrorsReply, ListImportErrorsRequest, ListImportsReply, ListImportsRequest,
};
use plaza_kernel::Page;
use tonic::{Request, Response, Status, async_trait};

use super::Rpc;
use crate::ImportId;
use crate::imports::{Import, ImportCounts, ImportProblem, NoImport, store};
use crate::listing::Window;

#[async_trait]
impl Imports for Rpc {
    async fn get_import(&self, request: Request<GetImportRequest>) -> Result<Response<ImportReply>, Status> {
        let find = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = self.tenant::<ViewRecipients>(asker, &request.tenant_id).await?;
            let found = self
                .0
                .import(tenant, id("import_id", &request.import_id)?)
                .await?;
            Ok(found.map(import).ok_or(NoImport)?)
        };
        reply(find.await)
    }

    async fn list_imports(
        &self,
        request: Request<ListImportsRequest>,
    ) -> Result<Response<ListImportsReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let window = Window::from(page(request.limit, &request.cursor)?);
            let tenant = self.tenant::<ViewRecipients>(asker, &request.tenant_id).await?;
            let found = store::list(&self.0.database, tenant, window).await?;
            let page = Page::from_found(found, window.limit, |import| import.id);
            let imports = page.items.into_iter().map(|stored| import(stored.into()));
            Ok(ListImportsReply {
                imports: imports.collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }

    async fn list_import_errors(
        &self,
        request: Request<ListImportErrorsRequest>,
    ) -> Result<Response<ListImportErrorsReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = self.tenant::<ViewRecipients>(asker, &request.tenant_id).await?;
            let import: ImportId = id("import_id", &request.import_id)?;
            self.0.import(tenant, import).await?.ok_or(NoImport)?;
            let after = i64::try_from(request.after_row).unwrap_or(i64::MAX);
            let rows = store::error_page(&self.0.database, tenant, import, after).await?;
            let row = |(row, class, value)| ImportErrorRow {
                row: count(row),
                class,
                value,
            };
            Ok(ListImportErrorsReply {
                rows: rows.into_iter().map(row).collect(),
            })
        };
        reply(list.await)
    }
}

fn import(import: Import) -> ImportReply {
    let ImportCounts {
        valid,
        duplicate,
        missing_phone,
        invalid_phone,
        damaged_by_spreadsheet,
    } = import.counts;
    let counts = [
        ("valid", valid),
        ("duplicate", duplicate),
        ("missing_phone", missing_phone),
        ("invalid_phone", invalid_phone),
        ("damaged_by_spreadsheet", damaged_by_spreadsheet),
    ];
    let columns = import.mapping.into_iter();
    ImportReply {
        import_id: import.id.to_string(),
        state: import.state.to_string(),
        rows_done: count(import.rows_done),
        bytes_done: count(import.bytes_done),
        bytes_total: count(import.bytes_total),
        counts: counts.map(|(class, rows)| (class.to_owned(), count(rows))).into(),
        mapping: columns
            .map(|(field, column)| (field.to_string(), column))
            .collect(),
        encoding: import.encoding.unwrap_or_default(),
        delimiter: import.delimiter.unwrap_or_default(),
        error: import.error.map(problem),
        created_at: time(import.created_at),
        finished_at: import.finished_at.map(time).unwrap_or_default(),
    }
}

fn problem(problem: ImportProblem) -> ProblemReply {
    ProblemReply {
        code: problem.code,
        row: problem.row.map(count).unwrap_or_default(),
        detail: problem.detail,
    }
}

/// Counts of the database are never negative.
fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or_default()
}

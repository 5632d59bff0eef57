//! All SQL about templates.

use chrono::{DateTime, Utc};
use plaza_database::{Database, DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;
use postgres_types::Json;
use uuid::Uuid;

use super::variables::Variable;
use super::{Category, StoredTemplate};
use crate::TemplateId;
use crate::listing::Window;

type New = (
    TenantId,
    TemplateId,
    String,
    String,
    Category,
    String,
    Json<Vec<Variable>>,
    DateTime<Utc>,
);

statements! {
    static LIST: (Uuid, i64, i64) => StoredTemplate =
        "SELECT id, name, language, category, body, variables, created_at, updated_at
           FROM broadcast.templates
          WHERE id < $1
          ORDER BY id DESC
          LIMIT $2 OFFSET $3";

    static GET: (TemplateId,) => StoredTemplate =
        "SELECT id, name, language, category, body, variables, created_at, updated_at
           FROM broadcast.templates
          WHERE id = $1";

    static INSERT: New => () =
        "INSERT INTO broadcast.templates
             (tenant_id, id, name, language, category, body, variables, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
}

/// Templates, newest first.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    window: Window,
) -> Result<Vec<StoredTemplate>, DatabaseError> {
    database
        .read(
            tenant,
            &LIST,
            (window.below(), window.limit.and_one(), window.skip),
        )
        .await
}

/// One template.
pub(crate) async fn get(
    database: &Database,
    tenant: TenantId,
    id: TemplateId,
) -> Result<Option<StoredTemplate>, DatabaseError> {
    Ok(database.read(tenant, &GET, (id,)).await?.into_iter().next())
}

/// The template as this transaction sees it.
pub(crate) async fn seen_by(tx: &TenantTx, id: TemplateId) -> Result<Option<StoredTemplate>, DatabaseError> {
    tx.optional(&GET, (id,)).await
}

/// A new template; breaks `templates_name_key` when name and language are taken.
pub(crate) async fn insert(tx: &TenantTx, template: &StoredTemplate) -> Result<(), DatabaseError> {
    let t = template.clone();
    let params = (
        tx.tenant(),
        t.id,
        t.name,
        t.language,
        t.category,
        t.body,
        t.variables,
        t.created_at,
    );
    tx.execute(&INSERT, params).await.map(|_| ())
}

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
type Change = (
    TemplateId,
    String,
    String,
    Category,
    String,
    Json<Vec<Variable>>,
    i64,
    DateTime<Utc>,
);

/// The columns of templates that were not removed, and what follows them.
macro_rules! templates {
    ($($rest:literal),*) => {
        concat!(
            "SELECT t.id, t.name, t.language, t.category, t.body, t.variables, t.version, t.created_at, t.updated_at,
                    coalesce((SELECT jsonb_agg(jsonb_build_object('sender_id', s.sender_id, 'state', s.state,
                                                                  'reason', s.reason, 'at', s.at) ORDER BY s.sender_id)
                                FROM broadcast.template_states AS s
                               WHERE s.tenant_id = t.tenant_id AND s.name = t.name AND s.language = t.language),
                             '[]'::jsonb) AS states
               FROM broadcast.templates AS t
              WHERE t.archived_at IS NULL ",
            $($rest),*
        )
    };
}

statements! {
    static LIST: (Uuid, i64, i64) => StoredTemplate =
        templates!("AND t.id < $1 ORDER BY t.id DESC LIMIT $2 OFFSET $3");

    static GET: (TemplateId,) => StoredTemplate =
        templates!("AND t.id = $1");

    static HELD: (TemplateId,) => StoredTemplate =
        templates!("AND t.id = $1 FOR SHARE OF t");

    static LOCK: (TemplateId,) => StoredTemplate =
        templates!("AND t.id = $1 FOR UPDATE OF t");

    static INSERT: New => () =
        "INSERT INTO broadcast.templates
             (tenant_id, id, name, language, category, body, variables, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)";

    static CHANGE: Change => () =
        "UPDATE broadcast.templates
            SET name = $2, language = $3, category = $4, body = $5, variables = $6, version = $7, updated_at = $8
          WHERE id = $1";

    static ARCHIVE: (TemplateId, DateTime<Utc>) => () =
        "UPDATE broadcast.templates SET archived_at = $2, updated_at = $2 WHERE id = $1";
}

/// Templates, newest first.
pub(crate) async fn list(
    database: &Database,
    tenant: TenantId,
    window: Window,
) -> Result<Vec<StoredTemplate>, DatabaseError> {
    let params = (window.below(), window.limit.and_one(), window.skip);
    database.read(tenant, &LIST, params).await
}

/// One template.
pub(crate) async fn get(
    database: &Database,
    tenant: TenantId,
    id: TemplateId,
) -> Result<Option<StoredTemplate>, DatabaseError> {
    Ok(database.read(tenant, &GET, (id,)).await?.into_iter().next())
}

/// The template, which nobody changes or removes until the transaction ends.
pub(crate) async fn held(tx: &TenantTx, id: TemplateId) -> Result<Option<StoredTemplate>, DatabaseError> {
    tx.optional(&HELD, (id,)).await
}

/// The template, for whoever changes or removes it: nobody else holds it until the transaction ends.
pub(crate) async fn lock(tx: &TenantTx, id: TemplateId) -> Result<Option<StoredTemplate>, DatabaseError> {
    tx.optional(&LOCK, (id,)).await
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

/// Writes it as its next version; breaks `templates_name_key` when name and language are taken.
pub(crate) async fn change(tx: &TenantTx, template: &StoredTemplate) -> Result<(), DatabaseError> {
    let t = template.clone();
    let params = (
        t.id,
        t.name,
        t.language,
        t.category,
        t.body,
        t.variables,
        t.version,
        t.updated_at,
    );
    tx.execute(&CHANGE, params).await.map(|_| ())
}

/// Takes it out of sight and gives its name back. Campaigns that were sent with it keep it.
pub(crate) async fn archive(tx: &TenantTx, id: TemplateId, now: DateTime<Utc>) -> Result<(), DatabaseError> {
    tx.execute(&ARCHIVE, (id, now)).await.map(|_| ())
}

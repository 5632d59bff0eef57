//! Many recipients at once, as imports write them.
//!
//! Rows are staged in a temporary table, and go on from there through the policy. Where the login may make none, they
//! are parameters of the same statement.

use chrono::{DateTime, Utc};
use plaza_database::{DatabaseError, TenantTx, statements, temp_tables};
use plaza_kernel::TenantId;

use crate::imports::classify::Incoming;
use crate::recipients::attributes::Attributes;
use crate::recipients::consent::Consent;
use crate::recipients::country::Country;
use crate::{ImportId, RecipientId};

/// What a new recipient has, and the number of its row.
type Staged = (
    RecipientId,
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Attributes,
    Consent,
);

/// The same, as parameters; before them whose they are, which import's, when, and where consent is known from.
type Arrays = (
    TenantId,
    ImportId,
    DateTime<Utc>,
    String,
    Vec<RecipientId>,
    Vec<i64>,
    Vec<String>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<Option<String>>,
    Vec<Attributes>,
    Vec<Consent>,
);

/// The number of a row that was no new one; or, in one row at the end, how many recipients are new.
type Told = (Option<i64>, Option<i64>);

/// Writes what comes from `$rows`. A number that this import has written already is left alone: its row is a duplicate
/// and is told. What a file does not say is kept as it is known. A row that was not there before has no `xmax`.
macro_rules! import_from {
    ($rows:literal, $numbers:literal) => {
        concat!(
            "WITH written AS (
                 INSERT INTO broadcast.recipients AS known
                        (tenant_id, id, phone, external_id, name, country, timezone, locale, attrs, consent, consent_source,
                         consent_at, import_id, import_row, created_at, updated_at)
                 SELECT $1, r.id, r.phone, r.external_id, r.name, r.country, r.timezone, r.locale, r.attrs, r.consent,
                        CASE WHEN r.consent <> 'unknown' THEN $4::text END,
                        CASE WHEN r.consent <> 'unknown' THEN $3::timestamptz END, $2, r.number, $3, $3
                   FROM ", $rows, "
                     ON CONFLICT (tenant_id, phone) DO UPDATE SET
                        external_id = coalesce(excluded.external_id, known.external_id),
                        name = coalesce(excluded.name, known.name),
                        country = coalesce(excluded.country, known.country),
                        timezone = coalesce(excluded.timezone, known.timezone),
                        locale = coalesce(excluded.locale, known.locale),
                        attrs = known.attrs || excluded.attrs,
                        consent = CASE WHEN excluded.consent = 'unknown' THEN known.consent ELSE excluded.consent END,
                        consent_source = coalesce(excluded.consent_source, known.consent_source),
                        consent_at = coalesce(excluded.consent_at, known.consent_at),
                        consent_before = CASE WHEN excluded.consent = 'unknown' THEN known.consent_before END,
                        consent_before_source = CASE WHEN excluded.consent = 'unknown' THEN known.consent_before_source END,
                        import_id = excluded.import_id,
                        import_row = excluded.import_row,
                        updated_at = excluded.updated_at
                  WHERE known.import_id IS DISTINCT FROM excluded.import_id
                 RETURNING import_row, xmax = 0 AS created
             )
             SELECT r.number, NULL::bigint
               FROM ", $numbers, "
              WHERE NOT EXISTS (SELECT FROM written AS w WHERE w.import_row = r.number)
             UNION ALL
             SELECT NULL, count(*) FILTER (WHERE w.created) FROM written AS w"
        )
    };
}

/// The same of a dry run: numbers are remembered apart, and nothing else is written.
macro_rules! check_from {
    ($rows:literal) => {
        concat!(
            "WITH written AS (
                 INSERT INTO broadcast.import_numbers (tenant_id, import_id, phone)
                 SELECT $1, $2, r.phone FROM ", $rows, "
                     ON CONFLICT DO NOTHING
                 RETURNING phone
             )
             SELECT r.number, NULL::bigint
               FROM ", $rows, "
              WHERE NOT EXISTS (SELECT FROM written AS w WHERE w.phone = r.phone)
             UNION ALL
             SELECT NULL, count(*) FILTER (WHERE known.id IS NULL)
               FROM written AS w
               LEFT JOIN LATERAL (SELECT k.id FROM broadcast.recipients AS k WHERE k.phone = w.phone LIMIT 1) AS known ON true"
        )
    };
}

temp_tables! {
    /// Rows of a file on their way.
    static STAGED: Staged = (
        "staged_recipients",
        "id uuid, number bigint, phone text, external_id text, name text, country text, timezone text, locale text,
         attrs jsonb, consent text"
    );
}

statements! {
    static IMPORT_STAGED: (TenantId, ImportId, DateTime<Utc>, String) => Told =
        import_from!("pg_temp.staged_recipients AS r", "pg_temp.staged_recipients AS r");

    static IMPORT_ARRAYS: Arrays => Told = import_from!(
        "unnest($5::uuid[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                $13::jsonb[], $14::text[])
             AS r (id, number, phone, external_id, name, country, timezone, locale, attrs, consent)",
        "unnest($6::bigint[]) AS r (number)"
    );

    static CHECK_STAGED: (TenantId, ImportId) => Told = check_from!("pg_temp.staged_recipients AS r");

    static CHECK_ARRAYS: (TenantId, ImportId, Vec<i64>, Vec<String>) => Told =
        check_from!("unnest($3::bigint[], $4::text[]) AS r (number, phone)");
}

/// A row of a file that may become a recipient.
pub(crate) struct Arrival {
    /// The recipient's id, if it is a new one.
    pub(crate) id: RecipientId,
    /// The number of the row.
    pub(crate) row: i64,
    /// What the row says.
    pub(crate) incoming: Incoming,
}

/// How rows get to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Staging {
    /// Through a temporary table.
    Table,
    /// As parameters.
    Parameters,
}

/// What became of rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The numbers of those whose telephone number was there before, in order.
    pub(crate) duplicates: Vec<i64>,
    /// How many of the others are new recipients.
    pub(crate) created: i64,
}

/// Writes rows of an import. A telephone number may occur only once among them.
pub(crate) async fn import(
    tx: &TenantTx,
    import: ImportId,
    now: DateTime<Utc>,
    rows: Vec<Arrival>,
    staging: Staging,
) -> Result<Written, DatabaseError> {
    let (tenant, source) = (tx.tenant(), format!("import:{import}"));
    let told = match staging {
        Staging::Table => {
            tx.copy_into(&STAGED, rows.into_iter().map(staged)).await?;
            tx.all(&IMPORT_STAGED, (tenant, import, now, source)).await?
        }
        Staging::Parameters => {
            let mut arrays: Arrays = (
                tenant,
                import,
                now,
                source,
                vec![],
                vec![],
                vec![],
                vec![],
                vec![],
                vec![],
                vec![],
                vec![],
                vec![],
                vec![],
            );
            for row in rows {
                let row = staged(row);
                arrays.4.push(row.0);
                arrays.5.push(row.1);
                arrays.6.push(row.2);
                arrays.7.push(row.3);
                arrays.8.push(row.4);
                arrays.9.push(row.5);
                arrays.10.push(row.6);
                arrays.11.push(row.7);
                arrays.12.push(row.8);
                arrays.13.push(row.9);
            }
            tx.all(&IMPORT_ARRAYS, arrays).await?
        }
    };
    Ok(written(told))
}

/// Finds out what would become of rows; remembers their numbers for those that come after them.
pub(crate) async fn check(
    tx: &TenantTx,
    import: ImportId,
    rows: Vec<Arrival>,
    staging: Staging,
) -> Result<Written, DatabaseError> {
    let tenant = tx.tenant();
    let told = match staging {
        Staging::Table => {
            tx.copy_into(&STAGED, rows.into_iter().map(staged)).await?;
            tx.all(&CHECK_STAGED, (tenant, import)).await?
        }
        Staging::Parameters => {
            let numbers = rows.iter().map(|row| row.row).collect();
            let phones = rows.into_iter().map(|row| row.incoming.phone.into_string());
            let arrays = (tenant, import, numbers, phones.collect());
            tx.all(&CHECK_ARRAYS, arrays).await?
        }
    };
    Ok(written(told))
}

fn staged(row: Arrival) -> Staged {
    let Arrival { id, row, incoming } = row;
    (
        id,
        row,
        incoming.phone.into_string(),
        incoming.external_id,
        incoming.name,
        incoming.country.map(Country::code),
        incoming.timezone,
        incoming.locale,
        incoming.attributes,
        incoming.consent,
    )
}

fn written(told: Vec<Told>) -> Written {
    let mut written = Written::default();
    for (duplicate, created) in told {
        written.duplicates.extend(duplicate);
        written.created += created.unwrap_or_default();
    }
    written.duplicates.sort_unstable();
    written
}

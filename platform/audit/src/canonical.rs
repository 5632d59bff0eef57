//! What a hash covers: the hash before it, its place, and every column of the entry, each with its length before it.

use uuid::Uuid;

use crate::list::AuditRow;

/// The form of what is hashed; another form would have another name.
const FORM: &[u8] = b"plaza audit 1";
/// What is hashed in the place of an entry that was gone before it was chained.
const GONE: &[u8] = b"gone";

/// A link of a chain.
pub(crate) type Hash = [u8; 32];

/// The hash of a link: what comes before the first link of a chain is zeros.
pub(crate) fn hash(before: &Hash, seq: i64, entry: Uuid, row: Option<&AuditRow>) -> Hash {
    let mut text = Text(Vec::with_capacity(512));
    text.field(Some(FORM));
    text.field(Some(before));
    text.field(Some(&seq.to_be_bytes()));
    text.field(Some(entry.as_bytes()));
    match row {
        None => text.field(Some(GONE)),
        Some(row) => text.row(row),
    }
    plaza_crypto::sha256(&text.0)
}

struct Text(Vec<u8>);

impl Text {
    /// None is not the same as nothing.
    fn field(&mut self, field: Option<&[u8]>) {
        let length = field.map_or(u64::MAX, |field| field.len() as u64);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field.unwrap_or_default());
    }

    fn text(&mut self, text: Option<&str>) {
        self.field(text.map(str::as_bytes));
    }

    fn row(&mut self, row: &AuditRow) {
        self.field(Some(row.id.as_bytes()));
        self.field(row.tenant.as_ref().map(|tenant| tenant.as_bytes().as_slice()));
        // As exact as the database keeps it.
        self.field(Some(&row.at.timestamp_micros().to_be_bytes()));
        self.text(Some(&row.actor_kind));
        self.field(row.actor.as_ref().map(|actor| actor.as_bytes().as_slice()));
        self.text(row.actor_role.as_deref());
        self.text(row.request_id.as_deref());
        self.text(Some(&row.action));
        self.text(Some(&row.target_kind));
        self.text(row.target.as_deref());
        self.text(Some(&row.outcome));
        self.text(row.before.as_deref());
        self.text(row.after.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn row() -> AuditRow {
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
            before: None,
            after: Some(r#"{"state":"planning"}"#.to_owned()),
        }
    }

    fn hashed(row: &AuditRow) -> Hash {
        hash(&[0; 32], 1, row.id, Some(row))
    }

    /// Whoever checks the audit with another program finds the same: this was computed by one of Python.
    #[test]
    fn the_form_does_not_change() {
        assert_eq!(hex::encode(hashed(&row())), FIRST);
    }

    const FIRST: &str = "670e6e56427b60e81751641fddddd21f6e1763cdeaaebb2dcff6a5449b6f9185";

    #[test]
    fn every_column_counts() {
        let changes: [fn(&mut AuditRow); 13] = [
            |row| row.id = Uuid::from_u128(9),
            |row| row.tenant = None,
            |row| row.at += chrono::TimeDelta::microseconds(1),
            |row| row.actor_kind = "operator".to_owned(),
            |row| row.actor = None,
            |row| row.actor_role = Some("member".to_owned()),
            |row| row.request_id = None,
            |row| row.action = "campaigns.create".to_owned(),
            |row| row.target_kind = "role".to_owned(),
            |row| row.target = None,
            |row| row.outcome = "denied".to_owned(),
            |row| row.before = Some(String::new()),
            |row| row.after = None,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut changed = row();
            change(&mut changed);
            assert_ne!(hashed(&changed), hashed(&row()), "column {number}");
        }
    }

    #[test]
    fn the_place_and_what_came_before_count_and_what_is_gone_is_no_entry() {
        let row = row();
        let first = hashed(&row);
        assert_ne!(hash(&[0; 32], 2, row.id, Some(&row)), first);
        assert_ne!(hash(&[1; 32], 1, row.id, Some(&row)), first);
        assert_ne!(hash(&[0; 32], 1, row.id, None), first);
    }

    proptest! {
        /// Characters that move from one column to the next make another hash.
        #[test]
        fn columns_do_not_run_into_each_other(text in "[a-z]{2,20}", cut in 1_usize..19, other in 1_usize..19) {
            let (cut, other) = (cut % text.len(), other % text.len());
            prop_assume!(cut != other);
            let of = |cut: usize| {
                let mut row = row();
                (row.action, row.target_kind) = (text[..cut].to_owned(), text[cut..].to_owned());
                hashed(&row)
            };
            prop_assert_ne!(of(cut), of(other));
        }
    }
}

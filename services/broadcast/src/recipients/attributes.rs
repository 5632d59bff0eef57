//! What is known of a recipient besides the columns of the table.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use postgres_types::{IsNull, ToSql, Type};
use serde_json::Value;

/// Texts by their names, as the JSON that they are stored as: a map for each of ten thousand rows costs ten times as much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes(String);

impl Attributes {
    /// These.
    pub(crate) fn of<'a>(texts: impl Iterator<Item = (&'a str, String)>) -> Self {
        let object: serde_json::Map<String, Value> = texts
            .map(|(name, text)| (name.to_owned(), Value::String(text)))
            .collect();
        Self(Value::Object(object).to_string())
    }

    /// How long they are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl ToSql for Attributes {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        // The version of the format, then text.
        out.put_u8(1);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    postgres_types::to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_json() {
        let texts = [("a \"b\"", "c\nd".to_owned()), ("city", "Köln".to_owned())];
        let attributes = Attributes::of(texts.into_iter());
        assert_eq!(attributes.0, r#"{"a \"b\"":"c\nd","city":"Köln"}"#);
        assert_eq!(Attributes::of(std::iter::empty()).0, "{}");
    }
}

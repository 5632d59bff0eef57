//! Say something about oneself: the name in this tenant, the language, the time zone. Nothing else is one's own to change.

use std::str::FromStr;

use plaza_database::DatabaseError;
use plaza_kernel::{Caller, Failure, FieldError, Kind};
use plaza_web::IfMatch;

use super::Me;
use super::me::MeError;
use super::store::Statements;
use crate::scoped::ScopedTx;
use crate::users::PersonName;
use crate::{Identity, audit};

/// What a person says of themselves. What is none stays as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct AboutMe {
    pub(crate) name: Option<PersonName>,
    pub(crate) locale: Option<Locale>,
    pub(crate) timezone: Option<TimeZone>,
}

impl AboutMe {
    /// The names of what is said.
    fn said(&self) -> Vec<&'static str> {
        let parts = [
            ("name", self.name.is_some()),
            ("locale", self.locale.is_some()),
            ("timezone", self.timezone.is_some()),
        ];
        parts
            .iter()
            .filter(|(_, said)| *said)
            .map(|(name, _)| *name)
            .collect()
    }
}

/// A language tag such as `de`, `pt-BR` or `zh-Hant-TW`; empty for none. The part of RFC 5646 that is in use: a language, a script,
/// a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Locale(String);

/// The name of a time zone such as `Europe/Berlin`; empty for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeZone(String);

/// What was said is no such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotSaid {
    /// Not a language tag.
    #[error("not a language tag such as `de` or `pt-BR`")]
    Locale,
    /// Not a time zone.
    #[error("not a time zone such as `Europe/Berlin`")]
    TimeZone,
}

impl Failure for NotSaid {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Locale => "INVALID_LOCALE",
            Self::TimeZone => "INVALID_TIMEZONE",
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        let pointer = match self {
            Self::Locale => "/locale",
            Self::TimeZone => "/timezone",
        };
        vec![FieldError::new(pointer, self.code(), self.to_string())]
    }
}

impl FromStr for Locale {
    type Err = NotSaid;

    fn from_str(text: &str) -> Result<Self, NotSaid> {
        let letters = |part: &str, from: usize, to: usize| {
            (from..=to).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic())
        };
        let region = |part: &str| {
            letters(part, 2, 2) || (part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let parts: Vec<&str> = text.split('-').collect();
        let accepted = match parts[..] {
            [""] => true,
            [language] => letters(language, 2, 3),
            [language, other] => letters(language, 2, 3) && (letters(other, 4, 4) || region(other)),
            [language, script, place] => letters(language, 2, 3) && letters(script, 4, 4) && region(place),
            _ => false,
        };
        accepted.then(|| Self(text.to_owned())).ok_or(NotSaid::Locale)
    }
}

impl FromStr for TimeZone {
    type Err = NotSaid;

    fn from_str(text: &str) -> Result<Self, NotSaid> {
        let accepted = text.is_empty() || text.parse::<chrono_tz::Tz>().is_ok();
        accepted.then(|| Self(text.to_owned())).ok_or(NotSaid::TimeZone)
    }
}

/// Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateMeError {
    /// Changed meanwhile.
    #[error("it was changed meanwhile; read it again")]
    Version,
    /// The caller has no access here any more, or the database failed.
    #[error(transparent)]
    Me(#[from] MeError),
}

impl From<DatabaseError> for UpdateMeError {
    fn from(error: DatabaseError) -> Self {
        Self::Me(error.into())
    }
}

impl Failure for UpdateMeError {
    fn kind(&self) -> Kind {
        match self {
            Self::Version => Kind::PreconditionFailed,
            Self::Me(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Version => "VERSION_MISMATCH",
            Self::Me(error) => error.code(),
        }
    }
}

impl Identity {
    /// Changes what the caller says of themselves, here.
    pub(crate) async fn update_me(
        &self,
        caller: &Caller,
        about: AboutMe,
        version: IfMatch,
    ) -> Result<Me, UpdateMeError> {
        let statements = Statements::of(caller.scope());
        let said = about.said();
        let tx = ScopedTx::begin(self.database(), caller.scope());
        let change = (
            caller.subject,
            about.name.map(PersonName::into_text),
            about.locale.map(|locale| locale.0),
            about.timezone.map(|zone| zone.0),
            version.0.map(|version| version.get()),
            self.clock().now(),
        );
        let changed = tx.optional(statements.change_person, change).await?;
        let person = tx.optional(statements.person, (caller.subject,)).await?;
        let person = person.ok_or(MeError::Ended)?;
        if changed.is_none() {
            return Err(UpdateMeError::Version);
        }
        audit::me_updated(&tx, self.clock(), caller.subject, &said).await?;
        tx.commit().await?;
        Ok(Me::of(person, caller))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_scripts_and_regions_are_language_tags() {
        for text in ["", "de", "pt-BR", "zh-Hant-TW", "zh-Hant", "es-419", "gsw"] {
            assert!(text.parse::<Locale>().is_ok(), "{text}");
        }
        for text in [
            "d",
            "deutsch",
            "de_DE",
            "de-",
            "-DE",
            "de-D",
            "de-DE-x",
            "de-DE-1996",
            "dé",
            "de DE",
            "../de",
        ] {
            assert_eq!(text.parse::<Locale>(), Err(NotSaid::Locale), "{text}");
        }
    }

    #[test]
    fn time_zones_are_those_of_the_database() {
        for text in ["", "UTC", "Europe/Berlin", "Asia/Kathmandu"] {
            assert!(text.parse::<TimeZone>().is_ok(), "{text}");
        }
        for text in ["Berlin", "+01:00", "Europe/Berlin ", "../etc/passwd"] {
            assert_eq!(text.parse::<TimeZone>(), Err(NotSaid::TimeZone), "{text}");
        }
    }
}

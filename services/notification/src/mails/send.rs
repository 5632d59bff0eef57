//! Asking for a mail.

use plaza_contracts::email::Email;
use plaza_database::{DatabaseError, Transaction};
use plaza_kernel::{Failure, FieldError, Kind, Scope};
use plaza_vault::VaultError;

use super::templates::{Locale, Missing, Template, Values};
use super::{BODIES, Body, MailId, store, worker};
use crate::Notification;

/// The longest value, in characters: a link with a token in it is far shorter.
const VALUE: usize = 2_000;

/// A mail that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewMail {
    pub(crate) id: MailId,
    /// The tenant that it is from, or the platform.
    pub(crate) scope: Scope,
    pub(crate) recipient: Email,
    pub(crate) template: Template,
    pub(crate) locale: Locale,
    pub(crate) values: Values,
    /// Who it says that it is from; the platform's own name when empty.
    pub(crate) from_name: String,
}

/// A mail that may be queued.
pub(crate) struct Queued {
    pub(crate) id: MailId,
    pub(crate) scope: Scope,
    pub(crate) recipient: String,
    pub(crate) template: &'static str,
    pub(crate) locale: &'static str,
    pub(crate) from_name: String,
    pub(crate) subject: String,
    pub(crate) sealed: String,
    /// `queued`, or `kept` where there is no server.
    pub(crate) state: &'static str,
}

/// Why a mail was not queued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendMailError {
    #[error("the template needs `{0}`")]
    Missing(&'static str),
    /// This value, or the name of the sender.
    #[error("`{0}` is not acceptable")]
    Unacceptable(String),
    #[error("the mail cannot be written down")]
    Unwritable(#[from] serde_json::Error),
    #[error("the mail was not sealed")]
    Vault(#[from] VaultError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl From<Missing> for SendMailError {
    fn from(Missing(name): Missing) -> Self {
        Self::Missing(name)
    }
}

impl Failure for SendMailError {
    fn kind(&self) -> Kind {
        match self {
            Self::Missing(_) | Self::Unacceptable(_) => Kind::Invalid,
            Self::Unwritable(_) => Kind::Internal,
            Self::Vault(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) | Self::Unacceptable(_) => "INVALID_REQUEST",
            Self::Unwritable(_) => "INTERNAL_ERROR",
            Self::Vault(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        let pointer = match self {
            Self::Missing(name) => format!("/values/{name}"),
            Self::Unacceptable(name) => format!("/{name}"),
            _ => return Vec::new(),
        };
        vec![FieldError::new(pointer, "INVALID_VALUE", self.to_string())]
    }
}

impl Notification {
    /// Writes a mail, seals what it says, and queues it. One whose id is known already stays as it is; says whether it is
    /// new.
    pub(crate) async fn send_mail(&self, new: NewMail) -> Result<bool, SendMailError> {
        check(&new)?;
        let (database, now) = (&self.inner.database, self.inner.clock.now());
        let added = match new.scope {
            Scope::Tenant(tenant) => {
                let tx = database.begin(tenant);
                let mail = self.written(&tx, new).await?;
                let added = store::add(&tx, mail, now).await?;
                tx.signal_on_commit(worker::DUE);
                tx.commit().await?;
                added
            }
            Scope::Platform => {
                let tx = database.begin_platform();
                let mail = self.written(&tx, new).await?;
                let added = store::add(&tx, mail, now).await?;
                tx.signal_on_commit(worker::DUE);
                tx.commit().await?;
                added
            }
        };
        Ok(added)
    }

    async fn written(&self, tx: &Transaction, new: NewMail) -> Result<Queued, SendMailError> {
        let rendered = new.template.render(new.locale, &new.values)?;
        let body = serde_json::to_vec(&Body {
            text: rendered.text,
            html: rendered.html,
        })?;
        let sealed = self
            .inner
            .vault
            .seal(tx, &BODIES, &new.id.to_string(), &body)
            .await?;
        Ok(Queued {
            id: new.id,
            scope: new.scope,
            recipient: new.recipient.as_written().to_owned(),
            template: new.template.as_str(),
            locale: new.locale.as_str(),
            from_name: new.from_name,
            subject: rendered.subject,
            sealed,
            state: match self.inner.mailer {
                Some(_) => "queued",
                None => "kept",
            },
        })
    }
}

/// Values become part of headers and of pages: they are one line, and links are links.
fn check(new: &NewMail) -> Result<(), SendMailError> {
    let one_line = |text: &str, most: usize| text.chars().count() <= most && !text.contains(char::is_control);
    if !one_line(&new.from_name, 100) {
        return Err(SendMailError::Unacceptable("from_name".to_owned()));
    }
    let wrong = new.values.iter().find(|(name, value)| {
        !one_line(value, VALUE) || value.is_empty() || (*name == "link" && !is_link(value))
    });
    match wrong {
        Some((name, _)) => Err(SendMailError::Unacceptable(format!("values/{name}"))),
        None => Ok(()),
    }
}

/// Whether a text is an address of the web, written with the characters that may stand in one (RFC 3986 §2).
fn is_link(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let in_link = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(in_link))
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;

    use super::*;

    fn mail(values: &[(&str, &str)], from_name: &str) -> NewMail {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        NewMail {
            id: MailId::generate(&Clock::system()),
            scope: Scope::Platform,
            recipient: "ada@example.org".parse().unwrap(),
            template: Template::Reset,
            locale: Locale::English,
            values: values.collect(),
            from_name: from_name.to_owned(),
        }
    }

    #[test]
    fn a_value_is_one_line_and_a_link_leads_to_the_web() {
        let good = "https://plaza.example/reset?x=[1]#token=a_b-c%20";
        check(&mail(&[("link", good), ("minutes", "30")], "Plaza")).unwrap();
        for (name, value) in [
            ("link", "javascript:alert(1)"),
            ("link", "https://"),
            ("link", "https:///x"),
            ("link", "https://a b"),
            ("link", "https://a\"onclick=b"),
            ("link", "https://exämple.org"),
            ("link", "ftp://plaza.example"),
            ("link", "//plaza.example"),
            ("minutes", "30\r\nBcc: everybody@example.org"),
            ("minutes", "30\n"),
            ("minutes", "\u{0}"),
            ("minutes", ""),
            ("minutes", &"x".repeat(2_001)),
        ] {
            let refused = check(&mail(&[(name, value)], "Plaza"));
            assert!(
                matches!(&refused, Err(SendMailError::Unacceptable(field)) if field == &format!("values/{name}")),
                "{name} {value:?}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_senders_name_is_no_header() {
        for name in ["a\r\nBcc: b@c", "a\tb", &"x".repeat(101)] {
            let refused = check(&mail(&[], name));
            assert!(matches!(refused, Err(SendMailError::Unacceptable(field)) if field == "from_name"));
        }
    }
}

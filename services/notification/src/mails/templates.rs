//! What mails say: built in, in English and German, as plain text and as HTML from the same lines. No I/O here.
//!
//! | template | needs | may have |
//! |---|---|---|
//! | `verify` | `link` | `code`, `tenant`, `hours` |
//! | `reset` | `link` | `minutes` |
//! | `password_changed` | | `link`, `at` |
//! | `invitation` | `link`, `tenant` | `inviter`, `hours` |
//! | `owner_link` | `link`, `tenant` | `hours` |
//!
//! A line that needs a value which is not there is left out. Other values are ignored.

mod texts;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;

/// A mail that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Template {
    /// Confirm that an address is yours.
    Verify,
    /// Set a new password.
    Reset,
    /// Your password was changed.
    PasswordChanged,
    /// Become a member of a tenant.
    Invitation,
    /// Become the owner of a tenant.
    OwnerLink,
}

/// A language that mails are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locale {
    English,
    German,
}

/// One line of a mail; `{name}` stands for a value.
pub(super) enum Line {
    /// Words.
    Text(&'static str),
    /// The link, with what is written on it.
    Link(&'static str),
    /// The code, by itself.
    Code,
}

/// The words of a template in a language.
pub(super) struct Words {
    pub(super) subject: &'static str,
    pub(super) lines: &'static [Line],
}

/// What goes into a template, by name.
pub(crate) type Values = BTreeMap<String, String>;

/// A mail's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Not the name of a [`Template`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such template")]
pub(crate) struct UnknownTemplate;

/// This value is needed, and is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the template needs `{0}`")]
pub(crate) struct Missing(pub(crate) &'static str);

impl Template {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Verify,
        Self::Reset,
        Self::PasswordChanged,
        Self::Invitation,
        Self::OwnerLink,
    ];

    /// The name in calls.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::PasswordChanged => "password_changed",
            Self::Invitation => "invitation",
            Self::OwnerLink => "owner_link",
        }
    }

    /// The values without which it makes no sense.
    const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Verify | Self::Reset => &["link"],
            Self::PasswordChanged => &[],
            Self::Invitation | Self::OwnerLink => &["link", "tenant"],
        }
    }

    /// Puts the values in.
    ///
    /// # Errors
    /// When one that is needed is missing.
    pub(crate) fn render(self, locale: Locale, values: &Values) -> Result<Rendered, Missing> {
        if let Some(missing) = self.needs().iter().find(|name| !values.contains_key(**name)) {
            return Err(Missing(missing));
        }
        let words = texts::of(self, locale);
        // A subject names needed values only.
        let subject = filled(words.subject, values).unwrap_or_default();
        let mut rendered = Rendered {
            html: head(locale, &subject),
            text: String::new(),
            subject,
        };
        for line in words.lines {
            rendered.add(line, values);
        }
        rendered.html.push_str("</body></html>\n");
        Ok(rendered)
    }
}

impl FromStr for Template {
    type Err = UnknownTemplate;

    fn from_str(text: &str) -> Result<Self, UnknownTemplate> {
        Self::ALL
            .into_iter()
            .find(|template| template.as_str() == text)
            .ok_or(UnknownTemplate)
    }
}

impl Locale {
    /// The language of a tag such as `de-AT`; English where it is none that mails are written in.
    pub(crate) fn of(tag: &str) -> Self {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("de") {
            Self::German
        } else {
            Self::English
        }
    }

    /// Its tag.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }
}

impl Rendered {
    /// Adds a line in both forms, unless it lacks a value.
    fn add(&mut self, line: &Line, values: &Values) {
        let added = match line {
            Line::Text(words) => filled(words, values).map(|words| {
                let html = format!("<p>{}</p>\n", escaped(&words));
                (words, html)
            }),
            Line::Link(words) => values.get("link").map(|link| {
                let (words, target) = (escaped(words), escaped(link));
                let html = format!(
                    "<p><a href=\"{target}\">{words}</a></p>\n<p style=\"color:#666\">{target}</p>\n"
                );
                (link.clone(), html)
            }),
            Line::Code => values.get("code").map(|code| {
                let style = "font-family:monospace;font-size:150%;letter-spacing:.1em";
                let html = format!("<p style=\"{style}\">{}</p>\n", escaped(code));
                (code.clone(), html)
            }),
        };
        if let Some((text, html)) = added {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "{text}\r\n\r\n");
            self.html.push_str(&html);
        }
    }
}

fn head(locale: Locale, subject: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"font-family:sans-serif;max-width:36em\">\n",
        locale.as_str(),
        escaped(subject)
    )
}

/// The words with their values; none where one is missing. What a value says is never looked at again.
fn filled(words: &str, values: &Values) -> Option<String> {
    let (mut out, mut rest) = (String::with_capacity(words.len()), words);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        out.push_str(before);
        out.push_str(values.get(name)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// Text as HTML shows it, inside and outside of a quoted attribute.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(of: &[(&str, &str)]) -> Values {
        of.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn all() -> Values {
        values(&[
            ("link", "https://plaza.example/x?token=abc&n=1"),
            ("code", "BCDFGHJK"),
            ("tenant", "Rosa & Söhne <GmbH>"),
            ("inviter", "Zoë"),
            ("hours", "72"),
            ("minutes", "30"),
            ("at", "2026-11-21 09:00 UTC"),
        ])
    }

    #[test]
    fn every_template_is_written_in_every_language_with_every_value_it_may_have() {
        for template in Template::ALL {
            for locale in [Locale::English, Locale::German] {
                let rendered = template.render(locale, &all()).unwrap();
                for part in [&rendered.subject, &rendered.text, &rendered.html] {
                    assert!(
                        !part.is_empty() && !part.contains(['{', '}']),
                        "{template:?} {locale:?}: {part}"
                    );
                }
                let lines = texts::of(template, locale).lines.len();
                assert_eq!(
                    rendered.text.matches("\r\n\r\n").count(),
                    lines,
                    "{template:?} {locale:?}: no line is left out"
                );
                assert!(!rendered.subject.contains(['\r', '\n']));
            }
        }
    }

    #[test]
    fn what_a_value_says_is_text_and_nothing_else() {
        let html = Template::Invitation.render(Locale::English, &all()).unwrap().html;
        assert!(html.contains("Rosa &amp; Söhne &lt;GmbH&gt;"), "{html}");
        assert!(html.contains("href=\"https://plaza.example/x?token=abc&amp;n=1\""));
        let mut sly = all();
        sly.insert("tenant".to_owned(), "{link} \"><script>".to_owned());
        let rendered = Template::Invitation.render(Locale::English, &sly).unwrap();
        assert!(rendered.text.contains("{link} \"><script>"), "{}", rendered.text);
        assert!(!rendered.html.contains("<script>"));
    }

    #[test]
    fn what_is_needed_has_to_be_there_and_what_may_be_there_may_be_missing() {
        for template in Template::ALL {
            for name in template.needs() {
                let mut some = all();
                some.remove(*name);
                assert_eq!(template.render(Locale::English, &some), Err(Missing(name)));
            }
        }
        let bare = values(&[("link", "https://plaza.example/x")]);
        let text = Template::Verify.render(Locale::English, &bare).unwrap().text;
        assert!(!text.contains("code"), "{text}");
        assert!(text.contains("https://plaza.example/x"));
    }

    #[test]
    fn a_language_is_found_by_its_tag() {
        for (tag, locale) in [
            ("de", Locale::German),
            ("de-AT", Locale::German),
            ("DE_de", Locale::German),
            ("den", Locale::English),
            ("en-GB", Locale::English),
            ("", Locale::English),
            ("fr", Locale::English),
        ] {
            assert_eq!(Locale::of(tag), locale, "{tag}");
        }
    }

    #[test]
    fn names_round_trip() {
        for template in Template::ALL {
            assert_eq!(template.as_str().parse(), Ok(template));
        }
        assert_eq!("newsletter".parse::<Template>(), Err(UnknownTemplate));
    }
}

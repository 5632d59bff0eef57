//! The words.

use super::Line::{Code, Link, Text};
use super::{Line, Locale, Template, Words};

/// The words of a template in a language.
pub(super) fn of(template: Template, locale: Locale) -> Words {
    match locale {
        Locale::English => english(template),
        Locale::German => german(template),
    }
}

fn english(template: Template) -> Words {
    let (subject, lines): (&'static str, &'static [Line]) = match template {
        Template::Verify => (
            "Confirm your e-mail address",
            &[
                Text("This address was given for an account."),
                Text("The account is one of {tenant}."),
                Text("Confirm that the address is yours:"),
                Link("Confirm the address"),
                Text("Or enter the code {code} where you are asked for it:"),
                Code,
                Text("Link and code are good for {hours} hours."),
                Text("If this was not you, nothing has to be done."),
            ],
        ),
        Template::Reset => (
            "Set a new password",
            &[
                Text("A new password was asked for, for the account with this address. Set it here:"),
                Link("Set a new password"),
                Text("The link is good for {minutes} minutes, and once."),
                Text("If this was not you, nothing has to be done: the password stays as it is."),
            ],
        ),
        Template::PasswordChanged => (
            "Your password was changed",
            &[
                Text(
                    "The password of the account with this address was changed, and all devices were logged out.",
                ),
                Text("That was at {at}."),
                Text("If this was not you, set a new password at once."),
                Link("Set a new password"),
            ],
        ),
        Template::Invitation => (
            "You are invited to {tenant}",
            &[
                Text("You are invited to become a member of {tenant}."),
                Text("The invitation is from {inviter}."),
                Link("Accept the invitation"),
                Text("The link is good for {hours} hours, and once."),
                Text("If you do not know what this is about, nothing has to be done."),
            ],
        ),
        Template::OwnerLink => (
            "{tenant} is ready",
            &[
                Text("{tenant} was set up, and you are its owner. Choose a password:"),
                Link("Choose a password"),
                Text("The link is good for {hours} hours, and once."),
                Text("If you do not know what this is about, nothing has to be done."),
            ],
        ),
    };
    Words { subject, lines }
}

fn german(template: Template) -> Words {
    let (subject, lines): (&'static str, &'static [Line]) = match template {
        Template::Verify => (
            "Bestätigen Sie Ihre E-Mail-Adresse",
            &[
                Text("Diese Adresse wurde für ein Konto angegeben."),
                Text("Das Konto gehört zu {tenant}."),
                Text("Bestätigen Sie, dass die Adresse Ihre ist:"),
                Link("Adresse bestätigen"),
                Text("Oder geben Sie den Code {code} ein, wo danach gefragt wird:"),
                Code,
                Text("Link und Code gelten {hours} Stunden."),
                Text("Wenn Sie das nicht waren, müssen Sie nichts tun."),
            ],
        ),
        Template::Reset => (
            "Neues Passwort setzen",
            &[
                Text(
                    "Für das Konto mit dieser Adresse wurde ein neues Passwort angefordert. Setzen Sie es hier:",
                ),
                Link("Neues Passwort setzen"),
                Text("Der Link gilt {minutes} Minuten und nur einmal."),
                Text("Wenn Sie das nicht waren, müssen Sie nichts tun: Das Passwort bleibt, wie es ist."),
            ],
        ),
        Template::PasswordChanged => (
            "Ihr Passwort wurde geändert",
            &[
                Text(
                    "Das Passwort des Kontos mit dieser Adresse wurde geändert, und alle Geräte wurden abgemeldet.",
                ),
                Text("Das war am {at}."),
                Text("Wenn Sie das nicht waren, setzen Sie sofort ein neues Passwort."),
                Link("Neues Passwort setzen"),
            ],
        ),
        Template::Invitation => (
            "Einladung zu {tenant}",
            &[
                Text("Sie sind eingeladen, Mitglied von {tenant} zu werden."),
                Text("Die Einladung ist von {inviter}."),
                Link("Einladung annehmen"),
                Text("Der Link gilt {hours} Stunden und nur einmal."),
                Text("Wenn Sie nicht wissen, worum es geht, müssen Sie nichts tun."),
            ],
        ),
        Template::OwnerLink => (
            "{tenant} ist eingerichtet",
            &[
                Text(
                    "{tenant} wurde eingerichtet, und Sie sind die Inhaberin oder der Inhaber. Wählen Sie ein Passwort:",
                ),
                Link("Passwort wählen"),
                Text("Der Link gilt {hours} Stunden und nur einmal."),
                Text("Wenn Sie nicht wissen, worum es geht, müssen Sie nichts tun."),
            ],
        ),
    };
    Words { subject, lines }
}

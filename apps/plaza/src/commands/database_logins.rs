//! `plaza database-logins`: the two logins of each service, for installations whose processes do not share the role key.

use anyhow::Context;
use plaza_contracts::services::ALL;
use plaza_database::derived_logins;
use secrecy::ExposeSecret;

use crate::config::Config;
use crate::local::{Local, Purpose};

/// Prints a line for each login, `NAME=VALUE`, as `.env` has it: each for the processes that host the service.
///
/// # Errors
/// When settings are missing, or the address of the database has no place for a login.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    let database = Local::configured(config, Purpose::Roles)?.database;
    for service in ALL {
        let upper = service.as_str().to_ascii_uppercase();
        let [own, system] = derived_logins(&database.role_key, service);
        for (kind, (role, password)) in [("", own), ("SYSTEM_", system)] {
            let url = logged_in(database.url.expose_secret(), &role, password.expose_secret())?;
            println!("PLAZA_{upper}_{kind}DATABASE_URL={url}");
        }
    }
    Ok(())
}

/// The same address as somebody else. Roles and derived passwords need no percent signs.
fn logged_in(url: &str, role: &str, password: &str) -> anyhow::Result<String> {
    let form = "database.url (DATABASE_URL) is not postgresql://[login@]host/database";
    let (scheme, rest) = url.split_once("://").context(form)?;
    // As far as the first `@`: a password that nobody encoded may hold a slash.
    let (_, place) = rest.split_once('@').unwrap_or(("", rest));
    let query = place.split_once('?').map_or("", |(_, query)| query);
    let names = query.split('&').filter_map(|pair| pair.split('=').next());
    let mut logins = names.filter(|name| ["user", "password"].contains(name));
    anyhow::ensure!(logins.next().is_none(), "{form}: its login stands behind the `?`");
    Ok(format!("{scheme}://{role}:{password}@{place}"))
}

#[cfg(test)]
mod tests {
    use super::logged_in;

    #[test]
    fn another_login_goes_to_the_same_place() {
        let place = "10.0.0.1:5432,10.0.0.2/plaza?sslmode=require";
        for login in ["", "me@", "me:secret@", "me:a/b?c@"] {
            let url = logged_in(&format!("postgresql://{login}{place}"), "plaza_access", "ab12").unwrap();
            assert_eq!(url, format!("postgresql://plaza_access:ab12@{place}"));
        }
        for other in [
            "host=/run/postgresql dbname=plaza",
            "postgresql:///plaza?user=me&host=/run",
            "postgresql://host/plaza?password=x",
        ] {
            assert!(logged_in(other, "plaza_access", "ab12").is_err(), "{other}");
        }
    }
}

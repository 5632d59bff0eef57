//! `plaza audit`: checks the chains of all services, and notes where they end.

use std::path::Path;

use anyhow::Context;
use plaza_audit::{Anchor, Verified, anchored_at, holders};
use plaza_contracts::services::ALL;
use plaza_database::{Database, Databases};
use plaza_kernel::{Clock, Scope, ServiceName, TenantId};

use crate::config::{Config, Environment};
use crate::local::{Attached, Purpose};

/// Computes every chain again. Prints a line for each that is not whole, tab separated, and the sums.
///
/// # Errors
/// When the databases are away, or something is wrong with a chain.
pub(crate) async fn verify(
    config: Config,
    environment: &Environment,
    tenant: Option<TenantId>,
    anchors: Option<&Path>,
) -> anyhow::Result<()> {
    let anchors = anchors.map(read).transpose()?.unwrap_or_default();
    let audits = Audits::find(config, environment).await?;
    let wrong = audits.verify(tenant, &anchors).await;
    audits.release().await?;
    match wrong? {
        0 => Ok(()),
        wrong => anyhow::bail!("{wrong} of the audit's chains are not as they were written"),
    }
}

/// Prints where all chains end: service, time, chains, digest, tab separated.
///
/// # Errors
/// When the databases are away.
pub(crate) async fn anchor(config: Config, environment: &Environment) -> anyhow::Result<()> {
    let audits = Audits::find(config, environment).await?;
    let printed = audits.anchor().await;
    audits.release().await?;
    printed
}

/// The databases of all services.
struct Audits {
    attached: Attached,
    databases: Vec<Database>,
}

impl Audits {
    async fn find(mut config: Config, environment: &Environment) -> anyhow::Result<Self> {
        let attached = Attached::find(&mut config, environment, Purpose::Look(&ALL)).await?;
        let databases = Databases::new(attached.local.database.clone())?;
        let each = ALL.map(|service| {
            let login = config.logins.get(&service).cloned().unwrap_or_default();
            databases.of(service, login)
        });
        Ok(Self {
            databases: each.into_iter().collect::<Result<_, _>>()?,
            attached,
        })
    }

    async fn release(self) -> anyhow::Result<()> {
        drop(self.databases);
        self.attached.release().await
    }

    async fn verify(&self, tenant: Option<TenantId>, anchors: &[Noted]) -> anyhow::Result<usize> {
        let (mut wrong, mut chains, mut entries, mut unchained) = (0, 0, 0, 0);
        for database in &self.databases {
            let service = database.service();
            let scopes = match tenant {
                Some(tenant) => vec![Scope::from(tenant)],
                None => holders(database)
                    .await
                    .with_context(|| format!("the audit of {service}"))?,
            };
            for scope in scopes {
                let verified = plaza_audit::verify(database, &Clock::system(), scope).await?;
                chains += 1;
                entries += verified.entries;
                unchained += verified.unchained;
                if !verified.is_whole() {
                    wrong += 1;
                    println!("{}", told(service, scope, &verified));
                }
            }
            for noted in anchors.iter().filter(|noted| noted.service == service) {
                if anchored_at(database, noted.anchor.at).await? != noted.anchor {
                    wrong += 1;
                    println!("{service}\t*\tanchor\t{}", noted.anchor.at.to_rfc3339());
                }
            }
        }
        println!("{entries} entries in {chains} chains, {unchained} not chained yet, {wrong} wrong");
        Ok(wrong)
    }

    async fn anchor(&self) -> anyhow::Result<()> {
        for database in &self.databases {
            let Anchor { at, chains, digest } = plaza_audit::anchor(database).await?;
            let (service, at) = (database.service(), at.to_rfc3339());
            println!("{service}\t{at}\t{chains}\t{}", hex::encode(digest));
        }
        Ok(())
    }
}

/// One line about a chain that is not whole.
fn told(service: ServiceName, scope: Scope, verified: &Verified) -> String {
    let whose = scope
        .tenant()
        .map_or_else(|| "platform".to_owned(), |tenant| tenant.to_string());
    match verified.broken {
        Some(broken) => format!(
            "{service}\t{whose}\t{}\tplace {}, entry {}",
            broken.fault.as_str(),
            broken.seq,
            broken.entry
        ),
        None => format!(
            "{service}\t{whose}\tadded\t{} entries have no place",
            verified.late
        ),
    }
}

/// What was noted of a service.
struct Noted {
    service: ServiceName,
    anchor: Anchor,
}

/// Reads what [`anchor`] printed.
fn read(file: &Path) -> anyhow::Result<Vec<Noted>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let noted = lines.map(|line| noted(line).with_context(|| format!("`{line}` is no anchor")));
    noted.collect()
}

fn noted(line: &str) -> Option<Noted> {
    let mut fields = line.split('\t');
    let name = fields.next()?;
    let service = ALL.into_iter().find(|service| service.as_str() == name)?;
    let at = chrono::DateTime::parse_from_rfc3339(fields.next()?)
        .ok()?
        .to_utc();
    let chains = fields.next()?.parse().ok()?;
    let digest = hex::decode(fields.next()?.trim()).ok()?.try_into().ok()?;
    let anchor = Anchor { at, chains, digest };
    Some(Noted { service, anchor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_read_as_it_was_printed_and_nothing_else_is() {
        let digest = "ab".repeat(32);
        let line = format!("access\t2026-11-21T09:00:00.123456+00:00\t3\t{digest}");
        let read = noted(&line).unwrap();
        assert_eq!((read.service.as_str(), read.anchor.chains), ("access", 3));
        assert_eq!(read.anchor.at.timestamp_subsec_micros(), 123_456);
        assert_eq!(read.anchor.digest, [0xab; 32]);
        for other in [
            "",
            "access",
            "nobody\t2026-11-21T09:00:00Z\t3\tab",
            &line[..line.len() - 2],
        ] {
            assert!(noted(other).is_none(), "{other}");
        }
    }
}

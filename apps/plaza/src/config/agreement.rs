//! Settings that stand in two sections and have to say the same.

use toml::Table;

use super::Config;

/// What was given of them: a default does not contradict anybody.
pub(super) struct Given {
    gateway_issuer: bool,
}

impl Given {
    /// What these sections give.
    pub(super) fn of(table: &Table) -> Self {
        let gateway = table.get("gateway").and_then(|section| section.as_table());
        Self {
            gateway_issuer: gateway.is_some_and(|section| section.contains_key("issuer")),
        }
    }
}

/// Makes them one; where two different values were given, nobody knows which is meant.
pub(super) fn agree(config: &mut Config, given: &Given, problems: &mut Vec<String>) {
    let (makes, accepts) = (&config.identity.issuer, &config.gateway.issuer);
    if given.gateway_issuer && makes != accepts {
        problems.push(format!(
            "`gateway.issuer` is `{accepts}` and `identity.issuer` is `{makes}`: no access token would be accepted; \
             `identity.issuer` is enough"
        ));
    }
    config.gateway.issuer.clone_from(&config.identity.issuer);

    let everybodys = config.server.public_url.as_deref().unwrap_or_default();
    let identitys = config.identity.public_url.as_str();
    if !identitys.is_empty() && identitys.trim_end_matches('/') != everybodys.trim_end_matches('/') {
        problems.push(format!(
            "`identity.public_url` is `{identitys}` and `server.public_url` is {}: links would lead to two places; \
             `server.public_url` is the one for all of them",
            match everybodys {
                "" => "not given".to_owned(),
                given => format!("`{given}`"),
            }
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigError, Environment, Flags};
    use super::*;

    fn load(values: &[(&'static str, &str)]) -> Result<Config, ConfigError> {
        let mut flags = Flags::default();
        for (key, value) in values {
            flags.push(key, Some(value));
        }
        Config::load(&flags, &Environment::of(std::iter::empty()))
    }

    #[test]
    fn the_gateway_accepts_what_identity_issues() {
        let config = load(&[("identity.issuer", "acme")]).unwrap();
        assert_eq!(config.gateway.issuer, "acme");
        load(&[("identity.issuer", "acme"), ("gateway.issuer", "acme")]).unwrap();
    }

    #[test]
    fn two_issuers_are_refused() {
        for values in [
            &[("gateway.issuer", "acme")][..],
            &[("gateway.issuer", "acme"), ("identity.issuer", "other")],
            &[("gateway.issuer", "plaza"), ("identity.issuer", "other")],
        ] {
            let told = load(values).unwrap_err().to_string();
            assert!(
                told.contains("`gateway.issuer`") && told.contains("`identity.issuer`"),
                "{told}"
            );
        }
    }

    #[test]
    fn links_lead_to_one_place() {
        let (identity, server) = ("identity.public_url", "server.public_url");
        load(&[(identity, "https://a.example"), (server, "https://a.example/")]).unwrap();
        load(&[(identity, ""), (server, "https://a.example")]).unwrap();
        for values in [
            &[(identity, "https://a.example")][..],
            &[(identity, "https://a.example"), (server, "https://b.example")],
        ] {
            let told = load(values).unwrap_err().to_string();
            assert!(told.contains("`server.public_url` is the one"), "{told}");
        }
    }
}

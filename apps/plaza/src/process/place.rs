//! What follows from where a process runs: the origin of links, the simulator's address, absolute folders.

use std::path::Path;

use plaza_contracts::services::{IDENTITY, TENANCY};

use crate::addresses::Addresses;
use crate::config::{Config, ConfigError, ServerSection};
use crate::hosting::{Duty, Hosting};

/// Refuses a server that makes links and was not told where people reach it: it listens everywhere, and no link can lead
/// to `0.0.0.0`; or the front door is in another process.
///
/// # Errors
/// Names the setting that is missing.
pub(super) fn check_origin(
    server: &ServerSection,
    duty: &Duty,
    hosting: &Hosting,
) -> Result<(), ConfigError> {
    let makes_links = [IDENTITY, TENANCY]
        .iter()
        .any(|service| hosting.serves.contains(service));
    if *duty == Duty::Up || !makes_links || server.public_url.is_some() {
        return Ok(());
    }
    let everywhere = server.listen.ip().to_canonical().is_unspecified();
    let why = match (hosting.gateway, everywhere) {
        (true, false) => return Ok(()),
        (true, true) => format!(
            "none can lead to {}, which is where server.listen has the public listener",
            server.listen
        ),
        (false, _) => "the public listener is in another process".to_owned(),
    };
    Err(ConfigError::Missing(vec![format!(
        "server.public_url (PLAZA_SERVER__PUBLIC_URL): links are made of it, and {why}"
    )]))
}

/// The origin that links are made of.
pub(super) fn public_url(server: &ServerSection, addresses: Addresses) -> String {
    let given = server
        .public_url
        .as_deref()
        .map(|url| url.trim_end_matches('/').to_owned());
    given.unwrap_or_else(|| format!("http://{}", addresses.public.unwrap_or(server.listen)))
}

/// Fills in what nobody configured: for the folder, and on a laptop for the simulator.
pub(super) fn adapt(config: &mut Config, duty: &Duty, folder: &Path, addresses: Addresses) {
    if config.broadcast.objects.is_relative() {
        config.broadcast.objects = folder.join("objects");
    }
    if *duty != Duty::Up {
        return;
    }
    // Nobody could read them otherwise.
    config.notification.mail.inbox |= config.notification.mail.url.is_none();
    if !config.development.simulator {
        return;
    }
    let local = addresses.simulator.map(|address| format!("http://{address}"));
    if let Some(url) = config.development.simulator_url.clone().or(local) {
        config.notification.twilio.base_url.clone_from(&url);
        config.notification.whatsapp.base_url = url;
        // No stranger: it goes on with our traces.
        config.notification.whatsapp.send_trace_context = true;
        config.notification.development_sender = true;
    }
    if let Some(public) = addresses.public {
        config
            .simulator
            .callback_url
            .get_or_insert_with(|| format!("http://{public}/webhooks/meta"));
    }
    config
        .simulator
        .state_file
        .get_or_insert_with(|| folder.join("simulator.jsonl"));
}

#[cfg(test)]
mod tests {
    use plaza_contracts::services::ACCESS;

    use super::*;
    use crate::hosting::Part;

    fn check(server: &ServerSection, parts: &[Part]) -> Result<(), ConfigError> {
        let service = |part: &Part| match part {
            Part::Service(service) => Some(*service),
            Part::Gateway => None,
        };
        let hosting = Hosting {
            gateway: parts.contains(&Part::Gateway),
            serves: parts.iter().filter_map(service).collect(),
            works: Vec::new(),
            assembles: Vec::new(),
        };
        check_origin(server, &Duty::Serve(parts.to_vec()), &hosting)
    }

    fn listening_on(listen: &str) -> ServerSection {
        ServerSection {
            listen: listen.parse().unwrap(),
            ..ServerSection::default()
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_has_to_be_told_its_origin() {
        for everywhere in ["0.0.0.0:8080", "[::]:8080", "[::ffff:0.0.0.0]:8080"] {
            let mut server = listening_on(everywhere);
            let told = check(&server, &Part::all()).unwrap_err().to_string();
            assert!(
                told.contains("server.public_url") && told.contains(everywhere),
                "{told}"
            );
            server.public_url = Some("https://plaza.example".to_owned());
            check(&server, &Part::all()).unwrap();
        }
    }

    #[test]
    fn whoever_has_an_address_or_no_links_needs_no_origin() {
        check(&listening_on("192.0.2.7:8080"), &Part::all()).unwrap();
        check(&listening_on("0.0.0.0:8080"), &[Part::Service(ACCESS)]).unwrap();
    }

    #[test]
    fn who_makes_links_and_has_no_front_door_has_to_be_told_where_it_is() {
        let mut server = listening_on("127.0.0.1:8080");
        let told = check(&server, &[Part::Service(IDENTITY)])
            .unwrap_err()
            .to_string();
        assert!(told.contains("another process"), "{told}");
        server.public_url = Some("https://plaza.example".to_owned());
        check(&server, &[Part::Service(IDENTITY)]).unwrap();
    }
}

//! What follows from where a process runs: the origin of links, the simulator's address, absolute folders.

use std::path::Path;

use super::Duty;
use crate::addresses::Addresses;
use crate::config::{Config, ConfigError, ServerSection};

/// Refuses a server that listens everywhere and was not told where people reach it: no link can lead to `0.0.0.0`.
///
/// # Errors
/// Names the setting that is missing.
pub(super) fn check_origin(server: &ServerSection, duty: &Duty) -> Result<(), ConfigError> {
    let everywhere = server.listen.ip().to_canonical().is_unspecified();
    if *duty != Duty::Serve || !everywhere || server.public_url.is_some() {
        return Ok(());
    }
    Err(ConfigError::Missing(vec![format!(
        "server.public_url (PLAZA_SERVER__PUBLIC_URL): links are made of it, and none can lead to {}, which is where \
         server.listen has the public listener",
        server.listen
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
    if *duty != Duty::Up || !config.development.simulator {
        return;
    }
    let local = addresses.simulator.map(|address| format!("http://{address}"));
    if let Some(url) = config.development.simulator_url.clone().or(local) {
        config.notification.whatsapp.base_url = url;
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
    use super::*;

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
            let told = check_origin(&server, &Duty::Serve).unwrap_err().to_string();
            assert!(
                told.contains("server.public_url") && told.contains(everywhere),
                "{told}"
            );
            server.public_url = Some("https://plaza.example".to_owned());
            check_origin(&server, &Duty::Serve).unwrap();
        }
    }

    #[test]
    fn whoever_has_an_address_or_no_links_needs_no_origin() {
        check_origin(&listening_on("192.0.2.7:8080"), &Duty::Serve).unwrap();
        check_origin(&listening_on("0.0.0.0:8080"), &Duty::Work(Vec::new())).unwrap();
    }
}

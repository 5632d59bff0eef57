//! `plaza routes`: the table of contents of the whole platform.

use plaza_kernel::Clock;

use crate::assembly;
use crate::config::Config;

/// Prints method, path, access rule and service of every route.
///
/// # Errors
/// When a setting cannot be used.
pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    let apis = assembly::catalogue(config, &Clock::system())?;
    let mut routes: Vec<_> = apis.iter().flat_map(|api| &api.routes).collect();
    routes.sort_by_key(|route| (&route.path, &route.method));
    let path = routes
        .iter()
        .map(|route| route.path.len())
        .max()
        .unwrap_or_default();
    let access = routes
        .iter()
        .map(|route| route.access.text.len())
        .max()
        .unwrap_or_default();
    for route in routes {
        println!(
            "{:<7} {:<path$}  {:<access$}  {}",
            route.method, route.path, route.access.text, route.service
        );
    }
    Ok(())
}

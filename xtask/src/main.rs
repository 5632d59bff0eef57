//! Developer commands: `cargo xtask <command>`.

mod direction;
mod migration;
mod openapi;
mod packages;
mod proto;
mod snapshots;
mod test;
mod workspace;

const USAGE: &str = "usage: cargo xtask <command>

  test [ARGUMENTS]              run all tests; starts, or as root on Debian or Ubuntu installs, the servers they need
  proto                         generate the gRPC code of `contracts` from its .proto files
  openapi                       write docs/openapi.json
  snapshots                     find snapshots that wait for a review or belong to no test
  new-migration SERVICE NAME    make an empty migration with the time of now";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test", ref rest @ ..] => test::run(rest),
        ["proto"] => proto::generate(),
        ["openapi"] => openapi::write(),
        ["snapshots"] => snapshots::check(),
        ["new-migration", service, name] => migration::make(service, name),
        _ => anyhow::bail!(USAGE),
    }
}

//! Developer commands: `cargo xtask <command>`.

mod attacks;
mod contract;
mod direction;
mod expand;
mod fuzz;
mod migration;
mod openapi;
mod packages;
mod previous;
mod proto;
mod snapshots;
mod test;
mod workspace;

const USAGE: &str = "usage: cargo xtask <command>

  test [ARGUMENTS]              run all tests; starts, or as root on Debian or Ubuntu installs, the servers they need
  contract [EXAMPLES]           generate requests from the document of the API, so many for each operation (100)
  fuzz [TARGET] SECONDS         let a fuzzer look so long for input that a parser does not bear; without a name, each of them
  proto                         generate the gRPC code of `contracts` from its .proto files
  openapi                       write docs/openapi.json
  snapshots                     find snapshots that wait for a review or belong to no test
  previous [REVISION]           run Plaza as it was before, on the schema as it is now, alone and beside the program of now
  new-migration SERVICE NAME    make an empty migration with the time of now";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test", ref rest @ ..] => test::run(rest),
        ["contract"] => contract::run("100"),
        ["contract", examples] => contract::run(examples),
        ["fuzz", seconds] => fuzz::run(None, seconds),
        ["fuzz", target, seconds] => fuzz::run(Some(target), seconds),
        ["proto"] => proto::generate(),
        ["openapi"] => openapi::write(),
        ["snapshots"] => snapshots::check(),
        ["previous"] => previous::run(None),
        ["previous", revision] => previous::run(Some(revision)),
        ["new-migration", service, name] => migration::make(service, name),
        _ => anyhow::bail!(USAGE),
    }
}

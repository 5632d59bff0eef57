//! `cargo xtask proto`: the generated gRPC code, from `contracts/proto` into `contracts/src/gen`, without protoc.

use std::path::Path;

use anyhow::Context;
use prost_types::FileDescriptorSet;

use crate::workspace::root;

/// The messages that several services have: generated once.
const SHARED: (&str, &str) = ("plaza.audit.v1", "crate::proto::audit");

/// What the services look like, as `google.protobuf.FileDescriptorSet`.
const DESCRIPTORS: &str = "plaza.descriptor.bin";

/// Writes the generated code in place.
///
/// # Errors
/// When a .proto file does not compile or a file cannot be written.
pub(crate) fn generate() -> anyhow::Result<()> {
    generate_into(&root().join("contracts/src/gen"))
}

fn generate_into(folder: &Path) -> anyhow::Result<()> {
    let protos = root().join("contracts/proto");
    let files = ["identity", "tenancy", "access", "notification", "broadcast"]
        .map(|service| protos.join(format!("plaza/{service}/v1/{service}.proto")));
    let mut compiler = protox::Compiler::new([&protos])?;
    let described = compiler
        .include_imports(true)
        .open_files(files)
        .context("the .proto files do not compile")?;
    // For reflection: without comments, and with what is imported.
    std::fs::write(folder.join(DESCRIPTORS), described.encode_file_descriptor_set())
        .context("the description of the services cannot be written")?;
    let all = described.include_source_info(true).file_descriptor_set();
    let (shared, services): (Vec<_>, Vec<_>) =
        all.file.into_iter().partition(|file| file.package() == SHARED.0);
    let write = |file, shared_elsewhere: bool| {
        let builder = tonic_prost_build::configure()
            .out_dir(folder)
            .build_transport(false)
            .btree_map(".");
        let builder = match shared_elsewhere {
            true => builder.extern_path(format!(".{}", SHARED.0), SHARED.1),
            false => builder,
        };
        builder
            .compile_fds(FileDescriptorSet { file })
            .context("no code could be generated")
    };
    write(shared, false)?;
    write(services, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_code_is_what_the_proto_files_give() {
        let fresh = std::env::temp_dir().join(format!("plaza-proto-{}", std::process::id()));
        std::fs::create_dir_all(&fresh).unwrap();
        generate_into(&fresh).unwrap();
        for entry in std::fs::read_dir(&fresh).unwrap() {
            let path = entry.unwrap().path();
            let committed = root().join("contracts/src/gen").join(path.file_name().unwrap());
            // Not assert_eq!: what differs may be long, and is not always text.
            assert!(
                std::fs::read(&path).unwrap() == std::fs::read(&committed).unwrap_or_default(),
                "{} is out of date: run `cargo xtask proto`",
                committed.display(),
            );
        }
        std::fs::remove_dir_all(&fresh).unwrap();
    }
}

//! Regenerate: the Rust of the protocol files under `api/`. It is committed, so that building the
//! product needs neither a protocol compiler nor a build script.

use std::fs;
use std::path::Path;

use anyhow::Context;
use prost::Message as _;

/// From the repository's root: what is read, and where what is made of it stands.
const PROTOCOLS: [&str; 2] = ["swim.proto", "auscult.proto"];
pub(crate) const GENERATED: &str = "crates/auscult-agent/src/grpc/generated";
/// The descriptions of the services, for gRPC reflection.
const DESCRIPTORS: &str = "descriptors.bin";

/// Writes the generated files into the repository, and returns their names.
pub(crate) fn run(root: &Path) -> anyhow::Result<Vec<String>> {
    generate(root, &root.join(GENERATED))
}

fn generate(root: &Path, into: &Path) -> anyhow::Result<Vec<String>> {
    fs::create_dir_all(into).with_context(|| into.display().to_string())?;
    let api = root.join("api");
    let files = PROTOCOLS.map(|name| api.join(name));
    let descriptors = protox::compile(files, [api]).context("the protocol files do not compile")?;
    // Comments go into the Rust; who reflects has no use for them.
    let mut bare = descriptors.clone();
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    let path = into.join(DESCRIPTORS);
    fs::write(&path, bare.encode_to_vec()).with_context(|| path.display().to_string())?;
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".auscult.v1")
        .out_dir(into)
        .compile_fds(descriptors)
        .context("no Rust could be made of the protocol files")?;
    names(into)
}

fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Whoever changes a protocol file must also regenerate.
#[test]
fn generated_code_is_what_the_protocol_files_say() {
    let root = crate::repository();
    let fresh = tempfile::tempdir().expect("a folder");
    let made = generate(&root, fresh.path()).expect("the protocol files compile");
    let committed = root.join(GENERATED);
    for name in &made {
        let is = fs::read(committed.join(name)).expect("it is committed");
        let should = fs::read(fresh.path().join(name)).expect("it was made");
        assert!(
            is == should,
            "{name}: run `cargo run -p xtask -- regenerate`"
        );
    }
    assert_eq!(names(&committed).expect("the folder is there"), made);
}

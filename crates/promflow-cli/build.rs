//! Embeds `monitoring/` and the sources of the example backend, for `promflow up` outside the repository.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What the demo reads, relative to the repository's root.
const FOLDERS: [&str; 4] = ["monitoring", "examples/backend", "crates/promflow", "crates/promflow-registry"];

fn main() {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = manifest.ancestors().nth(2).expect("crate is two levels below the root");
    let mut files = vec![root.join("Cargo.toml")];
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let mut out = String::from("/// Paths and contents.\nconst EMBEDDED: &[(&str, &str)] = &[\n");
    for file in files {
        let path = file.strip_prefix(root).expect("below the root");
        writeln!(
            out,
            "    ({:?}, include_str!({:?})),",
            path.display().to_string(),
            file.display().to_string()
        )
        .expect("a string takes everything");
    }
    out.push_str("];\n");
    let target = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("embedded.rs");
    fs::write(target, out).expect("cannot write the list of embedded files");
}

/// Collects text files; tests are no part of the demo.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if path.is_dir() {
            if !matches!(&*name, "target" | "tests" | "benches") {
                collect(&path, files);
            }
        } else if [".rs", ".toml", ".yml", ".md", ".example"].iter().any(|ending| name.ends_with(ending)) {
            files.push(path);
        }
    }
}

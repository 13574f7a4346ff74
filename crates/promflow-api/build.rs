//! Embeds the built page: each file of `ui/dist` as it is and gzipped, with its type and a tag that names its bytes.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Says what the directory was built from; nobody asks for it over HTTP.
const BUILT_FROM: &str = "BUILT_FROM";

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(variable("OUT_DIR"));
    let dist = manifest.join("../../ui/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    collect(&dist, &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for (place, file) in files.iter().enumerate() {
        let bytes = fs::read(file)?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&bytes)?;
        // Copies, so that a page that is built meanwhile does not break this build.
        fs::write(out.join(format!("{place}.bytes")), &bytes)?;
        fs::write(out.join(format!("{place}.gz")), gzip.finish()?)?;
        let path = file.strip_prefix(&dist).map_err(io::Error::other)?.to_string_lossy().replace('\\', "/");
        let included = |end| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{place}.{end}\"))");
        let _ = writeln!(
            table,
            "    Asset {{ path: {path:?}, content_type: {:?}, tag: \"\\\"{:016x}\\\"\", bytes: {}, gzip: {} }},",
            content_type(&path),
            fnv(&bytes),
            included("bytes"),
            included("gz"),
        );
    }
    table.push_str("]\n");
    fs::write(out.join("ui.rs"), table)
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("BUG: cargo sets {name}"))
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.file_name().is_some_and(|name| name != BUILT_FROM) {
            files.push(path);
        }
    }
    Ok(())
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Names the bytes: FNV-1a, the same on every machine and with every compiler.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

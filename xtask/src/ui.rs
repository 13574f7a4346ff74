//! The page: built by Vite, committed, and compared with its sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{root, run_in, sha256};

/// The oldest Node.js that Vite runs on.
const NODE_MIN: (u32, u32) = (20, 19);

/// Holds the hash of what `ui/dist` was built from.
const BUILT_FROM: &str = "BUILT_FROM";

/// What the built page depends on, beside `src` and `public`.
const SOURCES: [&str; 7] = [
    ".npmrc",
    "index.html",
    "package.json",
    "package-lock.json",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
];

/// Builds the page and writes down what it was built from.
pub(crate) fn build() -> Result<()> {
    let Some(found) = node() else { bail!("{}", absent()) };
    eprintln!("xtask: Node.js {found}");
    install()?;
    npx(&["vite", "build"])?;
    fs::write(dir().join("dist").join(BUILT_FROM), sources_hash()? + "\n")?;
    Ok(())
}

/// Checks and tests the page's sources, builds them again and compares the outcome with what is committed.
///
/// Errors: a check fails, or the committed page differs.
pub(crate) fn check() -> Result<()> {
    if node().is_none() {
        println!("ui: not rebuilt, and not tested in Chromium: {}", absent());
        return Ok(());
    }
    install()?;
    npx(&["svelte-check", "--fail-on-warnings"])?;
    npx(&["vitest", "run"])?;
    let fresh = root().join("target/ui-dist");
    npx(&["vite", "build", "--logLevel", "warn", "--emptyOutDir", "--outDir", &fresh.display().to_string()])?;
    let (built, committed) = (files(&fresh)?, files(&dir().join("dist"))?);
    let differing: Vec<&String> = built
        .keys()
        .chain(committed.keys())
        .filter(|name| *name != BUILT_FROM && built.get(*name) != committed.get(*name))
        .collect();
    if !differing.is_empty() {
        bail!("ui/dist differs from its sources in {differing:?}\n\nhint: run `cargo xtask ui` and commit");
    }
    Ok(())
}

/// Installs the npm packages of the lock, unless that was done.
pub(crate) fn install() -> Result<()> {
    if node().is_none() {
        return Ok(());
    }
    let marker = dir().join("node_modules/.installed");
    let lock = sha256::hex(&fs::read(dir().join("package-lock.json")).context("cannot read the lock")?);
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run_in(&dir(), "npm", &["ci", "--no-audit", "--no-fund"])?;
    fs::write(marker, lock)?;
    Ok(())
}

fn npx(arguments: &[&str]) -> Result<()> {
    let mut all = vec!["--no-install"];
    all.extend(arguments);
    run_in(&dir(), "npx", &all)
}

fn dir() -> PathBuf {
    root().join("ui")
}

fn absent() -> String {
    format!("Node.js {}.{} or later is absent", NODE_MIN.0, NODE_MIN.1)
}

/// Returns the version of Node.js, when it is new enough.
fn node() -> Option<String> {
    let output = Command::new("node").arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?.trim().trim_start_matches('v').to_owned();
    is_new_enough(&version).then_some(version)
}

fn is_new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= NODE_MIN
}

/// Returns the hash over names and contents of all that the built page depends on.
fn sources_hash() -> Result<String> {
    let mut all = BTreeMap::new();
    for name in SOURCES {
        let path = dir().join(name);
        all.insert(
            name.to_owned(),
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
        );
    }
    for part in ["public", "src"] {
        for (name, bytes) in files(&dir().join(part))? {
            let is_test = name.ends_with(".test.ts") || name.ends_with("/testing.ts");
            if !is_test {
                all.insert(format!("{part}/{name}"), bytes);
            }
        }
    }
    let mut text = Vec::new();
    for (name, bytes) in all {
        text.extend_from_slice(format!("{name}\n{}\n", bytes.len()).as_bytes());
        text.extend_from_slice(&bytes);
    }
    Ok(sha256::hex(&text))
}

/// Returns all files below a directory by their paths in it.
fn files(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).with_context(|| format!("cannot read {}", at.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(dir)?.to_string_lossy().replace('\\', "/");
            found.insert(name, fs::read(&path)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_built_from_these_sources() {
        let built_from =
            fs::read_to_string(dir().join("dist").join(BUILT_FROM)).expect("ui/dist is committed");
        let hash = sources_hash().expect("the sources are readable");
        assert_eq!(
            built_from.trim(),
            hash,
            "ui/dist is older than its sources: run `cargo xtask ui` and commit"
        );
    }

    #[test]
    fn the_lock_names_no_registry() {
        let lock = fs::read_to_string(dir().join("package-lock.json")).expect("the lock is readable");
        assert!(!lock.contains("\"resolved\""), "ui/.npmrc has omit-lockfile-registry-resolved=true");
    }

    #[test]
    fn versions_of_node_are_compared_as_numbers() {
        assert!(is_new_enough("20.19.0") && is_new_enough("22.3.1") && is_new_enough("100.0.0"));
        assert!(!is_new_enough("20.9.9") && !is_new_enough("18.20.4") && !is_new_enough(""));
    }
}

//! What the team agreed on, checked as text.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::root;

/// A text that must not be in a tracked file, and what to do instead.
struct Banned {
    text: String,
    instead: &'static str,
}

/// Lines of a source file that is no test and no table.
const LINES_MAX: usize = 900;

/// Checks every tracked file.
///
/// Errors: lists each place.
pub(crate) fn run() -> Result<()> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .context("cannot start git")?;
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found = Vec::new();
    for file in listing.lines().filter(|f| is_text(f)) {
        if let Ok(text) = fs::read_to_string(root().join(file)) {
            found.extend(check(file, &text));
            found.extend(dead_links(file, &text));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!("tidy:\n  {}", found.join("\n  "))
}

fn is_text(file: &str) -> bool {
    let generated =
        file.ends_with(".lock") || file.starts_with("ui/dist/") || file.ends_with("package-lock.json");
    let known = [".rs", ".md", ".toml", ".yml", ".yaml", ".py", ".ts", ".svelte", ".css", ".json", ".sh"];
    !generated && known.iter().any(|ending| file.ends_with(ending))
}

fn banned() -> Vec<Banned> {
    // Put together at run time, so that this file does not name what it looks for.
    let entry = |parts: &[&str], instead| Banned { text: parts.concat(), instead };
    vec![
        entry(&["/wo", "rk/"], "a path relative to the repository"),
        entry(&["/ro", "ot/"], "a path relative to the repository"),
        entry(&["to", "do!("], "the code itself"),
        entry(&["unimpl", "emented!("], "an error that says `not supported yet: NAME`"),
        entry(&["db", "g!("], "tracing, or nothing"),
        entry(&["FIX", "ME"], "an issue"),
    ]
}

fn check(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for rule in banned() {
            if line.contains(&rule.text) {
                found.push(format!(
                    "{file}:{}: {:?} stands here; use {}",
                    number + 1,
                    rule.text,
                    rule.instead
                ));
            }
        }
        if line.ends_with(' ') && !file.ends_with(".md") {
            found.push(format!("{file}:{}: space at the end of the line", number + 1));
        }
    }
    let is_test = file.contains("/tests") || file.ends_with("tests.rs");
    let lines = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text).lines().count();
    if file.ends_with(".rs") && !is_test && lines > LINES_MAX {
        found.push(format!("{file}: {lines} lines; a file over {LINES_MAX} needs a second one"));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        found.push(format!("{file}: no newline at the end"));
    }
    found
}

/// Finds links of a document to files that are not there.
fn dead_links(file: &str, text: &str) -> Vec<String> {
    if !file.ends_with(".md") {
        return Vec::new();
    }
    let folder = root().join(file).parent().map(std::path::Path::to_owned).unwrap_or_default();
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    targets
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("{file}: links to {target:?}, which is not there"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{check, dead_links};

    #[test]
    fn a_link_to_nothing_is_named() {
        let text = "see [this](README.md#a), [that](nothere.md) and [web](https://example.org)";
        assert_eq!(dead_links("README.md", text), ["README.md: links to \"nothere.md\", which is not there"]);
    }

    #[test]
    fn a_machine_path_is_found_with_its_line() {
        let text = ["a\n", "see /wo", "rk/main\n"].concat();
        let found = check("src/a.rs", &text);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("src/a.rs:2: "), "{found:?}");
    }

    #[test]
    fn clean_text_passes() {
        assert!(check("src/a.rs", "fn main() {}\n").is_empty());
    }

    #[test]
    fn a_file_that_outgrew_one_sitting_is_named() {
        let found = check("src/a.rs", &"fn f() {}\n".repeat(901));
        assert!(found[0].contains("901 lines"), "{found:?}");
    }
}

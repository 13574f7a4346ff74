//! Lines of a file for error messages, secrets left out.

use crate::Secret;

/// Words in a key that make its value a secret.
const SECRET_WORDS: [&str; 11] = [
    "password",
    "passphrase",
    "secret",
    "credential",
    "token",
    "api_key",
    "routing_key",
    "service_key",
    "private_key",
    "user_key",
    "api_url",
];

/// Keys that hold a mapping with secrets in it, for which somebody may have written the secret itself.
const SECRET_MAPPINGS: [&str; 3] = ["basic_auth", "authorization", "oauth2"];

/// The longest line that is shown, in characters.
const CHARS_MAX: usize = 200;

/// Returns a line of the text, counted from 1, without the secrets on it.
pub(crate) fn line(text: &str, number: u32) -> Option<String> {
    let index = (number as usize).checked_sub(1)?;
    let line = text.lines().nth(index)?.trim_end();
    if continues_secret(text, index) {
        return Some(Secret::SHOWN.to_owned());
    }
    let shown = match secret_value(line) {
        Some(at) => format!("{} {}", &line[..at], Secret::SHOWN),
        None => without_userinfo(line),
    };
    Some(shown.chars().take(CHARS_MAX).collect())
}

/// Finds the end of the first key on a line whose value is a secret and stands on the same line.
fn secret_value(line: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(colon) = line[from..].find(':').map(|i| from + i) {
        from = colon + 1;
        let key = bare_key(&line[..colon]);
        if (is_secret_key(key) || SECRET_MAPPINGS.contains(&key)) && !line[from..].trim().is_empty() {
            return Some(from);
        }
    }
    None
}

fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let names_a_file = key.ends_with("_file") || key.ends_with("_files") || key.ends_with("_ref");
    !names_a_file && (key == "key" || SECRET_WORDS.iter().any(|word| key.contains(word)))
}

/// Says whether a line belongs to a value that began on an earlier line, under a secret key.
fn continues_secret(text: &str, index: usize) -> bool {
    let lines: Vec<&str> = text.lines().take(index + 1).collect();
    let Some((line, before)) = lines.split_last() else { return false };
    let mut above = before.iter().rev().filter(|line| !line.trim().is_empty());
    if !line.contains(':') {
        // A bare line goes with the nearest key above it, however it is indented.
        let key = above.find_map(|line| line.split_once(':')).map_or("", |(key, _)| bare_key(key));
        return is_secret_key(key) || SECRET_MAPPINGS.contains(&key);
    }
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut depth = indent(line);
    let is_item = line.trim_start().starts_with('-');
    for line in above {
        // A list may stand at the depth of its key.
        let is_its_key = is_item && indent(line) == depth && !line.trim_start().starts_with('-');
        if indent(line) < depth || is_its_key {
            depth = indent(line);
            let key = line.split_once(':').map_or("", |(key, _)| bare_key(key));
            if is_secret_key(key) {
                return true;
            }
        }
    }
    false
}

/// Returns the last key in what stands before a colon.
fn bare_key(before: &str) -> &str {
    let before = before.trim_end_matches(['"', '\'']);
    let start = before.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).map(|i| i + 1);
    // The character before the key may be longer than a byte; then the whole is as good.
    before.get(start.unwrap_or(0)..).unwrap_or(before)
}

/// Leaves out the user and password of URLs.
fn without_userinfo(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let host_end = after.find(['/', '"', '\'', ' ', ',']).unwrap_or(after.len());
        rest = match after[..host_end].rfind('@') {
            Some(i) => {
                out.push_str(Secret::SHOWN);
                &after[i..]
            }
            None => after,
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out_of_lines() {
        for (text, number, expected) in [
            ("password: hunter2", 1, "password: <secret>"),
            ("  - { username: a, password: hunter2 }", 1, "  - { username: a, password: <secret>"),
            ("password_file: pw.txt", 1, "password_file: pw.txt"),
            ("a:\n  credentials: |\n    hunter2\n", 3, "<secret>"),
            ("secrets:\n- hunter2\n", 2, "<secret>"),
            ("secrets:\n- a\n- hunter2:x\n", 3, "<secret>"),
            ("secrets: [x,\n  hunter2]\n", 2, "<secret>"),
            ("url: https://bob:hunter2@host/x", 1, "url: https://<secret>@host/x"),
            ("\"bearer_token\": \"hunter2\"", 1, "\"bearer_token\": <secret>"),
            ("scrape_interval: 15s", 1, "scrape_interval: 15s"),
        ] {
            assert_eq!(line(text, number).as_deref(), Some(expected), "{text:?}");
        }
        assert_eq!(line("a", 2), None);
    }
}

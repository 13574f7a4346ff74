//! Access to files, handed in.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest file that is read.
///
/// Units: bytes.
pub const FILE_SIZE_BYTES_MAX: usize = 64 << 20;

/// Reads files; implemented by the operating system and by tests.
pub trait FileSystem {
    /// Reads a whole file.
    ///
    /// Errors: the file is missing, not UTF-8, or larger than [`FILE_SIZE_BYTES_MAX`].
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Lists the files that a pattern of Go's `filepath.Glob` names (`*`, `?`, `[a-z]`, `\`), sorted by path.
    ///
    /// A pattern without these characters names at most the file itself.
    fn glob(&self, pattern: &str) -> io::Result<Vec<PathBuf>>;
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFileSystem;

impl FileSystem for OsFileSystem {
    fn read(&self, path: &Path) -> io::Result<String> {
        let file = std::fs::File::open(path)?;
        let mut bytes = Vec::new();
        file.take(FILE_SIZE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > FILE_SIZE_BYTES_MAX {
            let message = format!("file is larger than {FILE_SIZE_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "file is not valid UTF-8"))
    }

    fn glob(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        if !has_wildcard(pattern) {
            let path = PathBuf::from(pattern);
            return Ok(if path.exists() { vec![path] } else { Vec::new() });
        }
        let (dir, name) = match pattern.rsplit_once('/') {
            Some(("", name)) => ("/".to_owned(), name),
            Some((dir, name)) => (dir.to_owned(), name),
            None => (String::new(), pattern),
        };
        let mut found = Vec::new();
        for dir in if dir.is_empty() { vec![PathBuf::new()] } else { self.glob(&dir)? } {
            let listed = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
            // What is no directory, or cannot be read, holds no file that matches.
            let Ok(entries) = std::fs::read_dir(listed) else { continue };
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            found.extend(names.filter(|entry| matches_name(name, entry)).map(|entry| dir.join(entry)));
        }
        found.sort();
        Ok(found)
    }
}

fn has_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '\\'])
}

/// Says whether a file name matches the last part of a pattern.
///
/// Source: Go path/filepath.Match.
pub(crate) fn matches_name(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stands, and up to where in the name it has been tried.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
            continue;
        } else {
            match_one(&pattern[p..], name[n])
        };
        match (step, star) {
            (Some(len), _) => {
                p += len;
                n += 1;
            }
            (None, Some((at, tried))) => {
                star = Some((at, tried + 1));
                p = at + 1;
                n = tried + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Matches one character and returns the length of the piece of the pattern that took it.
fn match_one(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '\\' => (pattern.get(1) == Some(&c)).then_some(2),
        '[' => {
            let negated = pattern.get(1) == Some(&'^');
            let mut at = if negated { 2 } else { 1 };
            let mut found = false;
            loop {
                let mut next = || {
                    let escaped = pattern.get(at) == Some(&'\\');
                    at += usize::from(escaped);
                    let c = pattern.get(at).copied();
                    at += 1;
                    c
                };
                let low = next()?;
                let high = if pattern.get(at) == Some(&'-') {
                    at += 1;
                    let escaped = pattern.get(at) == Some(&'\\');
                    at += usize::from(escaped);
                    let high = *pattern.get(at)?;
                    at += 1;
                    high
                } else {
                    low
                };
                found |= (low..=high).contains(&c);
                if pattern.get(at) == Some(&']') {
                    break;
                }
            }
            (found != negated).then_some(at + 1)
        }
        literal => (*literal == c).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_go() {
        for (pattern, name, expected) in [
            ("*.yml", "a.yml", true),
            ("*.yml", "a.yaml", false),
            ("a*b*c", "aXbYbZc", true),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[", "a", false),
            ("", "", true),
            ("**", "anything", true),
        ] {
            assert_eq!(matches_name(pattern, name), expected, "{pattern} {name}");
        }
    }
}

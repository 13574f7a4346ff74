//! Where a package says that its metrics are served.

use syn::Expr;

use super::FileFindings;
use super::resolve::Resolver;
use crate::Settings;

/// A place in the code that may say where metrics are served.
pub(super) struct Hint {
    /// How surely it does: 0 is a field of a settings value, 1 a named default, 2 an address that is bound.
    pub(super) rank: u8,
    /// What it says.
    pub(super) kind: HintKind,
    /// The value.
    pub(super) expr: Expr,
    /// The line of the value.
    pub(super) line: u32,
}

/// What a hint says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HintKind {
    /// A port.
    Port,
    /// An address with a port.
    Address,
    /// A path.
    Path,
}

/// Resolves the hints of each package: the surest ports, with the path where there is exactly one.
pub(super) fn resolve(resolver: &Resolver<'_>, files: &[FileFindings]) -> Vec<(usize, Settings)> {
    let mut found: Vec<(usize, u8, Settings)> = Vec::new();
    let mut paths: Vec<(usize, String)> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let Some(package) = file.package else { continue };
        for hint in &file.hints {
            let port = match hint.kind {
                HintKind::Port => resolver
                    .number(index, &hint.expr)
                    .or_else(|| resolver.text(index, &hint.expr)?.parse().ok())
                    .filter(|n| n.fract() == 0.0),
                HintKind::Address => resolver.text(index, &hint.expr).as_deref().and_then(port_of_address),
                HintKind::Path => {
                    let path = resolver.text(index, &hint.expr).filter(|path| path.starts_with('/'));
                    paths.extend(path.map(|path| (package, path)));
                    None
                }
            };
            if let Some(port) = port.filter(|port| (1.0..=65535.0).contains(port)) {
                let settings = Settings {
                    port: port as u16,
                    metrics_path: None,
                    file: file.path.clone(),
                    line: hint.line,
                };
                found.push((package, hint.rank, settings));
            }
        }
    }
    paths.sort();
    paths.dedup();
    found.sort_by(|a, b| {
        (a.0, a.1, a.2.port, &a.2.file, a.2.line).cmp(&(b.0, b.1, b.2.port, &b.2.file, b.2.line))
    });
    let surest =
        |package: usize| found.iter().find(|(other, ..)| *other == package).map(|(_, rank, _)| *rank);
    let mut settings: Vec<(usize, Settings)> = found
        .iter()
        .filter(|(package, rank, _)| surest(*package) == Some(*rank))
        .map(|(package, _, settings)| {
            let own: Vec<&String> =
                paths.iter().filter(|(p, _)| p == package).map(|(_, path)| path).collect();
            let metrics_path = if let [path] = &*own { Some((*path).clone()) } else { None };
            (*package, Settings { metrics_path, ..settings.clone() })
        })
        .collect();
    settings.dedup_by(|a, b| a.0 == b.0 && a.1.port == b.1.port);
    settings
}

fn port_of_address(address: &str) -> Option<f64> {
    let (host, port) = address.rsplit_once(':')?;
    let is_local = matches!(host, "" | "localhost" | "0.0.0.0" | "127.0.0.1" | "[::]" | "[::1]");
    if !is_local {
        return None;
    }
    port.parse::<u16>().ok().map(f64::from)
}

//! Where a Python package says that its metrics are served.

use super::resolve::Resolver;
use super::value::Value;
use super::{Call, FileFindings};
use crate::Settings;

/// A place in the code that may say where metrics are served.
pub(super) struct Hint {
    /// How surely it does: 0 names the metrics' port, 1 a port of settings, 2 one that is served on.
    rank: u8,
    is_path: bool,
    value: Value,
    line: u32,
}

/// Reads a name that is bound to a value.
pub(super) fn of_binding(name: &str, owner: Option<&str>, value: &Value, line: u32) -> Option<Hint> {
    let upper = name.to_uppercase();
    let own = upper.strip_prefix("DEFAULT_").unwrap_or(&upper);
    let in_settings =
        owner.is_some_and(|owner| ["Settings", "Config", "Options"].iter().any(|end| owner.ends_with(end)));
    let hint = |rank, is_path| Some(Hint { rank, is_path, value: value.clone(), line });
    match own {
        "PROMETHEUS_PORT" | "METRICS_PORT" | "PROMETHEUS_METRICS_PORT" => hint(0, false),
        "METRICS_PATH" | "PROMETHEUS_METRICS_PATH" | "METRICS_ENDPOINT" => hint(0, true),
        "PORT" | "HTTP_PORT" | "SERVER_PORT" if in_settings || owner.is_none() => hint(1, false),
        _ => None,
    }
}

/// Reads a call.
pub(super) fn of_call(call: &Call) -> Vec<Hint> {
    let keyword =
        |name: &str| call.keywords.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
    let hint = |rank, is_path, value: Option<Value>| {
        value.map(|value| Hint { rank, is_path, value, line: call.line })
    };
    let hints = match call.name.as_str() {
        "start_http_server" | "start_wsgi_server" => {
            [hint(0, false, keyword("port").or_else(|| call.args.first().cloned())), None]
        }
        "run" => [hint(2, false, keyword("port")), None],
        "mount" | "expose" => {
            let path = keyword("endpoint").or_else(|| call.args.first().cloned());
            let path = path.filter(|path| matches!(path, Value::Text(text) if text.contains("metrics")));
            [hint(0, true, path), None]
        }
        "getenv" | "get" => match call.args.first() {
            Some(Value::Text(name)) => {
                let upper = name.to_uppercase();
                [
                    of_binding(&upper, None, &call.args.get(1).cloned().unwrap_or(Value::Unknown), call.line),
                    None,
                ]
            }
            _ => [None, None],
        },
        _ => [None, None],
    };
    hints.into_iter().flatten().collect()
}

/// Resolves the hints of each package: the surest ports, with the path where there is exactly one.
pub(super) fn resolve(resolver: &Resolver<'_>, files: &[FileFindings]) -> Vec<(usize, Settings)> {
    let mut ports: Vec<(usize, u8, Settings)> = Vec::new();
    let mut paths: Vec<(usize, String)> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let Some(package) = file.package else { continue };
        for hint in &file.hints {
            if hint.is_path {
                let path = resolver.text(index, &hint.value, &[]).filter(|path| path.starts_with('/'));
                paths.extend(path.map(|path| (package, path)));
                continue;
            }
            let port = resolver.number(index, &hint.value, &[]);
            let port = port.or_else(|| resolver.text(index, &hint.value, &[])?.parse().ok());
            if let Some(port) = port.filter(|port| port.fract() == 0.0 && (1.0..=65535.0).contains(port)) {
                let settings = Settings {
                    port: port as u16,
                    metrics_path: None,
                    file: file.path.clone(),
                    line: hint.line,
                };
                ports.push((package, hint.rank, settings));
            }
        }
    }
    paths.sort();
    paths.dedup();
    ports.sort_by(|a, b| {
        (a.0, a.1, a.2.port, &a.2.file, a.2.line).cmp(&(b.0, b.1, b.2.port, &b.2.file, b.2.line))
    });
    let surest =
        |package: usize| ports.iter().find(|(other, ..)| *other == package).map(|(_, rank, _)| *rank);
    let mut settings: Vec<(usize, Settings)> = Vec::new();
    for (package, rank, found) in &ports {
        if surest(*package) != Some(*rank) {
            continue;
        }
        let own: Vec<&String> =
            paths.iter().filter(|(other, _)| other == package).map(|(_, path)| path).collect();
        let metrics_path = if let [path] = &*own { Some((*path).clone()) } else { None };
        settings.push((*package, Settings { metrics_path, ..found.clone() }));
    }
    settings.dedup_by(|a, b| a.0 == b.0 && a.1.port == b.1.port);
    settings
}

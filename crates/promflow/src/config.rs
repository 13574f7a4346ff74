//! Settings from the environment, in one place.

use std::fmt;
use std::time::Duration;

use promflow_model::{duration, is_legacy_label_name};

/// How a program is measured and where its page is.
///
/// Its `Display` is the environment that gives the same settings, one variable a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `PROMETHEUS_ENABLED`: whether anything is measured and the page is served.
    pub enabled: bool,
    /// `PROMETHEUS_PORT`: the port on which the page is found.
    pub port: u16,
    /// `PROMETHEUS_METRICS_PATH`: the path of the page.
    pub metrics_path: String,
    /// `PROMETHEUS_SERVICE_URL`: where Prometheus reaches the program.
    pub service_url: String,
    /// `PROMETHEUS_SCRAPE_INTERVAL`: how often the page is expected to be fetched.
    pub scrape_interval: Duration,
    /// `PROMETHEUS_DEFAULT_LABELS`: labels on every series of the page.
    pub default_labels: Vec<(String, String)>,
}

/// Says which variable has a bad value, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The variable.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// What was expected.
    pub expected: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid value {:?} of {}: expected {}", self.value, self.variable, self.expected)
    }
}

impl std::error::Error for SettingsError {}

impl Default for Settings {
    fn default() -> Self {
        Self::from_lookup(|_| None).expect("BUG: the defaults are bad settings")
    }
}

impl Settings {
    /// Reads the settings from the environment of the process.
    ///
    /// Errors: the first variable with a bad value.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(|name| std::env::var_os(name).map(|v| v.to_string_lossy().into_owned()))
    }

    /// Reads the settings from anything that answers for a variable; an empty value counts as unset.
    ///
    /// Errors: the first variable with a bad value.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |variable: &'static str| {
            let value = lookup(variable).unwrap_or_default();
            Variable { variable, value: value.trim().to_owned() }
        };
        let port = get("PROMETHEUS_PORT")
            .read(8000, "a port from 1 to 65535", |v| v.parse().ok().filter(|port| *port > 0))?;
        Ok(Self {
            enabled: get("PROMETHEUS_ENABLED").read(true, "true or false", parse_bool)?,
            port,
            metrics_path: get("PROMETHEUS_METRICS_PATH").read(
                "/metrics".to_owned(),
                "a path that starts with \"/\", without blanks, \"?\", \"#\" and braces",
                parse_path,
            )?,
            service_url: get("PROMETHEUS_SERVICE_URL").read(
                format!("http://127.0.0.1:{port}"),
                "an http or https URL",
                parse_url,
            )?,
            scrape_interval: get("PROMETHEUS_SCRAPE_INTERVAL").read(
                Duration::from_secs(15),
                "a duration above zero such as 15s or 1m30s",
                |v| {
                    u64::try_from(duration::parse(v).ok()?)
                        .ok()
                        .filter(|ms| *ms > 0)
                        .map(Duration::from_millis)
                },
            )?,
            default_labels: get("PROMETHEUS_DEFAULT_LABELS").labels()?,
        })
    }
}

struct Variable {
    variable: &'static str,
    value: String,
}

impl Variable {
    fn error(&self, expected: impl Into<String>) -> SettingsError {
        SettingsError { variable: self.variable, value: self.value.clone(), expected: expected.into() }
    }

    fn read<T>(
        &self,
        default: T,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, SettingsError> {
        if self.value.is_empty() {
            return Ok(default);
        }
        parse(&self.value).ok_or_else(|| self.error(expected))
    }

    fn labels(&self) -> Result<Vec<(String, String)>, SettingsError> {
        let mut labels: Vec<(String, String)> = Vec::new();
        for pair in self.value.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(
                    self.error(format!("name=value pairs separated by commas, but {pair:?} has no \"=\""))
                );
            };
            if !is_legacy_label_name(name) || name.starts_with("__") {
                return Err(self.error(format!("label names, but {name:?} is none")));
            }
            if labels.iter().any(|(n, _)| n == name) {
                return Err(self.error(format!("each label once, but {name:?} stands twice")));
            }
            labels.push((name.to_owned(), value.to_owned()));
        }
        Ok(labels)
    }
}

fn parse_bool(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn parse_path(value: &str) -> Option<String> {
    let usable = |c: char| !c.is_whitespace() && !c.is_control() && !"?#{}*".contains(c);
    (value.starts_with('/') && value.chars().all(usable)).then(|| value.to_owned())
}

fn parse_url(value: &str) -> Option<String> {
    let rest = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://"))?;
    let usable =
        rest.starts_with(|c: char| c.is_alphanumeric() || c == '[') && !rest.contains(char::is_whitespace);
    usable.then(|| value.trim_end_matches('/').to_owned())
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interval_ms = i64::try_from(self.scrape_interval.as_millis()).unwrap_or(i64::MAX);
        let labels: Vec<String> = self.default_labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
        writeln!(f, "PROMETHEUS_ENABLED={}", self.enabled)?;
        writeln!(f, "PROMETHEUS_PORT={}", self.port)?;
        writeln!(f, "PROMETHEUS_METRICS_PATH={}", self.metrics_path)?;
        writeln!(f, "PROMETHEUS_SERVICE_URL={}", self.service_url)?;
        writeln!(f, "PROMETHEUS_SCRAPE_INTERVAL={}", duration::format(interval_ms))?;
        writeln!(f, "PROMETHEUS_DEFAULT_LABELS={}", labels.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_lookup(|name| {
            environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn unset_and_empty_variables_have_their_defaults() {
        let defaults = settings(&[("PROMETHEUS_PORT", ""), ("PROMETHEUS_DEFAULT_LABELS", " ")]).unwrap();
        assert_eq!(
            defaults,
            Settings {
                enabled: true,
                port: 8000,
                metrics_path: "/metrics".to_owned(),
                service_url: "http://127.0.0.1:8000".to_owned(),
                scrape_interval: Duration::from_secs(15),
                default_labels: Vec::new(),
            }
        );
    }

    #[test]
    fn what_is_printed_reads_back() {
        let read = settings(&[
            ("PROMETHEUS_ENABLED", "0"),
            ("PROMETHEUS_PORT", "8001"),
            ("PROMETHEUS_METRICS_PATH", "/internal/metrics"),
            ("PROMETHEUS_SERVICE_URL", "https://api.example.com/"),
            ("PROMETHEUS_SCRAPE_INTERVAL", "1m30s"),
            ("PROMETHEUS_DEFAULT_LABELS", "env=prod, region=eu=1"),
        ])
        .unwrap();
        assert_eq!(read.default_labels[1], ("region".to_owned(), "eu=1".to_owned()));
        assert_eq!(read.scrape_interval, Duration::from_secs(90));
        let printed = read.to_string();
        let variables: Vec<_> = printed.lines().map(|line| line.split_once('=').unwrap()).collect();
        assert_eq!(settings(&variables), Ok(read));
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        for (variable, value, expected) in [
            ("PROMETHEUS_ENABLED", "maybe", "true or false"),
            ("PROMETHEUS_PORT", "80000", "a port from 1 to 65535"),
            ("PROMETHEUS_PORT", "0", "a port from 1 to 65535"),
            (
                "PROMETHEUS_METRICS_PATH",
                "metrics",
                "a path that starts with \"/\", without blanks, \"?\", \"#\" and braces",
            ),
            ("PROMETHEUS_SERVICE_URL", "api.example.com", "an http or https URL"),
            ("PROMETHEUS_SERVICE_URL", "http://", "an http or https URL"),
            ("PROMETHEUS_SCRAPE_INTERVAL", "15", "a duration above zero such as 15s or 1m30s"),
            ("PROMETHEUS_SCRAPE_INTERVAL", "0s", "a duration above zero such as 15s or 1m30s"),
            (
                "PROMETHEUS_DEFAULT_LABELS",
                "env",
                "name=value pairs separated by commas, but \"env\" has no \"=\"",
            ),
            ("PROMETHEUS_DEFAULT_LABELS", "a-b=1", "label names, but \"a-b\" is none"),
            ("PROMETHEUS_DEFAULT_LABELS", "a=1,a=2", "each label once, but \"a\" stands twice"),
        ] {
            let error = settings(&[(variable, value)]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("invalid value {value:?} of {variable}: expected {expected}")
            );
        }
    }
}

//! Settings from the environment, in one place.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use promflow_model::{duration, is_legacy_label_name};

/// How a program is measured and where its page is.
///
/// Its `Display` is the environment that gives the same settings, one variable a line, but for secrets: a password,
/// and what stands before the host of a URL, are printed as `<secret>`.
#[derive(Clone, PartialEq, Eq)]
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
    /// `PROMETHEUS_PUSHGATEWAY_URL`: where batch jobs push their page.
    pub pushgateway_url: Option<String>,
    /// `PROMETHEUS_SERVER_*`: the server of a program that has none of its own.
    pub server: ServerSettings,
}

/// How the server listens that shows the page of a program without one.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// `PROMETHEUS_SERVER_HOST`: the address to listen on.
    pub host: IpAddr,
    /// `PROMETHEUS_SERVER_TLS_CERT_FILE` and `PROMETHEUS_SERVER_TLS_KEY_FILE`: PEM files; HTTPS with them, HTTP without.
    pub tls: Option<TlsFiles>,
    /// `PROMETHEUS_SERVER_USERNAME` and `PROMETHEUS_SERVER_PASSWORD`: who may read the page; all, when unset.
    pub basic_auth: Option<BasicAuth>,
}

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and its authority: PEM.
    pub cert: PathBuf,
    /// Its private key: PEM.
    pub key: PathBuf,
}

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The name.
    pub username: String,
    /// The password, or its bcrypt hash (`$2b$...`).
    pub password: String,
}

/// What is printed in place of a secret.
pub(crate) const SECRET: &str = "<secret>";

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settings {\n")?;
        write!(f, "{self}")?;
        f.write_str("}")
    }
}

impl fmt::Debug for ServerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, tls, basic_auth } = self;
        let mut debug = f.debug_struct("ServerSettings");
        debug.field("host", host).field("tls", tls).field("basic_auth", basic_auth).finish()
    }
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicAuth").field("username", &self.username).field("password", &SECRET).finish()
    }
}

/// Says which variable has a bad value, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The variable.
    pub variable: &'static str,
    /// Its value, without secrets.
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
            pushgateway_url: get("PROMETHEUS_PUSHGATEWAY_URL")
                .read(None, "an http or https URL", |v| parse_url(v).map(Some))?,
            server: ServerSettings {
                host: get("PROMETHEUS_SERVER_HOST").read(
                    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    "an IP address to listen on",
                    |v| v.parse().ok(),
                )?,
                tls: pair(get("PROMETHEUS_SERVER_TLS_CERT_FILE"), get("PROMETHEUS_SERVER_TLS_KEY_FILE"))?
                    .map(|(cert, key)| TlsFiles { cert: cert.into(), key: key.into() }),
                basic_auth: pair(get("PROMETHEUS_SERVER_USERNAME"), get("PROMETHEUS_SERVER_PASSWORD"))?
                    .map(|(username, password)| BasicAuth { username, password }),
            },
        })
    }
}

/// Reads two variables that mean nothing without each other.
///
/// Errors: one of them is set alone.
fn pair(first: Variable, second: Variable) -> Result<Option<(String, String)>, SettingsError> {
    match (first.value.is_empty(), second.value.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some((first.value, second.value))),
        (true, false) => Err(first.error(format!("a value, as {} is set", second.variable))),
        (false, true) => Err(second.error(format!("a value, as {} is set", first.variable))),
    }
}

struct Variable {
    variable: &'static str,
    value: String,
}

impl Variable {
    fn error(&self, expected: impl Into<String>) -> SettingsError {
        SettingsError {
            variable: self.variable,
            value: without_userinfo(&self.value),
            expected: expected.into(),
        }
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
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let usable =
        host.starts_with(|c: char| c.is_alphanumeric() || c == '[') && !rest.contains(char::is_whitespace);
    usable.then(|| value.trim_end_matches('/').to_owned())
}

/// Writes a URL with what stands before its host (a name, a password) hidden.
pub(crate) fn without_userinfo(url: &str) -> String {
    let hidden = url.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let at = rest[..end].rfind('@')?;
        Some(format!("{scheme}://{SECRET}{}", &rest[at..]))
    });
    hidden.unwrap_or_else(|| url.to_owned())
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interval_ms = i64::try_from(self.scrape_interval.as_millis()).unwrap_or(i64::MAX);
        let labels: Vec<String> = self.default_labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
        writeln!(f, "PROMETHEUS_ENABLED={}", self.enabled)?;
        writeln!(f, "PROMETHEUS_PORT={}", self.port)?;
        writeln!(f, "PROMETHEUS_METRICS_PATH={}", self.metrics_path)?;
        writeln!(f, "PROMETHEUS_SERVICE_URL={}", without_userinfo(&self.service_url))?;
        writeln!(f, "PROMETHEUS_SCRAPE_INTERVAL={}", duration::format(interval_ms))?;
        writeln!(f, "PROMETHEUS_DEFAULT_LABELS={}", labels.join(","))?;
        let url = self.pushgateway_url.as_deref().map(without_userinfo);
        writeln!(f, "PROMETHEUS_PUSHGATEWAY_URL={}", url.unwrap_or_default())?;
        let server = &self.server;
        writeln!(f, "PROMETHEUS_SERVER_HOST={}", server.host)?;
        let tls =
            server.tls.as_ref().map(|tls| (tls.cert.display().to_string(), tls.key.display().to_string()));
        let (cert, key) = tls.unwrap_or_default();
        writeln!(f, "PROMETHEUS_SERVER_TLS_CERT_FILE={cert}")?;
        writeln!(f, "PROMETHEUS_SERVER_TLS_KEY_FILE={key}")?;
        let username = server.basic_auth.as_ref().map_or("", |auth| &auth.username);
        writeln!(f, "PROMETHEUS_SERVER_USERNAME={username}")?;
        let password = if server.basic_auth.is_some() { SECRET } else { "" };
        writeln!(f, "PROMETHEUS_SERVER_PASSWORD={password}")
    }
}

#[cfg(test)]
mod tests;

//! How an HTTP client is to be set up.

pub(crate) mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Secret;

/// The settings of an HTTP client, as scrape jobs and Alertmanagers have them.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpClientConfig {
    /// Basic authentication.
    pub basic_auth: Option<BasicAuth>,
    /// The `Authorization` header; `bearer_token` and `bearer_token_file` are read into it too.
    pub authorization: Option<Authorization>,
    /// TLS.
    pub tls: TlsConfig,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Whether HTTP/2 may be used.
    pub enable_http2: bool,
    /// Headers to add to each request, by name.
    pub http_headers: BTreeMap<String, HttpHeader>,
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            tls: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            http_headers: BTreeMap::new(),
        }
    }
}

/// Basic authentication; of each pair at most one is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasicAuth {
    /// The user name.
    pub username: String,
    /// The file that holds the user name.
    pub username_file: Option<PathBuf>,
    /// The password.
    pub password: Secret,
    /// The file that holds the password, read anew for each request.
    pub password_file: Option<PathBuf>,
}

/// The `Authorization` header; at most one of credentials and file is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorization {
    /// The scheme, `Bearer` unless set.
    pub kind: String,
    /// The credentials.
    pub credentials: Secret,
    /// The file that holds the credentials, read anew for each request.
    pub credentials_file: Option<PathBuf>,
}

/// TLS of a client; of text and file at most one is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// Certificates of the authorities to trust, PEM; the system's when neither text nor file is set.
    pub ca: String,
    /// The file of `ca`.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, PEM.
    pub cert: String,
    /// The file of `cert`.
    pub cert_file: Option<PathBuf>,
    /// The client's key, PEM.
    pub key: Secret,
    /// The file of `key`.
    pub key_file: Option<PathBuf>,
    /// The name to ask for and to verify; the target's host when empty.
    pub server_name: String,
    /// Whether the server's certificate is taken as it is.
    pub insecure_skip_verify: bool,
    /// The lowest version accepted.
    pub min_version: Option<TlsVersion>,
    /// The highest version accepted.
    pub max_version: Option<TlsVersion>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// `TLS10`
    Tls10,
    /// `TLS11`
    Tls11,
    /// `TLS12`
    Tls12,
    /// `TLS13`
    Tls13,
}

impl TlsVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    /// Returns the version as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls10 => "TLS10",
            Self::Tls11 => "TLS11",
            Self::Tls12 => "TLS12",
            Self::Tls13 => "TLS13",
        }
    }
}

/// The values of one header to add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpHeader {
    /// Values.
    pub values: Vec<String>,
    /// Values that are not shown.
    pub secrets: Vec<Secret>,
    /// Files that hold values.
    pub files: Vec<PathBuf>,
}

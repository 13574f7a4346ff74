//! Reads the settings of HTTP clients.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::reader::Fields;
use crate::{Authorization, BasicAuth, HttpClientConfig, HttpHeader, Secret, TlsConfig, TlsVersion};

/// Headers that the client sets itself.
///
/// Source: prometheus/common config/http_headers.go.
const RESERVED_HEADERS: [&str; 18] = [
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

/// Reads the client's keys, which stand among those of the job or Alertmanager.
///
/// Source: prometheus/common config.HTTPClientConfig.Validate.
pub(crate) fn read(fields: &mut Fields<'_, '_>) -> HttpClientConfig {
    fields.unsupported(&["proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header"]);
    let bearer_token = fields.secret("bearer_token");
    let bearer_token_file = fields.path("bearer_token_file");
    let basic_auth = read_basic_auth(fields);
    let mut authorization = read_authorization(fields);
    let has_bearer = !bearer_token.is_empty() || bearer_token_file.is_some();
    let has_oauth2 = fields.has("oauth2");
    if !bearer_token.is_empty() && bearer_token_file.is_some() {
        fields
            .error("bearer_token_file", "at most one of bearer_token & bearer_token_file must be configured");
    }
    if has_bearer && (basic_auth.is_some() || has_oauth2) {
        fields.error(
            if basic_auth.is_some() { "basic_auth" } else { "oauth2" },
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
        );
    }
    if authorization.is_some() {
        if has_bearer {
            fields.error(
                "authorization",
                "authorization is not compatible with bearer_token & bearer_token_file",
            );
        }
        if basic_auth.is_some() || has_oauth2 {
            fields.error(
                "authorization",
                "at most one of basic_auth, oauth2 & authorization must be configured",
            );
        }
    } else if basic_auth.is_some() && has_oauth2 {
        fields.error("oauth2", "at most one of basic_auth, oauth2 & authorization must be configured");
    }
    fields.unsupported(&["oauth2"]);
    if has_bearer {
        authorization = Some(Authorization {
            kind: "Bearer".to_owned(),
            credentials: bearer_token,
            credentials_file: bearer_token_file,
        });
    }
    HttpClientConfig {
        basic_auth,
        authorization,
        tls: read_tls(fields, "tls_config"),
        follow_redirects: fields.bool("follow_redirects").unwrap_or(true),
        enable_http2: fields.bool("enable_http2").unwrap_or(true),
        http_headers: read_headers(fields),
    }
}

fn read_basic_auth(parent: &mut Fields<'_, '_>) -> Option<BasicAuth> {
    let node = parent.node("basic_auth")?;
    let mut fields = parent.reader.fields(node, "config.BasicAuth");
    fields.unsupported(&["username_ref", "password_ref"]);
    let auth = BasicAuth {
        username: fields.string_or_empty("username"),
        username_file: fields.path("username_file"),
        password: fields.secret("password"),
        password_file: fields.path("password_file"),
    };
    if !auth.username.is_empty() && auth.username_file.is_some() {
        fields.error(
            "username_file",
            "at most one of basic_auth username, username_file & username_ref must be configured",
        );
    }
    if !auth.password.is_empty() && auth.password_file.is_some() {
        fields.error(
            "password_file",
            "at most one of basic_auth password, password_file & password_ref must be configured",
        );
    }
    fields.finish();
    Some(auth)
}

fn read_authorization(parent: &mut Fields<'_, '_>) -> Option<Authorization> {
    let node = parent.node("authorization")?;
    let mut fields = parent.reader.fields(node, "config.Authorization");
    fields.unsupported(&["credentials_ref"]);
    let kind = fields.string_or_empty("type").trim().to_owned();
    let auth = Authorization {
        kind: if kind.is_empty() { "Bearer".to_owned() } else { kind },
        credentials: fields.secret("credentials"),
        credentials_file: fields.path("credentials_file"),
    };
    if !auth.credentials.is_empty() && auth.credentials_file.is_some() {
        fields.error(
            "credentials_file",
            "at most one of authorization credentials & credentials_file must be configured",
        );
    }
    if auth.kind.eq_ignore_ascii_case("basic") {
        fields.error("type", "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    }
    fields.finish();
    Some(auth)
}

/// Reads TLS settings.
pub(crate) fn read_tls(parent: &mut Fields<'_, '_>, name: &'static str) -> TlsConfig {
    let Some(node) = parent.node(name) else { return TlsConfig::default() };
    let mut fields = parent.reader.fields(node, "config.plain");
    fields.unsupported(&["ca_ref", "cert_ref", "key_ref"]);
    let tls = TlsConfig {
        ca: fields.string_or_empty("ca"),
        ca_file: fields.path("ca_file"),
        cert: fields.string_or_empty("cert"),
        cert_file: fields.path("cert_file"),
        key: fields.secret("key"),
        key_file: fields.path("key_file"),
        server_name: fields.string_or_empty("server_name"),
        insecure_skip_verify: fields.bool("insecure_skip_verify").unwrap_or(false),
        min_version: read_tls_version(&mut fields, "min_version"),
        max_version: read_tls_version(&mut fields, "max_version"),
    };
    let (cert, cert_file) = (!tls.cert.is_empty(), tls.cert_file.is_some());
    let (key, key_file) = (!tls.key.is_empty(), tls.key_file.is_some());
    if !tls.ca.is_empty() && tls.ca_file.is_some() {
        fields.error("ca_file", "at most one of ca, ca_file & ca_ref must be configured");
    }
    if cert && cert_file {
        fields.error("cert_file", "at most one of cert, cert_file & cert_ref must be configured");
    }
    if key && key_file {
        fields.error("key_file", "at most one of key, key_file & key_ref must be configured");
    }
    let at = fields.place;
    if (cert || cert_file) && !(key || key_file) {
        let text =
            "exactly one of key or key_file must be configured when a client certificate is configured";
        fields.reader.error(at, text);
    }
    if (key || key_file) && !(cert || cert_file) {
        let text = "exactly one of cert or cert_file must be configured when a client key is configured";
        fields.reader.error(at, text);
    }
    if let (Some(min), Some(max)) = (tls.min_version, tls.max_version)
        && max < min
    {
        let text = "tls_config.max_version must be greater than or equal to tls_config.min_version \
                    if both are specified";
        fields.error("max_version", text);
    }
    if tls.max_version.is_some_and(|max| max < TlsVersion::Tls12) {
        fields.reader.unsupported(fields.place_of("max_version"), "max_version below TLS12");
    }
    fields.finish();
    tls
}

fn read_tls_version(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<TlsVersion> {
    let text = fields.string(name)?;
    let version = TlsVersion::ALL.into_iter().find(|version| version.as_str() == text);
    if version.is_none() {
        fields.error(name, format!("unknown TLS version: {text}"));
    }
    version
}

fn read_headers(parent: &mut Fields<'_, '_>) -> BTreeMap<String, HttpHeader> {
    let mut headers = BTreeMap::new();
    let Some(node) = parent.node("http_headers") else { return headers };
    let mut fields = parent.reader.fields(node, "config.Headers");
    for (key, value) in fields.rest() {
        if RESERVED_HEADERS.contains(&key.text.to_ascii_lowercase().as_str()) {
            let message = format!("setting header \"{}\" is not allowed", canonical(&key.text));
            parent.reader.error(key.place, message);
        }
        let mut header = parent.reader.fields(value, "config.Header");
        headers.insert(
            key.text.clone(),
            HttpHeader {
                values: header.plain_strings("values"),
                secrets: header.plain_strings("secrets").into_iter().map(Secret::new).collect(),
                files: header.plain_strings("files").into_iter().map(PathBuf::from).collect(),
            },
        );
        header.finish();
    }
    headers
}

/// Writes a header's name as Go does: `x-foo` as `X-Foo`.
fn canonical(name: &str) -> String {
    let mut upper = true;
    name.chars()
        .map(|c| {
            let c = if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            upper = c == '-';
            c
        })
        .collect()
}

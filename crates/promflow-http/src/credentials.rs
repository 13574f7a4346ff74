//! Headers that come from the settings: credentials and headers to add, their files read anew for each request.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use promflow_config::HttpClientConfig;

use crate::error::{HttpError, HttpErrorKind};

/// Returns the headers to add.
///
/// Errors: a file cannot be read, or a value cannot stand in a header; the text names it and holds no secret.
pub(crate) fn headers(config: &HttpClientConfig) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    for (name, header) in &config.http_headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| HttpError::new(HttpErrorKind::Invalid, format!("invalid header name \"{name}\"")))?;
        for value in &header.values {
            headers.append(&name, header_value(name.as_str(), value, false)?);
        }
        for value in &header.secrets {
            headers.append(&name, header_value(name.as_str(), value.expose(), true)?);
        }
        for file in &header.files {
            let value = read(file, &format!("http header {name}"))?;
            headers.append(&name, header_value(name.as_str(), &value, true)?);
        }
    }
    if let Some(auth) = &config.basic_auth {
        let username = match &auth.username_file {
            Some(file) => read(file, "basic auth username")?,
            None => auth.username.clone(),
        };
        let password = match &auth.password_file {
            Some(file) => read(file, "basic auth password")?,
            None => auth.password.expose().to_owned(),
        };
        let value = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
        headers.insert(AUTHORIZATION, header_value("Authorization", &value, true)?);
    }
    if let Some(auth) = &config.authorization {
        let credentials = match &auth.credentials_file {
            Some(file) => read(file, "authorization credentials")?,
            None => auth.credentials.expose().to_owned(),
        };
        let kind = if auth.kind.is_empty() { "Bearer" } else { &auth.kind };
        headers.insert(AUTHORIZATION, header_value("Authorization", &format!("{kind} {credentials}"), true)?);
    }
    Ok(headers)
}

fn read(file: &Path, what: &str) -> Result<String, HttpError> {
    std::fs::read_to_string(file).map(|text| text.trim().to_owned()).map_err(|e| {
        let text = format!("unable to read {what} file \"{}\": {}", file.display(), plain(&e));
        HttpError::new(HttpErrorKind::Credentials, text)
    })
}

/// Writes an error of the operating system in lower case and without its number.
pub(crate) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

fn header_value(name: &str, value: &str, secret: bool) -> Result<HeaderValue, HttpError> {
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        HttpError::new(HttpErrorKind::Invalid, format!("header \"{name}\" has a value that cannot be sent"))
    })?;
    header.set_sensitive(secret);
    Ok(header)
}

//! Parameters of a request: the query of the URL, and the form in the body.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use promflow_model::{Matcher, duration, float, quote, time};

use crate::respond::ApiError;

/// The largest form: a query is at most a megabyte, as Prometheus's clients send it.
const FORM_BYTES_MAX: usize = 1 << 20;

/// Names and values, in the order sent; those of the URL first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let mut all = parse_form(request.uri().query().unwrap_or_default().as_bytes());
        let is_form = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.starts_with("application/x-www-form-urlencoded"));
        if is_form {
            all.extend(parse_form(&read_body(request.into_body()).await?));
        }
        Ok(Self(all))
    }
}

async fn read_body(body: Body) -> Result<Vec<u8>, ApiError> {
    match Limited::new(body, FORM_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(e) => Err(ApiError::bad_data(format!("error parsing form values: {e}"))),
    }
}

fn parse_form(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).map(|(n, v)| (n.into_owned(), v.into_owned())).collect()
}

impl Params {
    /// Returns the first value of a parameter, or `""`.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    /// Returns all values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Returns a time in milliseconds since the epoch, or the default when the parameter is not there.
    pub(crate) fn time_or(&self, name: &str, default_ms: i64) -> Result<i64, ApiError> {
        match self.get(name) {
            "" => Ok(default_ms),
            text => time::parse_api(text)
                .map_err(|e| ApiError::invalid(name, &format!("Invalid time value for '{name}': {e}"))),
        }
    }

    /// Returns a time that has to be there, in milliseconds since the epoch.
    pub(crate) fn time(&self, name: &str) -> Result<i64, ApiError> {
        time::parse_api(self.get(name)).map_err(|e| ApiError::invalid(name, &e))
    }

    /// Returns a duration in milliseconds: seconds with a fraction, or Prometheus's form.
    pub(crate) fn duration(&self, name: &str) -> Result<i64, ApiError> {
        parse_duration(self.get(name)).map_err(|e| ApiError::invalid(name, &e))
    }

    /// Returns a duration in milliseconds, `None` when the parameter is not there.
    pub(crate) fn optional_duration(&self, name: &str) -> Result<Option<i64>, ApiError> {
        if self.get(name).is_empty() { Ok(None) } else { self.duration(name).map(Some) }
    }

    /// Returns a count; 0 when the parameter is not there.
    pub(crate) fn limit(&self, name: &str) -> Result<usize, ApiError> {
        match self.get(name) {
            "" => Ok(0),
            text => text.parse().map_err(|_| {
                ApiError::invalid(name, &format!("{} is not a non-negative number", quote::quote(text)))
            }),
        }
    }

    /// Returns the selectors of `match[]`, each a list of matchers.
    pub(crate) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, ApiError> {
        self.all("match[]")
            .map(|text| {
                promflow_syntax::parse_metric_selector(text)
                    .map_err(|e| ApiError::invalid("match[]", &e.to_string()))
            })
            .collect()
    }
}

fn parse_duration(text: &str) -> Result<i64, String> {
    if let Some(seconds) = float::parse(text) {
        let ms = seconds * 1000.0;
        if !ms.is_finite() || ms.abs() > 9.2e15 {
            return Err(format!(
                "cannot parse {} to a valid duration. It overflows int64",
                quote::quote(text)
            ));
        }
        return Ok(ms.round() as i64);
    }
    duration::parse(text).map_err(|_| format!("cannot parse {} to a valid duration", quote::quote(text)))
}

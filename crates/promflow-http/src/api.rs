//! A client of Prometheus's HTTP API, and the shapes of its answers.

mod shapes;

use std::collections::BTreeMap;
use std::time::Duration;

use promflow_config::HttpClientConfig;
use serde::de::DeserializeOwned;

use crate::client::HttpClient;
use crate::error::{HttpError, HttpErrorKind};
use crate::request::Request;

pub use shapes::{
    ActiveTarget, Alert, Alerts, Answer, BuildInfo, DroppedTarget, MatrixSeries, MetricMetadata, QueryData,
    Rule, RuleGroup, Rules, ServerConfig, Targets, VectorSample,
};

/// Asks a server that speaks Prometheus's HTTP API.
///
/// Errors: of all methods: no answer came, the server refused (`Status`, with the server's own text), or the answer
/// has another shape (`Answer`).
#[derive(Debug)]
pub struct ApiClient {
    client: HttpClient,
    base: String,
    timeout: Duration,
}

impl ApiClient {
    /// Sets a client up for a server, named by the URL under which `/api/v1` stands.
    pub fn new(base: &str, config: &HttpClientConfig) -> Result<Self, HttpError> {
        let base = base.trim_end_matches('/');
        let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
        Ok(Self { client: HttpClient::new(config)?, base, timeout: Duration::from_secs(120) })
    }

    /// Sets how long an answer may take; two minutes unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Evaluates an expression at a time (as the API takes it; now when empty).
    pub async fn query(&self, expr: &str, time: &str) -> Result<Answer<QueryData>, HttpError> {
        self.post("query", &[("query", expr), ("time", time)]).await
    }

    /// Evaluates an expression over a range; times and step as the API takes them.
    pub async fn query_range(
        &self,
        expr: &str,
        start: &str,
        end: &str,
        step: &str,
    ) -> Result<Answer<QueryData>, HttpError> {
        self.post("query_range", &[("query", expr), ("start", start), ("end", end), ("step", step)]).await
    }

    /// Lists the label sets of the series that one of the selectors selects.
    pub async fn series(
        &self,
        matches: &[&str],
        start: &str,
        end: &str,
    ) -> Result<Answer<Vec<BTreeMap<String, String>>>, HttpError> {
        let mut fields = vec![("start", start), ("end", end)];
        fields.extend(matches.iter().map(|m| ("match[]", *m)));
        self.post("series", &fields).await
    }

    /// Lists label names.
    pub async fn label_names(&self, matches: &[&str]) -> Result<Answer<Vec<String>>, HttpError> {
        let fields: Vec<_> = matches.iter().map(|m| ("match[]", *m)).collect();
        self.post("labels", &fields).await
    }

    /// Lists the values of a label.
    pub async fn label_values(
        &self,
        name: &str,
        matches: &[&str],
        start: &str,
        end: &str,
    ) -> Result<Answer<Vec<String>>, HttpError> {
        let mut fields = vec![("start", start), ("end", end)];
        fields.extend(matches.iter().map(|m| ("match[]", *m)));
        let path = format!(
            "label/{}/values",
            url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>()
        );
        self.get(&path, &fields).await
    }

    /// Lists the targets, active and dropped.
    pub async fn targets(&self) -> Result<Answer<Targets>, HttpError> {
        self.get("targets", &[]).await
    }

    /// Lists the rule groups with their state.
    pub async fn rules(&self) -> Result<Answer<Rules>, HttpError> {
        self.get("rules", &[]).await
    }

    /// Lists the alerts that are pending or firing.
    pub async fn alerts(&self) -> Result<Answer<Alerts>, HttpError> {
        self.get("alerts", &[]).await
    }

    /// Lists what targets say about metric families.
    pub async fn metadata(&self) -> Result<Answer<BTreeMap<String, Vec<MetricMetadata>>>, HttpError> {
        self.get("metadata", &[]).await
    }

    /// Tells what the server is configured with.
    pub async fn config(&self) -> Result<Answer<ServerConfig>, HttpError> {
        self.get("status/config", &[]).await
    }

    /// Says which server it is.
    pub async fn build_info(&self) -> Result<Answer<BuildInfo>, HttpError> {
        self.get("status/buildinfo", &[]).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Answer<T>, HttpError> {
        let mut url = format!("{}/api/v1/{path}", self.base);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if !query.is_empty() {
            url.push('?');
            url.push_str(&query);
        }
        self.ask(Request::get(url)).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Answer<T>, HttpError> {
        let fields: Vec<_> = fields.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
        self.ask(Request::post_form(format!("{}/api/v1/{path}", self.base), &fields)).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<Answer<T>, HttpError> {
        let request = request.timeout(self.timeout);
        let mut body = Vec::new();
        let response = self.client.fetch(&request, &mut body).await?;
        let answer: Result<shapes::Envelope<T>, _> = serde_json::from_slice(&body);
        match answer {
            Ok(shapes::Envelope { status, data: Some(data), warnings, infos, .. }) if status == "success" => {
                Ok(Answer { data, warnings, infos })
            }
            Ok(envelope) if !envelope.error.is_empty() => {
                let text = format!("{}: {}", envelope.error_type, envelope.error);
                Err(HttpError::new(HttpErrorKind::Status, text))
            }
            _ if !response.status.is_success() => {
                let text = format!("server returned HTTP status {}", response.status_text());
                Err(HttpError::new(HttpErrorKind::Status, text).of_request(&request))
            }
            Ok(_) => Err(HttpError::new(HttpErrorKind::Answer, "answer without data").of_request(&request)),
            Err(e) => {
                Err(HttpError::new(HttpErrorKind::Answer, format!("unexpected answer: {e}"))
                    .of_request(&request))
            }
        }
    }
}

//! `promflow cardinality`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use promflow_config::HttpClientConfig;
use promflow_flow::cardinality::{Count, CountSource, JobLimits, cardinality, limits_in};
use promflow_http::{ApiClient, QueryData};
use promflow_model::Clock;
use tokio::runtime::Handle;

use super::flow;
use crate::args::CardinalityArguments;
use crate::clock::SystemClock;

/// Prints where a server's series come from.
///
/// Errors: the server does not answer, or refuses.
pub(crate) async fn run(arguments: &CardinalityArguments) -> Result<()> {
    let client = ApiClient::new(&arguments.url, &HttpClientConfig::default())
        .with_context(|| format!("{:?} is no address of a server", arguments.url))?;
    let now_ms = SystemClock.now_ms();
    let counted = tokio::task::block_in_place(|| {
        cardinality(&Remote { client: &client, runtime: Handle::current() }, now_ms, arguments.limit.into())
    });
    let counted = counted
        .map_err(|message| anyhow::anyhow!(message))
        .with_context(|| format!("cannot count the series of {}", arguments.url))?;
    flow::answer(arguments.json, &counted, || counted.text())
}

/// A server that is asked over its API, one query after the other.
struct Remote<'c> {
    client: &'c ApiClient,
    runtime: Handle,
}

impl CountSource for Remote<'_> {
    fn query(&self, expr: &str) -> Result<Vec<Count>, String> {
        let answer = self.runtime.block_on(self.client.query(expr, "")).map_err(|e| e.to_string())?;
        let QueryData::Vector(samples) = answer.data else { return Ok(Vec::new()) };
        let counts = samples.into_iter().filter_map(|sample| {
            let value = sample.value?.1.parse().ok()?;
            Some(Count { labels: sample.metric, value })
        });
        Ok(counts.collect())
    }

    fn label_names(&self, selector: &str) -> Result<Vec<String>, String> {
        let answer =
            self.runtime.block_on(self.client.label_names(&[selector])).map_err(|e| e.to_string())?;
        Ok(answer.data)
    }

    fn limits(&self) -> Result<Option<BTreeMap<String, JobLimits>>, String> {
        let answer = self.runtime.block_on(self.client.config()).map_err(|e| e.to_string())?;
        limits_in(&answer.data.yaml).map(Some)
    }
}

//! What has to be done now and then.

use std::sync::Arc;
use std::time::Duration;

use promflow_model::Clock;
use promflow_tsdb::Head;

/// How often old samples are dropped: often enough that the byte budget is never exceeded by much.
const TRUNCATE_INTERVAL: Duration = Duration::from_secs(15);

/// Drops what is older than the retention, or over the budget, until the server ends.
pub(crate) async fn truncate_head(head: Arc<Head>, clock: Arc<dyn Clock>) {
    let mut ticks = tokio::time::interval(TRUNCATE_INTERVAL);
    loop {
        ticks.tick().await;
        let (head, now_ms) = (head.clone(), clock.now_ms());
        if tokio::task::spawn_blocking(move || head.truncate(now_ms)).await.is_err() {
            tracing::error!("dropping old samples panicked");
        }
    }
}

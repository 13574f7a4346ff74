//! Keeps the notifier supplied with the Alertmanagers that discovery finds.

use std::sync::{Arc, Mutex, MutexGuard};

use promflow_config::Config;
use promflow_discovery::{Discovery, DiscoveryMetrics};
use promflow_notify::{AlertmanagerSet, Notifier};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// The discovery of Alertmanagers for the configuration in use.
pub(crate) struct Alertmanagers {
    notifier: Arc<Notifier>,
    metrics: DiscoveryMetrics,
    runtime: Handle,
    /// Held while Alertmanagers are handed over: a task that was replaced must not hand its own over afterwards.
    watching: Arc<Mutex<Watching>>,
}

#[derive(Default)]
struct Watching {
    generation: u64,
    task: Option<AbortHandle>,
}

impl Alertmanagers {
    pub(crate) fn new(notifier: Arc<Notifier>, metrics: DiscoveryMetrics, runtime: Handle) -> Self {
        Self { notifier, metrics, runtime, watching: Arc::default() }
    }

    /// Finds the Alertmanagers of a configuration, hands them to the notifier, and goes on watching their files.
    ///
    /// Errors: a client cannot be built; nothing is changed then.
    pub(crate) fn apply(&self, config: &Config) -> Result<(), String> {
        let _runtime = self.runtime.enter();
        let mut sets = Sets::find(config, &self.metrics);
        let mut watching = lock(&self.watching);
        sets.hand_over(&self.notifier)?;
        watching.generation += 1;
        let (generation, shared, notifier) =
            (watching.generation, self.watching.clone(), self.notifier.clone());
        let task = self.runtime.spawn(async move {
            loop {
                sets.changed().await;
                let watching = lock(&shared);
                if watching.generation != generation {
                    return;
                }
                if let Err(e) = sets.hand_over(&notifier) {
                    tracing::error!(error = %e, "the Alertmanagers found are not used");
                }
            }
        });
        if let Some(before) = watching.task.replace(task.abort_handle()) {
            before.abort();
        }
        Ok(())
    }
}

fn lock(watching: &Mutex<Watching>) -> MutexGuard<'_, Watching> {
    watching.lock().expect("BUG: a thread panicked while it handed Alertmanagers over")
}

struct Sets {
    config: Config,
    discoveries: Vec<Discovery>,
}

impl Sets {
    fn find(config: &Config, metrics: &DiscoveryMetrics) -> Self {
        let discoveries = config.alerting.alertmanagers.iter().enumerate().map(|(i, set)| {
            let name = format!("config-{i}");
            Discovery::start(&name, "notify", &set.static_configs, &set.file_sd_configs, metrics)
        });
        Self { discoveries: discoveries.collect(), config: config.clone() }
    }

    fn hand_over(&mut self, notifier: &Notifier) -> Result<(), String> {
        let alerting = &self.config.alerting;
        let sets: Vec<AlertmanagerSet> = alerting
            .alertmanagers
            .iter()
            .zip(&mut self.discoveries)
            .map(|(config, discovery)| AlertmanagerSet { config: config.clone(), groups: discovery.groups() })
            .collect();
        notifier.apply(
            self.config.global.external_labels.clone(),
            alerting.alert_relabel_configs.clone(),
            &sets,
        )
    }

    /// Waits until one of the discoveries has found something new.
    async fn changed(&mut self) {
        if self.discoveries.is_empty() {
            std::future::pending::<()>().await;
        }
        let waiting = self.discoveries.iter_mut().map(|discovery| Box::pin(discovery.changed()));
        first_of(waiting.collect()).await;
    }
}

/// Waits for the first of several futures.
async fn first_of<F: Future<Output = ()> + Unpin>(mut futures: Vec<F>) {
    std::future::poll_fn(|context| {
        let ready = futures.iter_mut().any(|f| std::pin::Pin::new(f).poll(context).is_ready());
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

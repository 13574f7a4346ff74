//! Background tasks: a queue and its workers.

use std::sync::Arc;
use std::time::Duration;

use promflow::Registry;
use promflow::tasks::Task;
use tokio::sync::{Mutex, mpsc};

use crate::accounts::{self, CREDIT_KINDS};
use crate::{App, metrics};

/// How many tasks run at once.
pub(crate) const WORKERS: usize = 4;
const QUEUE_MAX: usize = 1000;
/// A task is tried so often before it has failed.
const ATTEMPTS_MAX: u32 = 3;
const RETRY_WAIT: Duration = Duration::from_millis(200);
/// So often the store of exports is not there when it is needed.
const STORE_ERROR_SHARE: f64 = 0.03;
const PACK_USD: f64 = 20.0;

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Write an account's credits in a format.
    Export { account: u64, format: &'static str },
    /// Buy an account a pack of credits.
    Recharge { account: u64, kind: usize },
}

/// Where jobs wait.
pub(crate) struct Queue {
    sender: mpsc::Sender<Job>,
    export: Task,
    recharge: Task,
}

/// The workers' end of the queue.
pub(crate) type Jobs = Arc<Mutex<mpsc::Receiver<Job>>>;

/// Makes a queue.
pub(crate) fn queue(registry: &Registry) -> (Queue, Jobs) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    let queue =
        Queue { sender, export: Task::new(registry, "export"), recharge: Task::new(registry, "recharge") };
    (queue, Arc::new(Mutex::new(receiver)))
}

impl Queue {
    /// Adds a job; `false` when the queue is full.
    pub(crate) fn push(&self, job: Job) -> bool {
        self.sender.try_send(job).is_ok()
    }
}

/// Works until the queue is closed.
pub(crate) async fn work(app: Arc<App>, jobs: Jobs) {
    loop {
        let job = jobs.lock().await.recv().await;
        let Some(job) = job else { return };
        let task = match job {
            Job::Export { .. } => &app.tasks.export,
            Job::Recharge { .. } => &app.tasks.recharge,
        };
        for attempt in 1..=ATTEMPTS_MAX {
            let run = task.start();
            match perform(&app, &job).await {
                Ok(()) => {
                    run.success();
                    break;
                }
                Err(_) if attempt < ATTEMPTS_MAX => run.retry(),
                Err(error) => {
                    run.failure();
                    eprintln!("task {job:?} failed {ATTEMPTS_MAX} times: {error}");
                }
            }
            tokio::time::sleep(RETRY_WAIT).await;
        }
    }
}

async fn perform(app: &App, job: &Job) -> Result<(), String> {
    match *job {
        Job::Export { account, format } => {
            let balance = app.accounts.balance(account).ok_or("no such account")?;
            tokio::time::sleep(app.random.millis(50, 400)).await;
            if app.random.chance(STORE_ERROR_SHARE) {
                return Err("the store of exports does not answer".to_owned());
            }
            let written = write_export(account, format, balance);
            metrics::EXPORTS.with(&[format]).inc();
            app.events.publish(format!("export of {} bytes for account {account}", written.len()));
        }
        Job::Recharge { account, kind } => top_up(app, account, kind).await?,
    }
    Ok(())
}

/// Buys a pack of credits from Stripe and books it. While the fault `credits` is on, nothing is bought.
pub(crate) async fn top_up(app: &App, account: u64, kind: usize) -> Result<(), String> {
    if app.faults.is_on("credits") {
        return Ok(());
    }
    app.paid_apis.charge(&accounts::user(account), PACK_USD).await?;
    app.accounts.add(account, kind, CREDIT_KINDS[kind].pack);
    metrics::TOPUPS.with(&[CREDIT_KINDS[kind].name]).inc();
    app.events.publish(format!("account {account} bought {} credits", CREDIT_KINDS[kind].name));
    Ok(())
}

fn write_export(account: u64, format: &str, balance: [f64; CREDIT_KINDS.len()]) -> String {
    let rows = CREDIT_KINDS.iter().zip(balance).map(|(kind, left)| (kind.name, left));
    match format {
        "csv" => rows.map(|(name, left)| format!("{account},{name},{left}\n")).collect(),
        _ => serde_json::Value::from_iter(rows).to_string(),
    }
}

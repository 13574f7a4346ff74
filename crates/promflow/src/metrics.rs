//! The metrics of a backend, each defined by one plain call, so that a reader of the source, or a tool, finds it.
//!
//! Names and labels are fixed: rules, dashboards and other languages' libraries rely on them. Each group takes the
//! registry it stands in; the parts of this crate that count ([`crate::tasks`], [`crate::credits`], ...) make the
//! groups they need.

use promflow_registry::{
    CounterFamily, GaugeFamily, HistogramFamily, Keep, RankedCounter, RankedGauge, RegisterError, Registry,
};

/// Upper bounds for requests and calls over a network.
///
/// Units: seconds.
pub const REQUEST_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds for background tasks.
///
/// Units: seconds.
pub const TASK_BUCKETS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Upper bounds for batches of messages.
///
/// Units: seconds.
pub const BATCH_BUCKETS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper bounds for commands to a cache.
///
/// Units: seconds.
pub const COMMAND_BUCKETS: [f64; 13] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// Upper bounds for the sizes of bodies.
///
/// Units: bytes.
pub const SIZE_BUCKETS: [f64; 7] = [100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8];

/// Requests that the backend answers.
#[derive(Clone, Debug)]
pub struct Http {
    /// Answered requests.
    pub requests: CounterFamily,
    /// How long they took.
    pub duration: HistogramFamily,
    /// Those under way.
    pub in_progress: GaugeFamily,
}

impl Http {
    /// Registers the group.
    pub fn new(registry: &Registry) -> Self {
        Self {
            requests: registry.counter(
                "http_requests_total",
                "HTTP requests answered, by method, route template and status code.",
                &["method", "endpoint", "status"],
            ),
            duration: registry.histogram(
                "http_request_duration_seconds",
                "Time from the request to the end of its response.",
                &["method", "endpoint"],
                &REQUEST_BUCKETS,
            ),
            in_progress: registry.gauge(
                "http_requests_in_progress",
                "HTTP requests being answered.",
                &["method"],
            ),
        }
    }
}

/// The sizes of requests and responses, which are measured when asked for.
#[derive(Clone, Debug)]
pub struct HttpSizes {
    /// Of the bodies of requests.
    pub request: HistogramFamily,
    /// Of the bodies of responses.
    pub response: HistogramFamily,
}

impl HttpSizes {
    /// Registers the group.
    pub fn new(registry: &Registry) -> Self {
        Self {
            request: registry.histogram(
                "http_request_size_bytes",
                "Size of the bodies of HTTP requests.",
                &["method", "endpoint"],
                &SIZE_BUCKETS,
            ),
            response: registry.histogram(
                "http_response_size_bytes",
                "Size of the bodies of HTTP responses, as far as they were sent.",
                &["method", "endpoint"],
                &SIZE_BUCKETS,
            ),
        }
    }
}

/// Background tasks, under the names of the Celery world.
#[derive(Clone, Debug)]
pub struct Tasks {
    /// Ended runs.
    pub total: CounterFamily,
    /// How long they took.
    pub duration: HistogramFamily,
}

impl Tasks {
    /// Registers the group.
    pub fn new(registry: &Registry) -> Self {
        Self {
            total: registry.counter(
                "celery_tasks_total",
                "Runs of background tasks, by how they ended.",
                &["task", "state"],
            ),
            duration: registry.histogram(
                "celery_task_duration_seconds",
                "Time that a run of a background task took.",
                &["task"],
                &TASK_BUCKETS,
            ),
        }
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct System {
    /// How busy its processors are.
    pub cpu_usage_percent: GaugeFamily,
}

impl System {
    /// Registers the group.
    pub fn new(registry: &Registry) -> Self {
        Self {
            cpu_usage_percent: registry.gauge(
                "system_cpu_usage_percent",
                "Share of processor time in use since the page before, from 0 to 100.",
                &[],
            ),
        }
    }
}

/// Credits of users whose labels are bounded: see [`crate::credits::Users`].
#[derive(Clone, Debug)]
pub struct Credits {
    /// Those used.
    pub used: CounterFamily,
    /// Those left.
    pub remaining: GaugeFamily,
    /// Accounts by how much is left.
    pub accounts: GaugeFamily,
}

impl Credits {
    /// Registers the group.
    pub fn new(registry: &Registry) -> Self {
        Self {
            used: registry.counter(
                "credits_used_total",
                "Credits used, by user and type.",
                &["user", "type"],
            ),
            remaining: registry.gauge(
                "credits_remaining",
                "Credits left, by user and type.",
                &["user", "type"],
            ),
            accounts: accounts(registry),
        }
    }
}

/// Credits of any number of users, of whom those are shown who use most, and those who have least left.
#[derive(Clone, Debug)]
pub struct RankedCredits {
    /// Those used.
    pub used: RankedCounter,
    /// Those left.
    pub remaining: RankedGauge,
    /// Accounts by how much is left.
    pub accounts: GaugeFamily,
}

impl RankedCredits {
    /// Registers the group, which shows so many users for each type.
    ///
    /// Errors: a metric of the registry has one of the names and differs.
    pub fn new(registry: &Registry, users: usize) -> Result<Self, RegisterError> {
        let used = registry.metric("credits_used_total", "Credits used, by user and type.");
        let remaining = registry.metric("credits_remaining", "Credits left, by user and type.");
        Ok(Self {
            used: used.labels(&["user", "type"]).ranked_counter("user", users)?,
            remaining: remaining.labels(&["user", "type"]).ranked_gauge("user", Keep::Smallest(users))?,
            accounts: accounts(registry),
        })
    }
}

fn accounts(registry: &Registry) -> GaugeFamily {
    registry.gauge(
        "credits_accounts",
        "Accounts by whether they have no credits of a type, few, or enough.",
        &["type", "bucket"],
    )
}

/// Calls to an API that costs money.
#[derive(Clone, Debug)]
pub struct PaidApi {
    /// Answered and failed calls.
    pub calls: CounterFamily,
    /// How long they took.
    pub duration: HistogramFamily,
    /// What they cost.
    pub spend: CounterFamily,
}

impl PaidApi {
    /// Registers the group of Stripe.
    pub fn stripe(registry: &Registry) -> Self {
        Self {
            calls: registry.counter(
                "stripe_api_calls_total",
                "Calls to Stripe, by operation and outcome.",
                &["operation", "outcome"],
            ),
            duration: registry.histogram(
                "stripe_api_call_duration_seconds",
                "Time that a call to Stripe took.",
                &["operation"],
                &REQUEST_BUCKETS,
            ),
            spend: registry.counter(
                "stripe_spend_usd_total",
                "Fees paid to Stripe, in US dollars.",
                &["operation"],
            ),
        }
    }

    /// Registers the group of VAPI.
    pub fn vapi(registry: &Registry) -> Self {
        Self {
            calls: registry.counter(
                "vapi_api_calls_total",
                "Calls to VAPI, by operation and outcome.",
                &["operation", "outcome"],
            ),
            duration: registry.histogram(
                "vapi_api_call_duration_seconds",
                "Time that a call to VAPI took.",
                &["operation"],
                &REQUEST_BUCKETS,
            ),
            spend: registry.counter(
                "vapi_spend_usd_total",
                "Fees paid to VAPI, in US dollars.",
                &["operation"],
            ),
        }
    }

    /// Registers the group of any API.
    ///
    /// Panics: when the name does not begin a metric's name.
    pub fn named(registry: &Registry, api: &str) -> Self {
        let (labels, operation) = (["operation", "outcome"], ["operation"]);
        let (calls, duration) =
            (format!("{api}_api_calls_total"), format!("{api}_api_call_duration_seconds"));
        let spend = format!("{api}_spend_usd_total");
        Self {
            calls: registry.counter(&calls, &format!("Calls to {api}, by operation and outcome."), &labels),
            duration: registry.histogram(
                &duration,
                &format!("Time that a call to {api} took."),
                &operation,
                &REQUEST_BUCKETS,
            ),
            spend: registry.counter(&spend, &format!("Fees paid to {api}, in US dollars."), &operation),
        }
    }
}

/// A consumer of Pulsar topics.
#[derive(Clone, Debug)]
pub struct Pulsar {
    /// Messages that were processed, or failed to be.
    pub processed: CounterFamily,
    /// Messages given up.
    pub dead_letters: CounterFamily,
    /// How long batches took.
    pub batch: HistogramFamily,
    /// Messages received and not yet processed.
    pub queue_size: GaugeFamily,
    /// When a message was last processed.
    pub last_processed: GaugeFamily,
}

impl Pulsar {
    /// Registers the group.
    pub fn new(registry: &Registry) -> Self {
        Self {
            processed: registry.counter(
                "pulsar_messages_processed_total",
                "Messages consumed, by topic and outcome.",
                &["topic", "outcome"],
            ),
            dead_letters: registry.counter(
                "pulsar_dlq_messages_total",
                "Messages sent to the dead letter topic.",
                &["topic"],
            ),
            batch: registry.histogram(
                "pulsar_batch_processing_seconds",
                "Time that a batch of messages took.",
                &["topic"],
                &BATCH_BUCKETS,
            ),
            queue_size: registry.gauge(
                "pulsar_consumer_queue_size",
                "Messages that wait in the consumer.",
                &["topic"],
            ),
            last_processed: registry.gauge(
                "pulsar_last_processed_timestamp_seconds",
                "When a message was last processed, in seconds since 1970; 0 before the first.",
                &["topic"],
            ),
        }
    }
}

/// A client of Redis.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Answered and failed commands.
    pub commands: CounterFamily,
    /// How long they took.
    pub duration: HistogramFamily,
    /// Connections of the pool.
    pub pool_connections: GaugeFamily,
}

impl Redis {
    /// Registers the group.
    pub fn new(registry: &Registry) -> Self {
        Self {
            commands: registry.counter(
                "redis_client_commands_total",
                "Commands sent to Redis, by command and outcome.",
                &["command", "outcome"],
            ),
            duration: registry.histogram(
                "redis_client_command_duration_seconds",
                "Time that a command to Redis took.",
                &["command"],
                &COMMAND_BUCKETS,
            ),
            pool_connections: registry.gauge(
                "redis_client_pool_connections",
                "Connections of the pool to Redis, by state.",
                &["state"],
            ),
        }
    }
}

/// The process itself.
#[derive(Clone, Debug)]
pub struct Process {
    /// Processor time.
    pub cpu_seconds: CounterFamily,
    /// Memory in use.
    pub resident_memory: GaugeFamily,
    /// Memory addressed.
    pub virtual_memory: GaugeFamily,
    /// How much may be addressed.
    pub virtual_memory_max: GaugeFamily,
    /// Memory that the program writes: its heap, and the stacks of its threads.
    pub heap: GaugeFamily,
    /// Open files and sockets.
    pub open_fds: GaugeFamily,
    /// How many may be open.
    pub max_fds: GaugeFamily,
    /// When it started.
    pub start_time: GaugeFamily,
    /// Its threads.
    pub threads: GaugeFamily,
}

impl Process {
    /// Registers the group.
    pub fn new(registry: &Registry) -> Self {
        Self {
            cpu_seconds: registry.counter(
                "process_cpu_seconds_total",
                "Processor time spent, of user and system.",
                &[],
            ),
            resident_memory: registry.gauge("process_resident_memory_bytes", "Resident memory.", &[]),
            virtual_memory: registry.gauge("process_virtual_memory_bytes", "Virtual memory.", &[]),
            virtual_memory_max: registry.gauge(
                "process_virtual_memory_max_bytes",
                "Limit of virtual memory; 2^64 when there is none.",
                &[],
            ),
            heap: registry.gauge(
                "process_heap_bytes",
                "Private writable memory: the heap, and the stacks of threads.",
                &[],
            ),
            open_fds: registry.gauge("process_open_fds", "Open file descriptors.", &[]),
            max_fds: registry.gauge("process_max_fds", "Limit of open file descriptors.", &[]),
            start_time: registry.gauge(
                "process_start_time_seconds",
                "When the process started, in seconds since 1970.",
                &[],
            ),
            threads: registry.gauge("process_threads", "Threads of the process.", &[]),
        }
    }
}

/// Says on the page which build runs: `app_build_info`, always 1.
pub fn build_info(registry: &Registry, version: &str, revision: &str) {
    registry
        .gauge(
            "app_build_info",
            "Version and revision of the application; always 1.",
            &["version", "revision"],
        )
        .with(&[version, revision])
        .set(1.0);
}

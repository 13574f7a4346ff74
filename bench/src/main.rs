//! Measures promflow beside its peers, in one run: `cargo xtask bench instrument`.
//!
//! Everybody takes turns in many rounds, so that what else the machine does disturbs all alike, and the best figure
//! counts, which is the least disturbed. Two threads count only when they ran at the same time: one that waited for a
//! processor until the other had ended met nobody.

mod layers;
mod peers;
mod report;
mod workload;

use std::sync::Barrier;
use std::time::Instant;

use layers::{Layered, Services};
use peers::{Peer, Work};
use workload::Workload;

const USAGE: &str = "usage: promflow-bench [--json] [--rounds N]";
const ROUNDS: usize = 25;
const BATCH: u64 = 100_000;
/// How often two threads are sent to meet in a round.
const MEETINGS: usize = 10;
/// Which part of their time two threads have to run beside each other.
const OVERLAP_MIN: f64 = 0.8;
const PAGES: usize = 4;
const REQUESTS: u32 = 4_000;

/// What is measured, in the order of the table.
const WORK: [&str; 7] = [
    "increment, handle",
    "increment, lookup by 2 labels",
    "observe, 12 buckets",
    "increment, handle, 2 threads",
    "increment, lookup, 2 threads",
    "observe, 2 threads",
    "page of 10,000 series, per series",
];

struct Row {
    name: &'static str,
    /// Nanoseconds, of each round.
    rounds: Vec<[f64; WORK.len()]>,
    page_bytes: usize,
}

impl Row {
    fn figure(&self, work: usize) -> f64 {
        self.rounds.iter().map(|round| round[work]).fold(f64::INFINITY, f64::min)
    }
}

/// What layers add to requests.
struct Layers {
    /// Around what they stand.
    what: &'static str,
    names: Vec<&'static str>,
    /// Nanoseconds of a request, the one without layer first.
    request_ns: Vec<f64>,
}

impl Layers {
    fn of(what: &'static str, services: &[Layered]) -> Self {
        let names = services.iter().map(|service| service.name).collect();
        Self { what, names, request_ns: vec![f64::INFINITY; services.len()] }
    }

    /// Lists the layers and the nanoseconds that they add.
    fn added(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let plain = self.request_ns[0];
        self.names.iter().zip(&self.request_ns).skip(1).map(move |(name, ns)| (*name, ns - plain))
    }
}

fn main() {
    let mut json = false;
    let mut rounds = ROUNDS;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.by_ref()) {
            ("--json", _) => json = true,
            ("--rounds", rest) => {
                let Some(n) = rest.next().and_then(|n| n.parse().ok()) else { fail() };
                rounds = n;
            }
            _ => fail(),
        }
    }
    let work = Workload::new();
    let Services { axum, client, handle } = layers::services();
    let all = [
        peers::promflow(work),
        peers::prometheus(work),
        peers::prometheus_client(work),
        peers::metrics(work, handle.clone()),
        peers::measured(work),
        peers::fastmetrics(work),
    ];
    let mut rows: Vec<Row> =
        all.iter().map(|p| Row { name: p.name, rounds: Vec::new(), page_bytes: 0 }).collect();
    let mut layers = [Layers::of("an axum service", &axum), Layers::of("a client", &client)];
    for _ in 0..rounds.max(1) {
        for (peer, row) in all.iter().zip(&mut rows) {
            measure(peer, row);
        }
        for (services, layers) in [&axum, &client].into_iter().zip(&mut layers) {
            for (service, best) in services.iter().zip(&mut layers.request_ns) {
                *best = best.min((service.request_ns)(REQUESTS));
                // What the exporter keeps of requests is put away outside the time.
                handle.run_upkeep();
            }
        }
    }
    match json {
        true => report::print_json(&rows, &layers),
        false => report::print_tables(&rows, &layers),
    }
}

fn fail() -> ! {
    eprintln!("{USAGE}");
    std::process::exit(2);
}

fn measure(peer: &Peer, row: &mut Row) {
    let page = || {
        let start = Instant::now();
        let bytes = (0..PAGES).map(|_| (peer.encode)()).max().unwrap_or(0);
        (bytes, start.elapsed().as_nanos() as f64 / (PAGES * workload::SERIES) as f64)
    };
    let (bytes, page_ns) = page();
    row.page_bytes = bytes;
    row.rounds.push([
        alone(&peer.inc),
        alone(&peer.lookup),
        alone(&peer.observe),
        together(&peer.inc),
        together(&peer.lookup),
        together(&peer.observe),
        page_ns,
    ]);
}

fn alone(work: &Work) -> f64 {
    let start = Instant::now();
    work(BATCH);
    start.elapsed().as_nanos() as f64 / BATCH as f64
}

/// Runs the work in two threads at once; returns how long one step takes each of them.
fn together(work: &Work) -> f64 {
    let barrier = Barrier::new(2);
    let run = || {
        barrier.wait();
        let start = Instant::now();
        work(BATCH);
        (start, Instant::now())
    };
    let meet = || {
        std::thread::scope(|scope| {
            let other = scope.spawn(run);
            let own = run();
            let other = other.join().expect("BUG: the other thread ended early");
            let wall = own.1.max(other.1) - own.0.min(other.0);
            let both = own.1.min(other.1).saturating_duration_since(own.0.max(other.0));
            (both.as_secs_f64() >= OVERLAP_MIN * wall.as_secs_f64())
                .then(|| wall.as_nanos() as f64 / BATCH as f64)
        })
    };
    (0..MEETINGS).find_map(|_| meet()).unwrap_or(f64::INFINITY)
}

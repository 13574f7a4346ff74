//! What was measured, as tables or as JSON.

use serde_json::{Map, Value, json};

use crate::{Layers, Row, WORK, workload};

/// How much faster than promflow the best peer may be at incrementing what is at hand, which is one instruction for
/// everybody.
const HANDLE_RATIO_MIN: f64 = 1.0 / 1.35;

/// Something that promflow is to be good at.
struct Aim {
    what: String,
    promflow_ns: f64,
    best_peer: &'static str,
    best_peer_ns: f64,
    /// What the ratio of the best peer's time to promflow's is to be at least.
    ratio_min: f64,
}

impl Aim {
    fn new(what: &str, figures: impl IntoIterator<Item = (&'static str, f64)>, ratio_min: f64) -> Self {
        let mut figures = figures.into_iter();
        let promflow_ns = figures.next().map_or(f64::NAN, |(_, ns)| ns);
        let (best_peer, best_peer_ns) =
            figures.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(("nobody", f64::NAN));
        Self { what: what.to_owned(), promflow_ns, best_peer, best_peer_ns, ratio_min }
    }

    fn ratio(&self) -> f64 {
        self.best_peer_ns / self.promflow_ns
    }

    fn is_met(&self) -> bool {
        self.ratio() >= self.ratio_min
    }
}

fn aims(rows: &[Row], layers: &[Layers]) -> Vec<Aim> {
    let of_work = WORK.iter().enumerate().map(|(i, what)| {
        let ratio_min = if i == 0 { HANDLE_RATIO_MIN } else { 1.0 };
        Aim::new(what, rows.iter().map(|row| (row.name, row.figure(i))), ratio_min)
    });
    let of_layers =
        layers.iter().map(|layers| Aim::new(&format!("layer of {}", layers.what), layers.added(), 1.0));
    of_work.chain(of_layers).collect()
}

pub(crate) fn print_tables(rows: &[Row], layers: &[Layers]) {
    print!("| ns |");
    rows.iter().for_each(|row| print!(" {} |", row.name));
    println!("\n|---|{}", "---|".repeat(rows.len()));
    for (i, name) in WORK.iter().enumerate() {
        print!("| {name} |");
        rows.iter().for_each(|row| print!(" {:.1} |", row.figure(i)));
        println!();
    }
    print!("| page, MB/s |");
    rows.iter().for_each(|row| print!(" {:.0} |", page_rate(row)));
    println!("\n\n| aim | promflow, ns | best peer | ns | best peer / promflow | at least | |");
    println!("|---|---|---|---|---|---|---|");
    for aim in aims(rows, layers) {
        let Aim { what, promflow_ns, best_peer, best_peer_ns, ratio_min } = &aim;
        let met = if aim.is_met() { "met" } else { "NOT MET" };
        let ratio = aim.ratio();
        println!(
            "| {what} | {promflow_ns:.1} | {best_peer} | {best_peer_ns:.1} | {ratio:.2} | {ratio_min:.2} | {met} |"
        );
    }
    for layers in layers {
        println!("\nA request of {} without layer takes {:.0} ns.", layers.what, layers.request_ns[0]);
    }
}

/// Megabytes per second.
fn page_rate(row: &Row) -> f64 {
    row.page_bytes as f64 * 1e3 / (row.figure(WORK.len() - 1) * workload::SERIES as f64)
}

pub(crate) fn print_json(rows: &[Row], layers: &[Layers]) {
    let peers = rows.iter().map(|row| {
        let figures = WORK.iter().enumerate();
        let mut figures: Map<String, Value> =
            figures.map(|(i, name)| (format!("{name} (ns)"), row.figure(i).into())).collect();
        figures.insert("page (MB/s)".to_owned(), page_rate(row).into());
        (row.name.to_owned(), figures.into())
    });
    let layered = layers.iter().map(|layers| {
        let added: Map<String, Value> =
            layers.added().map(|(name, ns)| (name.to_owned(), ns.into())).collect();
        let figures = json!({ "request without layer (ns)": layers.request_ns[0], "added (ns)": added });
        (layers.what.to_owned(), figures)
    });
    let aims = aims(rows, layers).into_iter().map(|aim| {
        let figures = json!({
            "best peer": aim.best_peer,
            "best peer / promflow": aim.ratio(),
            "at least": aim.ratio_min,
            "met": aim.is_met(),
        });
        (aim.what, figures)
    });
    let all = json!({
        "aims": aims.collect::<Map<_, _>>(),
        "peers": peers.collect::<Map<_, _>>(),
        "layers": layered.collect::<Map<_, _>>(),
    });
    println!("{all:#}");
}

//! What a metric is, in a form that processes exchange.

use promflow_registry::GaugeMode;
use promflow_registry::payload::{push_text, push_texts, take, take_text, take_texts};

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Summary,
    Histogram,
    Info,
    Enum,
    /// A type that Python code defines: its samples are made there.
    Python,
    /// A single value of such a type, where processes share it.
    Value,
}

impl Kind {
    const ALL: [(Self, &str); 8] = [
        (Self::Counter, "counter"),
        (Self::Gauge, "gauge"),
        (Self::Summary, "summary"),
        (Self::Histogram, "histogram"),
        (Self::Info, "info"),
        (Self::Enum, "stateset"),
        (Self::Python, "python"),
        (Self::Value, "value"),
    ];

    /// Finds the type of a name; one that is not known is Python's.
    pub(crate) fn of(name: &str) -> Self {
        Self::ALL.iter().find(|(_, n)| *n == name).map_or(Self::Python, |(kind, _)| *kind)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// The name, help, labels and shape of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Desc {
    pub(crate) kind: Kind,
    pub(crate) mode: GaugeMode,
    /// Whether each process has values of its own, which are put together as the mode says.
    pub(crate) by_process: bool,
    /// Whether the series of a process bear its id even while there is only one process.
    pub(crate) always_pid: bool,
    /// How often a metric of this name was unregistered before: each registration begins at zero.
    pub(crate) instance: u32,
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) unit: String,
    pub(crate) labels: Vec<String>,
    /// The states of an enumeration; the type and the sample's name of a value.
    pub(crate) states: Vec<String>,
    /// Upper bounds of buckets, the last of which is infinity.
    pub(crate) bounds: Vec<f64>,
}

impl Desc {
    /// Counts the words that hold what is counted; they stand behind the first one.
    pub(crate) fn values(&self) -> usize {
        match self.kind {
            Kind::Counter | Kind::Gauge | Kind::Enum | Kind::Value => 1,
            Kind::Summary => 2,
            Kind::Histogram => 1 + self.bounds.len(),
            Kind::Info | Kind::Python => 0,
        }
    }

    /// Returns what tells the metric from others: all but its help and unit, which may be written anew.
    pub(crate) fn identity(&self) -> Vec<u8> {
        Self { help: String::new(), unit: String::new(), ..self.clone() }.encode()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let flags = u8::from(self.by_process) | u8::from(self.always_pid) << 1;
        let mut out = vec![self.kind as u8, self.mode.to_code(), flags];
        out.extend(self.instance.to_ne_bytes());
        for text in [&self.name, &self.help, &self.unit] {
            push_text(&mut out, text);
        }
        push_texts(&mut out, &self.labels);
        push_texts(&mut out, &self.states);
        self.bounds.iter().for_each(|bound| out.extend(bound.to_bits().to_ne_bytes()));
        out
    }

    /// Reads what another process wrote; nothing when it makes no sense.
    pub(crate) fn decode(mut input: &[u8]) -> Option<Self> {
        let input = &mut input;
        let [kind, mode, flags] = take(input)?;
        let instance = u32::from_ne_bytes(take(input)?);
        let (name, help, unit) = (take_text(input)?, take_text(input)?, take_text(input)?);
        let (labels, states) = (take_texts(input)?, take_texts(input)?);
        let mut bounds = Vec::new();
        while !input.is_empty() {
            bounds.push(f64::from_bits(u64::from_ne_bytes(take(input)?)));
        }
        let (kind, mode) = (Kind::ALL.get(usize::from(kind))?.0, GaugeMode::from_code(mode)?);
        let (by_process, always_pid) = (flags & 1 != 0, flags & 2 != 0);
        Some(Self { kind, mode, by_process, always_pid, instance, name, help, unit, labels, states, bounds })
    }
}

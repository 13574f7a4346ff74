//! What a metric is, in a form that processes exchange.

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

/// How a gauge of several processes is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All processes set and add to one value.
    Shared,
    All,
    LiveAll,
    Min,
    LiveMin,
    Max,
    LiveMax,
    Sum,
    LiveSum,
    MostRecent,
    LiveMostRecent,
}

impl Mode {
    const ALL: [(Self, &str); 11] = [
        (Self::Shared, ""),
        (Self::All, "all"),
        (Self::LiveAll, "liveall"),
        (Self::Min, "min"),
        (Self::LiveMin, "livemin"),
        (Self::Max, "max"),
        (Self::LiveMax, "livemax"),
        (Self::Sum, "sum"),
        (Self::LiveSum, "livesum"),
        (Self::MostRecent, "mostrecent"),
        (Self::LiveMostRecent, "livemostrecent"),
    ];

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(mode, _)| *mode)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Tells whether only processes that run count.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::LiveAll | Self::LiveMin | Self::LiveMax | Self::LiveSum | Self::LiveMostRecent)
    }

    /// Tells whether each process has a series of its own.
    pub(crate) fn is_by_process(self) -> bool {
        matches!(self, Self::All | Self::LiveAll)
    }

    /// Tells whether the value that was set last counts.
    pub(crate) fn is_most_recent(self) -> bool {
        matches!(self, Self::MostRecent | Self::LiveMostRecent)
    }
}

/// The name, help, labels and shape of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Desc {
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
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
        let mut out = vec![self.kind as u8, self.mode as u8, flags];
        out.extend(self.instance.to_ne_bytes());
        for text in [&self.name, &self.help, &self.unit] {
            push_text(&mut out, text);
        }
        for texts in [&self.labels, &self.states] {
            out.extend((texts.len() as u32).to_ne_bytes());
            texts.iter().for_each(|text| push_text(&mut out, text));
        }
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
        let (kind, mode) = (Kind::ALL.get(usize::from(kind))?.0, Mode::ALL.get(usize::from(mode))?.0);
        let (by_process, always_pid) = (flags & 1 != 0, flags & 2 != 0);
        Some(Self { kind, mode, by_process, always_pid, instance, name, help, unit, labels, states, bounds })
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_ne_bytes());
    out.extend(text.as_bytes());
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*head)
}

fn take_text(input: &mut &[u8]) -> Option<String> {
    let length = u32::from_ne_bytes(take(input)?) as usize;
    let (head, rest) = input.split_at_checked(length)?;
    *input = rest;
    String::from_utf8(head.to_vec()).ok()
}

fn take_texts(input: &mut &[u8]) -> Option<Vec<String>> {
    let count = u32::from_ne_bytes(take(input)?);
    (0..count).map(|_| take_text(input)).collect()
}

//! Which calls define metrics, by the name of what is called.

use promflow_model::MetricType;

/// The shape of a call that defines a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `counter(name, help, labels, buckets)`, as function, method or `register_*!`; the name may be an `Opts`.
    Call(MetricType),
    /// `CounterVec::new(opts, labels)`, `Counter::new(name, help)`.
    Constructor(MetricType),
    /// `registry.register(name, help, metric)` of `prometheus-client`.
    Register {
        /// Whether the third argument is a unit.
        with_unit: bool,
    },
    /// `counter!(name, key => value)` of `metrics`.
    Macro(MetricType),
    /// `describe_counter!(name, help)` of `metrics`.
    Describe(MetricType),
}

/// Recognises a function by its path.
pub(super) fn of_function(path: &[String]) -> Option<Form> {
    let name = path.last()?;
    if matches!(name.as_str(), "new" | "with_opts") {
        let kind = kind_of_type(path.len().checked_sub(2).and_then(|i| path.get(i))?)?;
        return Some(Form::Constructor(kind));
    }
    kind_of_word(name).map(Form::Call)
}

/// Recognises a method by its name.
pub(super) fn of_method(name: &str) -> Option<Form> {
    match name {
        "register" => Some(Form::Register { with_unit: false }),
        "register_with_unit" => Some(Form::Register { with_unit: true }),
        _ => kind_of_word(name).map(Form::Call),
    }
}

/// Recognises a macro by its name.
pub(super) fn of_macro(name: &str) -> Option<Form> {
    match name {
        "counter" => Some(Form::Macro(MetricType::Counter)),
        "gauge" => Some(Form::Macro(MetricType::Gauge)),
        "histogram" => Some(Form::Macro(MetricType::Histogram)),
        _ if name.starts_with("describe_") => kind_of_word(name).map(Form::Describe),
        _ if name.starts_with("register_") => kind_of_word(name).map(Form::Call),
        _ => None,
    }
}

/// Says whether a method called on a metric's builder says something about the metric.
pub(super) fn is_modifier(method: &str) -> bool {
    matches!(method, "buckets" | "with_buckets" | "unit" | "with_unit" | "labels" | "with_labels" | "help")
}

/// Returns the type that a function's name speaks of: `register_int_counter_vec` is a counter.
fn kind_of_word(word: &str) -> Option<MetricType> {
    let mut word = word;
    for prefix in ["try_", "describe_", "register_", "new_", "int_", "float_"] {
        word = word.strip_prefix(prefix).unwrap_or(word);
    }
    for suffix in ["_with_registry", "_with_unit", "_with_buckets", "_with", "_vec", "_family"] {
        word = word.strip_suffix(suffix).unwrap_or(word);
    }
    Some(match word {
        "counter" => MetricType::Counter,
        "gauge" => MetricType::Gauge,
        "histogram" | "native_histogram" => MetricType::Histogram,
        "gauge_histogram" => MetricType::GaugeHistogram,
        "summary" => MetricType::Summary,
        "info" => MetricType::Info,
        "state_set" | "stateset" => MetricType::StateSet,
        _ => return None,
    })
}

/// Returns the metric type that a Rust type's name speaks of: `IntGaugeVec` is a gauge.
pub(super) fn kind_of_type(name: &str) -> Option<MetricType> {
    let mut name = name;
    for prefix in ["Generic", "Int", "Float", "U64", "F64", "Const"] {
        name = name.strip_prefix(prefix).unwrap_or(name);
    }
    for suffix in ["Vec", "Family", "WithExemplar"] {
        name = name.strip_suffix(suffix).unwrap_or(name);
    }
    Some(match name {
        "Counter" => MetricType::Counter,
        "Gauge" => MetricType::Gauge,
        "Histogram" => MetricType::Histogram,
        "Summary" => MetricType::Summary,
        "Info" => MetricType::Info,
        "StateSet" => MetricType::StateSet,
        _ => return None,
    })
}

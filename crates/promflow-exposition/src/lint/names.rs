//! What a metric's name alone shows.

/// Units and their base units.
const UNITS: &[(&str, &str)] = &[
    ("amperes", "amperes"),
    ("bytes", "bytes"),
    ("celsius", "celsius"),
    ("grams", "grams"),
    ("joules", "joules"),
    ("kelvin", "kelvin"),
    ("meters", "meters"),
    ("metres", "metres"),
    ("seconds", "seconds"),
    ("volts", "volts"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("weeks", "seconds"),
    ("kelvins", "kelvin"),
    ("fahrenheit", "celsius"),
    ("rankine", "celsius"),
    ("inches", "meters"),
    ("yards", "meters"),
    ("miles", "meters"),
    ("bits", "bytes"),
    ("calories", "joules"),
    ("pounds", "grams"),
    ("ounces", "grams"),
];

const PREFIXES: &[&str] = &[
    "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mibi",
    "giga", "gibi", "tera", "tebi", "peta", "pebi",
];

const ABBREVIATIONS: &[&str] =
    &["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"];

const TYPES: &[&str] = &["counter", "gauge", "summary", "histogram", "gauge_histogram"];

/// Says whether a capital letter follows a small one.
pub(super) fn is_camel_case(name: &str) -> bool {
    name.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// Finds what the name alone has against it.
pub(super) fn problems(name: &str) -> Vec<String> {
    let mut texts = Vec::new();
    if let Some((unit, base)) = unit_of(name).filter(|(unit, base)| unit != base) {
        texts.push(format!("use base unit {base:?} instead of {unit:?}"));
    }
    let lower = name.to_lowercase();
    let has_word = |word: &str| {
        let word = ["_", word].concat();
        lower.ends_with(&word) || lower.contains(&[&word, "_"].concat())
    };
    for kind in TYPES.iter().filter(|kind| has_word(kind)) {
        texts.push(format!("metric name should not include type '{kind}'"));
    }
    if name.contains(':') {
        texts.push("metric names should not contain ':'".to_owned());
    }
    if is_camel_case(name) {
        texts.push("metric names should be written in 'snake_case' not 'camelCase'".to_owned());
    }
    for _ in ABBREVIATIONS.iter().filter(|abbreviation| has_word(abbreviation)) {
        texts.push("metric names should not contain abbreviated units".to_owned());
    }
    texts
}

/// Finds the first word that is a unit, with a prefix or without, and its base unit.
fn unit_of(name: &str) -> Option<(&str, &'static str)> {
    let base = |word: &str| UNITS.iter().find(|(unit, _)| *unit == word).map(|(_, base)| *base);
    name.split('_').find_map(|word| {
        let prefixed = || PREFIXES.iter().find_map(|prefix| word.strip_prefix(prefix).and_then(base));
        base(word).or_else(prefixed).map(|base| (word, base))
    })
}

//! How names with other characters than the classic ones are written for those who cannot read them.
//!
//! Source: Prometheus's escaping schemes; prometheus/common model EscapeName. As there, a classic name stays as it
//! is under every scheme.

use std::borrow::Cow;

use promflow_model::{is_legacy_label_name, is_legacy_metric_name};

/// What a scraper wants done to names that are not `[a-zA-Z_:][a-zA-Z0-9_:]*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Escaping {
    /// Nothing: the name is quoted.
    #[default]
    AllowUtf8,
    /// Each other character becomes `_`.
    Underscores,
    /// `.` becomes `_dot_`, `_` becomes `__`, each other character `__`.
    Dots,
    /// The name begins with `U__`, and each other character becomes its code point, `_1f600_`.
    Values,
}

impl Escaping {
    /// Finds the scheme of an `escaping` parameter.
    pub fn from_parameter(value: &str) -> Option<Self> {
        Some(match value {
            "allow-utf-8" => Self::AllowUtf8,
            "underscores" => Self::Underscores,
            "dots" => Self::Dots,
            "values" => Self::Values,
            _ => return None,
        })
    }

    /// Returns the scheme's name, as the `escaping` parameter has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// Writes a metric name as the scheme wants it.
    pub fn escape(self, name: &str) -> Cow<'_, str> {
        if is_legacy_metric_name(name) { Cow::Borrowed(name) } else { self.escape_all(name, true) }
    }

    /// Writes a label name as the scheme wants it: as a metric name, but for the colon, which no classic label has.
    pub fn escape_label(self, name: &str) -> Cow<'_, str> {
        if is_legacy_label_name(name) { Cow::Borrowed(name) } else { self.escape_all(name, false) }
    }

    fn escape_all(self, name: &str, colon: bool) -> Cow<'_, str> {
        if self == Self::AllowUtf8 || name.is_empty() {
            return Cow::Borrowed(name);
        }
        let mut out = String::with_capacity(name.len() + 8);
        if self == Self::Values {
            out.push_str("U__");
        }
        for (i, c) in name.char_indices() {
            let classic =
                c.is_ascii_alphabetic() || c == '_' || (c == ':' && colon) || (c.is_ascii_digit() && i > 0);
            match (self, c) {
                (Self::Dots | Self::Values, '_') => out.push_str("__"),
                (Self::Dots, '.') => out.push_str("_dot_"),
                _ if classic => out.push(c),
                (Self::Dots, _) => out.push_str("__"),
                (Self::Values, _) => out.push_str(&format!("_{:x}_", u32::from(c))),
                _ => out.push('_'),
            }
        }
        Cow::Owned(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_prometheus_does() {
        for (name, underscores, dots, values) in [
            ("no:escaping_required", "no:escaping_required", "no:escaping_required", "no:escaping_required"),
            (
                "mysystem.prod.west.cpu.load",
                "mysystem_prod_west_cpu_load",
                "mysystem_dot_prod_dot_west_dot_cpu_dot_load",
                "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load",
            ),
            (
                "http.status:sum_total",
                "http_status:sum_total",
                "http_dot_status:sum__total",
                "U__http_2e_status:sum__total",
            ),
            ("label with 😱", "label_with__", "label__with____", "U__label_20_with_20__1f631_"),
            ("0a", "_a", "__a", "U___30_a"),
        ] {
            assert_eq!(Escaping::AllowUtf8.escape(name), name);
            assert_eq!(Escaping::Underscores.escape(name), underscores);
            assert_eq!(Escaping::Dots.escape(name), dots);
            assert_eq!(Escaping::Values.escape(name), values);
        }
    }

    #[test]
    fn colons_are_escaped_in_label_names_alone() {
        for (scheme, label) in
            [(Escaping::Underscores, "a_b"), (Escaping::Dots, "a__b"), (Escaping::Values, "U__a_3a_b")]
        {
            assert_eq!((&*scheme.escape("a:b"), &*scheme.escape_label("a:b")), ("a:b", label));
        }
    }
}

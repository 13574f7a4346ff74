//! From values with names in them to texts, numbers and lists.

use std::collections::BTreeSet;

use ruff_python_ast::Operator;

use super::resolve::{Given, Resolver};
use super::value::Value;

/// How many constants one value may go through.
const DEPTH_MAX: usize = 16;

/// The buckets of a histogram that sets none.
///
/// Source: prometheus_client/metrics.py, `Histogram.DEFAULT_BUCKETS`.
pub(super) const DEFAULT_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

impl Resolver<'_> {
    /// Returns what a name is bound to: what the function was given, else in the file, else in the one other file that
    /// binds it.
    fn bound(&self, file: usize, name: &str, given: &Given) -> Option<(usize, Value)> {
        if let Some((_, value)) = given.iter().rev().find(|(own, _)| own == name) {
            return Some((file, value.clone()));
        }
        let once = |file: usize| match self.files[file].bindings.get(name).map(Vec::as_slice) {
            Some([value]) => Some((file, value.clone())),
            _ => None,
        };
        if self.files[file].bindings.contains_key(name) {
            return once(file);
        }
        let package = self.files[file].package;
        let files = self.bound_in.get(name)?;
        let near: BTreeSet<usize> =
            files.iter().copied().filter(|at| self.files[*at].package == package).collect();
        let values: Vec<(usize, Value)> = near.into_iter().filter_map(once).collect();
        let (first, rest) = values.split_first()?;
        rest.iter().all(|(_, value)| *value == first.1).then(|| first.clone())
    }

    /// Replaces what can be told of an argument, so that it means the same in the function.
    pub(super) fn settled(&self, file: usize, value: &Value, given: &Given) -> Value {
        if self.is_nothing(file, value, given, 0) {
            return Value::Nothing;
        }
        if let Some(number) = self.number(file, value, given) {
            return Value::Number(number);
        }
        if let Some(text) = self.text(file, value, given) {
            return Value::Text(text);
        }
        match self.list(file, value, given) {
            Some(values) => {
                Value::List(values.iter().map(|value| self.settled(file, value, given)).collect())
            }
            None => value.clone(),
        }
    }

    /// Says whether a value is `None`, which is what many parameters are unless they are given.
    pub(super) fn is_nothing(&self, file: usize, value: &Value, given: &Given, depth: usize) -> bool {
        match value {
            Value::Nothing => true,
            Value::Either(all) => all.iter().all(|value| self.is_nothing(file, value, given, depth)),
            Value::Name(name) if depth < DEPTH_MAX => self
                .bound(file, name, given)
                .is_some_and(|(file, value)| self.is_nothing(file, &value, given, depth + 1)),
            _ => false,
        }
    }

    /// Returns the text that a value is.
    pub(super) fn text(&self, file: usize, value: &Value, given: &Given) -> Option<String> {
        self.text_in(file, value, given, 0)
    }

    fn text_in(&self, file: usize, value: &Value, given: &Given, depth: usize) -> Option<String> {
        if depth > DEPTH_MAX {
            return None;
        }
        let text = |value: &Value| self.text_in(file, value, given, depth + 1);
        // A number becomes a text where it is put into one.
        let part =
            |value: &Value| text(value).or_else(|| whole(self.number_in(file, value, given, depth + 1)?));
        match value {
            Value::Text(text) => Some(text.clone()),
            Value::Joined(parts) => parts.iter().map(part).collect(),
            Value::Default(inner) => text(inner),
            Value::Name(name) => {
                let (file, value) = self.bound(file, name, given)?;
                self.text_in(file, &value, given, depth + 1)
            }
            Value::Item(on, key) => {
                let (file, value) = self.item(file, on, key, given, depth + 1)?;
                self.text_in(file, &value, given, depth + 1)
            }
            Value::Either(all) => {
                for value in all {
                    if self.is_nothing(file, value, given, depth) {
                        continue;
                    }
                    match text(value) {
                        Some(found) if found.is_empty() => {}
                        found => return found,
                    }
                }
                None
            }
            Value::Arithmetic(Operator::Mod, pattern, values) => {
                let values = match &**values {
                    Value::List(values) => values.iter().map(part).collect::<Option<Vec<_>>>()?,
                    value => vec![part(value)?],
                };
                percent(&text(pattern)?, &values)
            }
            Value::Method(name, on, args) => self.method(file, (name, on, args), given, depth + 1),
            _ => None,
        }
    }

    /// Returns the text that a method of a text gives.
    fn method(
        &self,
        file: usize,
        (name, on, args): (&str, &Value, &[(Option<String>, Value)]),
        given: &Given,
        depth: usize,
    ) -> Option<String> {
        let text = |value: &Value| self.text_in(file, value, given, depth);
        let part = |value: &Value| text(value).or_else(|| whole(self.number_in(file, value, given, depth)?));
        let arg = |at: usize| args.get(at).and_then(|(_, value)| text(value));
        let own = text(on)?;
        Some(match (name, args.len()) {
            ("lower" | "casefold", _) => own.to_lowercase(),
            ("upper", _) => own.to_uppercase(),
            ("strip", 0) => own.trim().to_owned(),
            ("removeprefix", 1) => own.strip_prefix(&arg(0)?).unwrap_or(&own).to_owned(),
            ("removesuffix", 1) => own.strip_suffix(&arg(0)?).unwrap_or(&own).to_owned(),
            ("replace", 2) => own.replace(&arg(0)?, &arg(1)?),
            ("join", 1) => {
                let parts = self.list_in(file, &args[0].1, given, depth)?;
                parts.iter().map(part).collect::<Option<Vec<_>>>()?.join(&own)
            }
            ("format", _) => {
                let all = args.iter().map(|(name, value)| Some((name.as_deref(), part(value)?)));
                braces(&own, &all.collect::<Option<Vec<_>>>()?)?
            }
            _ => return None,
        })
    }

    /// Returns the number that a value is.
    pub(super) fn number(&self, file: usize, value: &Value, given: &Given) -> Option<f64> {
        self.number_in(file, value, given, 0)
    }

    fn number_in(&self, file: usize, value: &Value, given: &Given, depth: usize) -> Option<f64> {
        if depth > DEPTH_MAX {
            return None;
        }
        let number = |value: &Value| self.number_in(file, value, given, depth + 1);
        match value {
            Value::Number(number) => Some(*number),
            Value::Default(inner) => number(inner),
            Value::Either(all) => {
                let some = all.iter().find(|value| !self.is_nothing(file, value, given, depth))?;
                number(some)
            }
            Value::Joined(parts) if parts.len() == 2 => Some(number(&parts[0])? + number(&parts[1])?),
            Value::Arithmetic(op, left, right) => {
                let (left, right) = (number(left)?, number(right)?);
                match op {
                    Operator::Mult => Some(left * right),
                    Operator::Div => Some(left / right),
                    Operator::Sub => Some(left - right),
                    Operator::Pow => Some(left.powf(right)),
                    _ => None,
                }
            }
            Value::Name(name) => {
                let (file, value) = self.bound(file, name, given)?;
                self.number_in(file, &value, given, depth + 1)
            }
            Value::Item(on, key) => {
                let (file, value) = self.item(file, on, key, given, depth + 1)?;
                self.number_in(file, &value, given, depth + 1)
            }
            _ => None,
        }
    }

    /// Returns the elements of a list, or the keys of a dictionary.
    pub(super) fn list(&self, file: usize, value: &Value, given: &Given) -> Option<Vec<Value>> {
        self.list_in(file, value, given, 0)
    }

    fn list_in(&self, file: usize, value: &Value, given: &Given, depth: usize) -> Option<Vec<Value>> {
        if depth > DEPTH_MAX {
            return None;
        }
        let list = |value: &Value| self.list_in(file, value, given, depth + 1);
        match value {
            Value::List(values) => {
                let mut all = Vec::new();
                for value in values {
                    match value {
                        Value::Unpacked(inner) => all.extend(list(inner)?),
                        value => all.push(value.clone()),
                    }
                }
                Some(all)
            }
            Value::Dict(pairs) => Some(pairs.iter().map(|(key, _)| key.clone()).collect()),
            Value::Joined(parts) => Some(parts.iter().map(list).collect::<Option<Vec<_>>>()?.concat()),
            Value::Default(inner) => list(inner),
            Value::Either(all) => {
                for value in all {
                    if self.is_nothing(file, value, given, depth) {
                        continue;
                    }
                    match list(value) {
                        Some(found) if found.is_empty() => {}
                        found => return found,
                    }
                }
                Some(Vec::new())
            }
            Value::Name(name) => match self.bound(file, name, given) {
                Some((file, value)) => self.list_in(file, &value, given, depth + 1),
                None if name == "DEFAULT_BUCKETS" => {
                    Some(DEFAULT_BUCKETS.into_iter().map(Value::Number).collect())
                }
                None => None,
            },
            Value::Item(on, key) => {
                let (file, value) = self.item(file, on, key, given, depth + 1)?;
                self.list_in(file, &value, given, depth + 1)
            }
            Value::Method(name, on, _) => {
                let pair = |(key, value): (Value, Value)| Value::List(vec![key, value]);
                match name.as_str() {
                    "copy" => list(on),
                    "enumerate" => {
                        let all = list(on)?.into_iter().enumerate();
                        Some(all.map(|(at, value)| pair((Value::Number(at as f64), value))).collect())
                    }
                    "items" | "keys" | "values" => {
                        let (_, pairs) = self.dict(file, on, given, depth + 1)?;
                        Some(match name.as_str() {
                            "items" => pairs.into_iter().map(pair).collect(),
                            "keys" => pairs.into_iter().map(|(key, _)| key).collect(),
                            _ => pairs.into_iter().map(|(_, value)| value).collect(),
                        })
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn dict(
        &self,
        file: usize,
        value: &Value,
        given: &Given,
        depth: usize,
    ) -> Option<(usize, Vec<(Value, Value)>)> {
        if depth > DEPTH_MAX {
            return None;
        }
        match value {
            Value::Dict(pairs) => Some((file, pairs.clone())),
            Value::Name(name) => {
                let (file, value) = self.bound(file, name, given)?;
                self.dict(file, &value, given, depth + 1)
            }
            Value::Item(on, key) => {
                let (file, value) = self.item(file, on, key, given, depth + 1)?;
                self.dict(file, &value, given, depth + 1)
            }
            Value::Default(inner) => self.dict(file, inner, given, depth + 1),
            Value::Method(name, on, _) if name == "copy" => self.dict(file, on, given, depth + 1),
            _ => None,
        }
    }

    /// Returns the element of a dictionary or list, and the file it is written in.
    fn item(
        &self,
        file: usize,
        on: &Value,
        key: &Value,
        given: &Given,
        depth: usize,
    ) -> Option<(usize, Value)> {
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some((at, pairs)) = self.dict(file, on, given, depth + 1) {
            let (wanted, name) = (self.text(file, key, given), key);
            let found = pairs.into_iter().find(|(own, _)| match &wanted {
                Some(wanted) => self.text(at, own, given).as_ref() == Some(wanted),
                // Members of an enumeration stand for themselves.
                None => own == name && matches!(own, Value::Name(_)),
            });
            return found.map(|(_, value)| (at, value));
        }
        let place = self.number(file, key, given).filter(|place| *place >= 0.0)?;
        Some((file, self.list_in(file, on, given, depth + 1)?.into_iter().nth(place as usize)?))
    }

    pub(super) fn texts(&self, file: usize, value: &Value, given: &Given) -> Option<Vec<String>> {
        if self.is_nothing(file, value, given, 0) {
            return Some(Vec::new());
        }
        self.list(file, value, given)?.iter().map(|value| self.text(file, value, given)).collect()
    }

    pub(super) fn numbers(&self, file: usize, value: &Value, given: &Given) -> Option<Vec<f64>> {
        let values = self.list(file, value, given)?;
        let numbers: Option<Vec<f64>> = values.iter().map(|value| self.number(file, value, given)).collect();
        Some(numbers?.into_iter().filter(|bound| bound.is_finite()).collect())
    }
}

/// Writes a whole number.
fn whole(number: f64) -> Option<String> {
    (number.fract() == 0.0 && number.abs() < 1e15).then(|| format!("{number:.0}"))
}

/// Puts values where a pattern has `%s` or `%d`.
fn percent(pattern: &str, values: &[String]) -> Option<String> {
    let mut values = values.iter();
    let mut out = String::new();
    let mut left = pattern;
    while let Some((before, after)) = left.split_once('%') {
        out.push_str(before);
        let sign = after.chars().next()?;
        match sign {
            '%' => out.push('%'),
            's' | 'd' => out.push_str(values.next()?),
            _ => return None,
        }
        left = &after[1..];
    }
    out.push_str(left);
    values.next().is_none().then_some(out)
}

/// Puts values where a pattern has `{}`, `{0}` or `{name}`.
fn braces(pattern: &str, given: &[(Option<&str>, String)]) -> Option<String> {
    let by_place: Vec<&String> = given.iter().filter(|(name, _)| name.is_none()).map(|(_, v)| v).collect();
    let mut next = 0;
    let mut out = String::new();
    let mut left = pattern;
    while let Some(at) = left.find(['{', '}']) {
        let (brace, after) = (&left[at..=at], &left[at + 1..]);
        out.push_str(&left[..at]);
        if let Some(after) = after.strip_prefix(brace) {
            out.push_str(brace);
            left = after;
            continue;
        }
        let (inside, after) = after.split_once('}').filter(|_| brace == "{")?;
        left = after;
        let value = match (inside, inside.parse::<usize>()) {
            ("", _) => {
                next += 1;
                by_place.get(next - 1).copied()
            }
            (_, Ok(place)) => by_place.get(place).copied(),
            (name, _) => given.iter().find(|(own, _)| *own == Some(name)).map(|(_, value)| value),
        };
        out.push_str(value?);
    }
    out.push_str(left);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_filled_in_or_refused() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(percent("%s_%d%%", &texts(&["a", "1"])).as_deref(), Some("a_1%"));
        assert_eq!(percent("%s", &texts(&["a", "b"])), None);
        assert_eq!(percent("%5s", &texts(&["a"])), None);
        assert_eq!(percent("ends in %", &[]), None);
        let given = [(None, "a".to_owned()), (Some("n"), "b".to_owned())];
        assert_eq!(braces("{}_{n}_{0}{{}}", &given).as_deref(), Some("a_b_a{}"));
        assert_eq!(braces("{:>5}", &given), None);
        assert_eq!(braces("}", &given), None);
    }
}

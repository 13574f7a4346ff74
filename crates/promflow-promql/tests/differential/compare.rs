//! The rules by which two answers agree.

use std::collections::BTreeMap;

use promflow_model::Labels;
use promflow_promql::{QueryResult, Value as Answer};
use serde_json::Value;

/// Series by label set; times in milliseconds.
type Series = BTreeMap<Labels, BTreeMap<i64, f64>>;

pub(crate) fn labels_of(value: &Value) -> Labels {
    let pairs = value.as_object().expect("an object").iter();
    Labels::from_pairs(pairs.map(|(name, value)| (name.as_str(), value.as_str().expect("a text"))))
}

fn number(value: &Value) -> f64 {
    match value.as_str().expect("a number as text") {
        "NaN" => f64::NAN,
        text => text.parse().expect("a number"),
    }
}

fn point(value: &Value) -> (i64, f64) {
    ((value[0].as_f64().expect("a time") * 1000.0).round() as i64, number(&value[1]))
}

fn expected_series(data: &Value) -> Result<(Vec<Labels>, Series), String> {
    let mut order = Vec::new();
    let mut series = Series::new();
    for one in data["result"].as_array().expect("a list") {
        if one.get("histogram").is_some() || one.get("histograms").is_some() {
            return Err("expected a native histogram".to_owned());
        }
        let labels = labels_of(&one["metric"]);
        let points = match one.get("values") {
            Some(values) => values.as_array().expect("a list").iter().map(point).collect(),
            None => BTreeMap::from([point(&one["value"])]),
        };
        order.push(labels.clone());
        series.insert(labels, points);
    }
    Ok((order, series))
}

fn actual_series(answer: &Answer) -> Result<(Vec<Labels>, Series), String> {
    let mut order = Vec::new();
    let mut series = Series::new();
    let mut add = |labels: &Labels, points: BTreeMap<i64, f64>| {
        order.push(labels.clone());
        match series.insert(labels.clone(), points) {
            Some(_) => Err(format!("{labels} occurs twice")),
            None => Ok(()),
        }
    };
    match answer {
        Answer::Vector(vector) => {
            vector.iter().try_for_each(|s| add(&s.labels, BTreeMap::from([(s.t_ms, s.value)])))?;
        }
        Answer::Matrix(matrix) => {
            matrix
                .iter()
                .try_for_each(|s| add(&s.labels, s.samples.iter().map(|p| (p.t_ms, p.value)).collect()))?;
        }
        _ => return Err("expected series".to_owned()),
    }
    Ok((order, series))
}

/// Returns below which size a difference does not count: what a cancellation leaves is as exact as what it was made
/// from.
fn floor(sides: [&Series; 2]) -> f64 {
    let mut sizes: Vec<f64> = sides
        .iter()
        .flat_map(|side| side.values().flat_map(|points| points.values().map(|v| v.abs())))
        .filter(|v| *v > 0.0 && v.is_finite())
        .collect();
    sizes.sort_by(f64::total_cmp);
    sizes.get(sizes.len() / 2).map_or(0.0, |median| median * 1e-12)
}

fn same(a: f64, b: f64, floor: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= (1e-9 * a.abs().max(b.abs())).max(floor)
}

fn same_series(expected: &Series, actual: &Series) -> Result<(), String> {
    let floor = floor([expected, actual]);
    if expected.keys().ne(actual.keys()) {
        let names = |s: &Series| s.keys().map(Labels::to_string).collect::<Vec<_>>().join(" ");
        return Err(format!("expected the series {}\n    got {}", names(expected), names(actual)));
    }
    for (labels, points) in expected {
        let own = &actual[labels];
        if points.keys().ne(own.keys()) {
            let times: Vec<_> = points.keys().collect();
            return Err(format!(
                "{labels}: expected times {times:?}, got {:?}",
                own.keys().collect::<Vec<_>>()
            ));
        }
        for (t_ms, value) in points {
            if !same(*value, own[t_ms], floor) {
                return Err(format!("{labels} at {t_ms}: expected {value}, got {}", own[t_ms]));
            }
        }
    }
    Ok(())
}

/// Says whether every time has the same values, whichever series they belong to.
fn same_multisets(expected: &Series, actual: &Series) -> bool {
    let gather = |series: &Series| {
        let mut by_time: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (t_ms, value) in series.values().flatten() {
            by_time.entry(*t_ms).or_default().push(*value);
        }
        by_time.values_mut().for_each(|values| values.sort_by(f64::total_cmp));
        by_time
    };
    let (expected, actual, floor) = (gather(expected), gather(actual), floor([expected, actual]));
    expected.len() == actual.len()
        && expected.iter().zip(&actual).all(|((t, a), (u, b))| {
            t == u && a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(*x, *y, floor))
        })
}

fn check_order(
    case: &Value,
    expected: (&[Labels], &Series),
    actual: (&[Labels], &Series),
) -> Result<(), String> {
    let value = |side: (&[Labels], &Series), i: usize| {
        side.1[&side.0[i]].values().next().copied().unwrap_or(f64::NAN)
    };
    match case.get("order").and_then(Value::as_str) {
        Some("labels") if expected.0 != actual.0 => Err("another order of label sets".to_owned()),
        Some("values") => {
            let floor = floor([expected.1, actual.1]);
            let agree = (0..expected.0.len()).all(|i| same(value(expected, i), value(actual, i), floor));
            if agree { Ok(()) } else { Err("another order of values".to_owned()) }
        }
        _ => Ok(()),
    }
}

/// Compares a result with what a case expects.
pub(crate) fn compare(case: &Value, result: &QueryResult) -> Result<(), String> {
    let response = &case["response"];
    let data = &response["data"];
    compare_data(case, data, &result.value)?;
    compare_annotations(case, "warnings", &result.warnings)?;
    compare_annotations(case, "infos", &result.infos)
}

fn compare_data(case: &Value, data: &Value, value: &Answer) -> Result<(), String> {
    let kind = match value {
        Answer::Scalar(_) => "scalar",
        Answer::String { .. } => "string",
        Answer::Vector(_) => "vector",
        Answer::Matrix(_) => "matrix",
    };
    if data["resultType"] != kind {
        return Err(format!("expected a {}, got a {kind}", data["resultType"]));
    }
    match value {
        Answer::Scalar(sample) => {
            let (t_ms, expected) = point(&data["result"]);
            if t_ms != sample.t_ms || !same(expected, sample.value, 0.0) {
                return Err(format!("expected {expected}, got {}", sample.value));
            }
            Ok(())
        }
        Answer::String { value, .. } if data["result"][1] != value.as_str() => {
            Err(format!("expected {}, got {value:?}", data["result"][1]))
        }
        Answer::String { .. } => Ok(()),
        _ => {
            let (expected_order, expected) = expected_series(data)?;
            let (actual_order, actual) = actual_series(value)?;
            let chooses = case["tags"]
                .as_array()
                .is_some_and(|tags| tags.iter().any(|t| t == "agg:topk" || t == "agg:bottomk"));
            if let Err(why) = same_series(&expected, &actual) {
                return if chooses && same_multisets(&expected, &actual) { Ok(()) } else { Err(why) };
            }
            check_order(case, (&expected_order, &expected), (&actual_order, &actual))
        }
    }
}

/// Leaves out how many samples were not monotonic, unless there is one step only: Prometheus counts them again at every
/// later step.
fn counted(lines: &[&str], one_step: bool) -> Vec<String> {
    let without = |line: &&str| match (line.find(", over "), line.find(" samples from ")) {
        (Some(start), Some(end)) if !one_step && line.contains("fixed for monotonicity") => {
            format!("{}{}", &line[..start], &line[end..])
        }
        _ => (*line).to_owned(),
    };
    lines.iter().map(without).collect()
}

/// The API gives ten of each kind and says how many more there are.
fn compare_annotations(case: &Value, kind: &str, actual: &[String]) -> Result<(), String> {
    let mut expected: Vec<&str> =
        case["response"][kind].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    expected.sort_unstable();
    let mut actual: Vec<&str> = actual.iter().map(String::as_str).collect();
    actual.sort_unstable();
    let is_subquery = case["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == "subquery"));
    let one_step = case.get("time").is_some() && !is_subquery;
    let (expected, actual) = (counted(&expected, one_step), counted(&actual, one_step));
    let omitted = expected.iter().find(|e| e.contains("annotations omitted"));
    let agree = match omitted {
        Some(line) => {
            let more: usize = line.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            actual.len() == expected.len() - 1 + more
        }
        None => expected == actual,
    };
    if agree { Ok(()) } else { Err(format!("expected the {kind} {expected:?}, got {actual:?}")) }
}

//! Grafana's dashboards: which expressions their panels and variables read.

use serde_json::Value;

/// A dashboard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dashboard {
    /// The title.
    pub title: String,
    /// The id under which Grafana knows it.
    pub uid: Option<String>,
    /// The file, as it was given.
    pub file: String,
    /// What is read, in the order of the file.
    pub queries: Vec<DashboardQuery>,
}

/// An expression of a dashboard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DashboardQuery {
    /// The panel's title, or `variable NAME`.
    pub panel: String,
    /// The expression, with Grafana's variables in it.
    pub expr: String,
}

/// What stands for a variable of Grafana where a name or a value is expected; it is no word that anybody uses.
const VARIABLE: &str = "promflow_variable";

/// How deep panels may stand in rows.
const DEPTH_MAX: usize = 8;

impl Dashboard {
    /// Reads a dashboard; `None` for any other JSON.
    ///
    /// Errors: the text is no JSON, in serde's words.
    pub fn parse(file: &str, text: &str) -> Result<Option<Self>, String> {
        let whole: Value =
            serde_json::from_str(text).map_err(|error| format!("{file}: not JSON: {error}"))?;
        // The API wraps a dashboard.
        let json = whole.get("dashboard").filter(|inner| inner.get("panels").is_some()).unwrap_or(&whole);
        let has_panels =
            json.get("panels").is_some_and(Value::is_array) || json.get("rows").is_some_and(Value::is_array);
        if !has_panels || !(json.get("schemaVersion").is_some() || json.get("title").is_some()) {
            return Ok(None);
        }
        let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".json");
        let mut dashboard = Self {
            title: text_of(json, "title").unwrap_or(stem).to_owned(),
            uid: text_of(json, "uid").filter(|uid| !uid.is_empty()).map(str::to_owned),
            file: file.to_owned(),
            queries: Vec::new(),
        };
        dashboard.read_panels(json, 0);
        dashboard.read_variables(json);
        Ok(Some(dashboard))
    }

    fn read_panels(&mut self, json: &Value, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        for panel in list(json, "panels").chain(list(json, "rows")) {
            let title = text_of(panel, "title").unwrap_or("").to_owned();
            for target in list(panel, "targets") {
                let is_prometheus = kind_of_source(target)
                    .or_else(|| kind_of_source(panel))
                    .is_none_or(|kind| kind == "prometheus");
                if let Some(expr) =
                    text_of(target, "expr").filter(|expr| is_prometheus && !expr.trim().is_empty())
                {
                    self.queries.push(DashboardQuery { panel: title.clone(), expr: expr.to_owned() });
                }
            }
            self.read_panels(panel, depth + 1);
        }
    }

    fn read_variables(&mut self, json: &Value) {
        let variables = json.get("templating").into_iter().flat_map(|templating| list(templating, "list"));
        for variable in variables.filter(|variable| text_of(variable, "type") == Some("query")) {
            let query = variable.get("query");
            let text =
                query.and_then(|query| query.as_str().or_else(|| text_of(query, "query"))).unwrap_or("");
            let Some((function, rest)) = text.split_once('(') else { continue };
            let inside = rest.trim_end().trim_end_matches(')');
            let expr = match function.trim() {
                "label_values" => inside.rsplit_once(',').map(|(expr, _)| expr),
                "query_result" => Some(inside),
                _ => None,
            };
            if let Some(expr) = expr.map(str::trim).filter(|expr| !expr.is_empty()) {
                let panel = format!("variable {}", text_of(variable, "name").unwrap_or(""));
                self.queries.push(DashboardQuery { panel, expr: expr.to_owned() });
            }
        }
    }
}

impl DashboardQuery {
    /// Returns the expression in PromQL, with something in the place of each variable.
    pub(crate) fn promql(&self) -> String {
        let mut out = String::with_capacity(self.expr.len());
        let mut rest = self.expr.as_str();
        while let Some(at) = rest.find(['$', '[']) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let Some((name, length)) = variable(rest) else {
                out.push_str(&rest[..1]);
                rest = &rest[1..];
                continue;
            };
            rest = &rest[length..];
            out.push_str(stand_in(name, &out));
        }
        out.push_str(rest);
        out
    }
}

/// Says whether a text holds what stands for a variable.
pub(crate) fn is_variable(text: &str) -> bool {
    text.contains(VARIABLE)
}

/// Reads `$name`, `${name:format}` or `[[name]]` at the start of a text: the name and how long it is all together.
fn variable(text: &str) -> Option<(&str, usize)> {
    let until = |start: usize, end: &str| {
        let length = text[start..].find(end)?;
        let inside = &text[start..start + length];
        let name = inside.split([':', '.']).next().unwrap_or(inside);
        is_word(name).then_some((name, start + length + end.len()))
    };
    if text.starts_with("${") {
        return until(2, "}");
    }
    if text.starts_with("[[") {
        return until(2, "]]");
    }
    let name = text.strip_prefix('$')?;
    let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    is_word(&name[..length]).then_some((&name[..length], length + 1))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn stand_in(name: &str, before: &str) -> &'static str {
    let before = before.trim_end();
    match name {
        "__rate_interval" | "__interval" | "__range" => "5m",
        "__interval_ms" | "__range_s" | "__range_ms" | "__from" | "__to" => "300",
        _ if before.ends_with(['[', ':']) && !before.ends_with("::") => "5m",
        _ if before.ends_with("offset") => "5m",
        _ if before.ends_with(['>', '<', '*', '/', '+', '-']) || before.ends_with("==") => "1",
        _ if before.ends_with("topk(") || before.ends_with("bottomk(") || before.ends_with("quantile(") => {
            "1"
        }
        _ => VARIABLE,
    }
}

fn text_of<'j>(json: &'j Value, name: &str) -> Option<&'j str> {
    json.get(name).and_then(Value::as_str)
}

fn list<'j>(json: &'j Value, name: &str) -> impl Iterator<Item = &'j Value> {
    json.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// Returns the kind of server that a panel or target asks, when it says so.
fn kind_of_source(json: &Value) -> Option<&str> {
    json.get("datasource").and_then(|source| text_of(source, "type"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_become_something_that_parses() {
        let cases = [
            ("rate(a_total[$__rate_interval])", "rate(a_total[5m])"),
            ("rate(a_total[$window])", "rate(a_total[5m])"),
            (
                "sum by ([[by]]) (a{job=~\"$job\"})",
                "sum by (promflow_variable) (a{job=~\"promflow_variable\"})",
            ),
            ("a{x=\"${x:regex}\"} > $limit", "a{x=\"promflow_variable\"} > 1"),
            ("topk($n, a)", "topk(1, a)"),
            ("a{path=~\"a$\"}", "a{path=~\"a$\"}"),
            ("a[5m:$__interval]", "a[5m:5m]"),
        ];
        for (expr, expected) in cases {
            let query = DashboardQuery { panel: String::new(), expr: expr.to_owned() };
            assert_eq!(query.promql(), expected);
        }
    }

    #[test]
    fn panels_rows_and_variables_are_read_and_other_servers_left_out() {
        let text = r#"{"title": "T", "uid": "u", "schemaVersion": 39, "panels": [
            {"title": "A", "targets": [{"expr": "a_total"}, {"expr": ""}]},
            {"type": "row", "panels": [{"title": "B", "datasource": {"type": "prometheus"}, "targets": [{"expr": "b"}]}]},
            {"title": "Logs", "datasource": {"type": "loki"}, "targets": [{"expr": "{app=\"x\"}"}]}],
            "templating": {"list": [
                {"name": "job", "type": "query", "query": {"query": "label_values(up{a=\"b\"}, job)"}},
                {"name": "all", "type": "query", "query": "label_values(job)"}]}}"#;
        let dashboard = Dashboard::parse("d/x.json", text).expect("JSON").expect("a dashboard");
        let read: Vec<(&str, &str)> =
            dashboard.queries.iter().map(|q| (q.panel.as_str(), q.expr.as_str())).collect();
        assert_eq!(read, [("A", "a_total"), ("B", "b"), ("variable job", "up{a=\"b\"}")]);
        assert_eq!(Dashboard::parse("p.json", "{\"name\": \"package\"}"), Ok(None));
        assert!(Dashboard::parse("p.json", "{").is_err());
    }
}

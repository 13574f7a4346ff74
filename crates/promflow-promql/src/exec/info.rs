//! `info`: series get the labels of the info series of the same job and instance.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher};

use super::{Exec, Row, Sink};
use crate::column::{ABSENT, is_present};
use crate::error::QueryError;
use crate::plan::{Node, Selector};
use crate::steps::Steps;

/// The labels that say which info series belongs to a series.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
/// The info metric where none is named.
const DEFAULT_INFO: &str = "target_info";
/// The info metrics among which matchers that only exclude leave some.
const ANY_INFO: &str = ".+_info";

/// A series that gets labels.
struct Base {
    labels: Labels,
    drop_name: bool,
    values: Vec<f64>,
    /// Whether it is an info series itself, which stays as it is.
    ignored: bool,
}

/// An info series; the values are the times of its samples, in seconds.
struct Info {
    labels: Labels,
    times: Vec<f64>,
}

/// The info series of one name, and those of each job and instance among them.
struct Family {
    by_identity: HashMap<Labels, Vec<usize>, RandomState>,
}

/// Which labels are wanted.
struct Wanted<'m> {
    name: Vec<&'m Matcher>,
    data: Vec<&'m Matcher>,
}

impl Wanted<'_> {
    /// Says whether a matcher names info metrics, rather than excluding some.
    fn includes(&self) -> bool {
        self.name.iter().any(|m| matches!(m.op, MatchOp::Equal | MatchOp::Regex))
    }

    /// Says whether a series of this name is an info series itself. Matchers that only exclude make none.
    fn names_info(&self, metric: &str) -> bool {
        self.includes() && self.name.iter().all(|m| m.matches(metric))
    }
}

impl Exec<'_> {
    pub(super) fn info(
        &self,
        arg: &Node,
        matchers: Option<&[Matcher]>,
        moved: &Selector,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let default = [Matcher::equal(METRIC_NAME, DEFAULT_INFO)];
        let all = matchers.unwrap_or(&default);
        let (name, data) = all.iter().partition::<Vec<&Matcher>, _>(|m| m.name == METRIC_NAME);
        let wanted = Wanted { name, data };
        let mut account = self.budget.account();
        let mut bases = Vec::new();
        self.rows(arg, steps, &mut |row| {
            account.take(steps.count, steps.count * 8 + row.labels.size_bytes())?;
            let metric = row.labels.metric_name();
            let ignored = wanted.names_info(metric);
            bases.push(Base {
                drop_name: row.drop_name,
                values: row.values.to_vec(),
                ignored,
                labels: row.labels,
            });
            Ok(())
        })?;
        let infos = self.info_series(&bases, &wanted, moved, steps)?;
        account.take_column(infos.len() * steps.count)?;
        let families = families(&infos);
        let mut distinct = self.distinct(true);
        for mut base in bases {
            if base.ignored {
                distinct.check(&base.labels, &base.values)?;
                sink(Row { labels: base.labels, drop_name: base.drop_name, values: &mut base.values })?;
                continue;
            }
            for (labels, mut values) in enrich(&base, &infos, &families, &wanted, steps)? {
                distinct.check(&labels, &values)?;
                sink(Row { labels, drop_name: base.drop_name, values: &mut values })?;
            }
        }
        Ok(())
    }

    /// Reads the info series of all jobs and instances that occur.
    fn info_series(
        &self,
        bases: &[Base],
        wanted: &Wanted<'_>,
        moved: &Selector,
        steps: &Steps,
    ) -> Result<Vec<Info>, QueryError> {
        let mut matchers = Vec::new();
        for name in IDENTIFYING {
            let mut values: Vec<&str> = bases
                .iter()
                .filter(|b| !b.ignored)
                .map(|b| b.labels.get(name))
                .filter(|v| !v.is_empty())
                .collect();
            values.sort_unstable();
            values.dedup();
            if values.is_empty() {
                continue;
            }
            let pattern = values.iter().map(|v| quote_meta(v)).collect::<Vec<_>>().join("|");
            matchers.push(regex(name, &pattern)?);
        }
        if matchers.is_empty() {
            return Ok(Vec::new());
        }
        matchers.extend(wanted.name.iter().chain(&wanted.data).map(|m| (*m).clone()));
        if wanted.name.is_empty() {
            matchers.push(Matcher::equal(METRIC_NAME, DEFAULT_INFO));
        } else if !wanted.includes() {
            matchers.push(regex(METRIC_NAME, ANY_INFO)?);
        }
        let selector = Selector { matchers, ..moved.clone() };
        let mut infos = Vec::new();
        self.sample_times(&selector, steps, &mut |row| {
            infos.push(Info { labels: row.labels, times: row.values.to_vec() });
            Ok(())
        })?;
        Ok(infos)
    }
}

fn families(infos: &[Info]) -> Vec<Family> {
    let mut names: Vec<&str> = infos.iter().map(|i| i.labels.metric_name()).collect();
    names.sort_unstable();
    names.dedup();
    let family = |name: &str| {
        let mut by_identity: HashMap<Labels, Vec<usize>, RandomState> = HashMap::default();
        for (i, info) in infos.iter().enumerate().filter(|(_, info)| info.labels.metric_name() == name) {
            by_identity.entry(info.labels.keep(&IDENTIFYING)).or_default().push(i);
        }
        Family { by_identity }
    };
    names.into_iter().map(family).collect()
}

/// Returns a series with the labels of its info series, once for each set of labels that it has in the course of time.
fn enrich(
    base: &Base,
    infos: &[Info],
    families: &[Family],
    wanted: &Wanted<'_>,
    steps: &Steps,
) -> Result<Vec<(Labels, Vec<f64>)>, QueryError> {
    let identity = base.labels.keep(&IDENTIFYING);
    let candidates: Vec<&[usize]> =
        families.iter().filter_map(|f| f.by_identity.get(&identity)).map(Vec::as_slice).collect();
    let may_miss = wanted.data.iter().all(|m| m.matches_empty());
    let mut enriched: Vec<(Vec<usize>, Labels, Vec<f64>)> = Vec::new();
    for (step, value) in base.values.iter().enumerate().filter(|(_, v)| is_present(**v)) {
        let mut chosen = Vec::with_capacity(candidates.len());
        for family in &candidates {
            chosen.extend(newest(family, infos, step)?);
        }
        if chosen.is_empty() && !may_miss {
            continue;
        }
        let i = match enriched.iter().position(|(c, ..)| *c == chosen) {
            Some(i) => i,
            None => {
                let labels = combine(base, &chosen, infos, wanted)?;
                enriched.push((chosen, labels, vec![ABSENT; steps.count]));
                enriched.len() - 1
            }
        };
        enriched[i].2[step] = *value;
    }
    Ok(enriched.into_iter().map(|(_, labels, values)| (labels, values)).collect())
}

/// Returns the info series with the latest sample at a step.
fn newest(family: &[usize], infos: &[Info], step: usize) -> Result<Option<usize>, QueryError> {
    let mut best: Option<usize> = None;
    for i in family.iter().copied().filter(|i| is_present(infos[*i].times[step])) {
        let Some(other) = best else {
            best = Some(i);
            continue;
        };
        let (existing, new) = (&infos[other], &infos[i]);
        if existing.times[step] == new.times[step] {
            let t_ms = (new.times[step] * 1000.0).round() as i64;
            return Err(QueryError::execution(format!(
                "found duplicate series for info metric: existing {} @ {t_ms}, new {} @ {t_ms}",
                existing.labels, new.labels
            )));
        }
        if existing.times[step] < new.times[step] {
            best = Some(i);
        }
    }
    Ok(best)
}

fn combine(base: &Base, chosen: &[usize], infos: &[Info], wanted: &Wanted<'_>) -> Result<Labels, QueryError> {
    let mut added = LabelsBuilder::default();
    for i in chosen {
        for (name, value) in infos[*i].labels.iter() {
            let is_wanted = wanted.data.is_empty() || wanted.data.iter().any(|m| m.name == name);
            if name == METRIC_NAME || !is_wanted {
                continue;
            }
            let known = added.get(name);
            if !known.is_empty() && known != value {
                return Err(QueryError::execution(format!("conflicting label: {name}")));
            }
            if !base.labels.has(name) {
                added.set(name, value);
            }
        }
    }
    let mut builder = LabelsBuilder::new(&base.labels);
    for (name, value) in added.iter() {
        builder.set(name, value);
    }
    Ok(builder.labels())
}

fn regex(label: &str, pattern: &str) -> Result<Matcher, QueryError> {
    Matcher::new(MatchOp::Regex, label, pattern).map_err(|e| QueryError::execution(e.to_string()))
}

/// Writes a text as a pattern that matches it alone.
fn quote_meta(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

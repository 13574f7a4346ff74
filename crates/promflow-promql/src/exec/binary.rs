//! Binary operations between two vectors: the "one" side is kept, the "many" side streams past it.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::{Labels, LabelsBuilder};
use promflow_syntax::ast::MatchCardinality;

use super::distinct::Distinct;
use super::{Exec, METADATA, Row, Sink, without_metadata};
use crate::budget::Account;
use crate::column::{ABSENT, StepSet, all_absent, is_present};
use crate::error::QueryError;
use crate::functions::binary::{Outcome, apply};
use crate::plan::{Node, VectorBinary, changes_schema};
use crate::steps::Steps;

/// One series of the "one" side.
struct OneRow {
    labels: Labels,
    values: Vec<f64>,
}

/// The series of the "one" side with the same signature.
struct OneGroup {
    rows: Vec<usize>,
    /// The steps at which one of them has a value.
    present: StepSet,
    /// The steps at which a series of the "many" side was matched.
    matched: Option<StepSet>,
}

impl OneGroup {
    fn new(steps: usize) -> Self {
        Self { rows: Vec::new(), present: StepSet::new(steps), matched: None }
    }
}

/// An error that counts when no earlier one occurs: all series of a step are matched before those of the next.
struct Found {
    step: usize,
    error: QueryError,
}

/// A join under way.
struct Join<'j> {
    binary: &'j VectorBinary,
    /// Whether the left side is the "one".
    swapped: bool,
    /// What stands in for a missing series of the "one" side.
    fill_one: Option<f64>,
    /// What stands in for a missing series of the "many" side.
    fill_many: Option<f64>,
    steps: usize,
    rows: Vec<OneRow>,
    index: HashMap<Labels, usize, RandomState>,
    groups: Vec<OneGroup>,
    /// At each step the first series of the "one" side that is not alone in its group, and the one before it.
    duplicates: BTreeMap<usize, (usize, usize)>,
    /// The results of many-to-one matches so far, by group.
    inserted: HashMap<(usize, Labels), StepSet, RandomState>,
    found: Option<Found>,
    account: Account<'j>,
    column: Vec<f64>,
}

/// The side of a pair that is looked up.
#[derive(Clone, Copy)]
enum One<'o> {
    Row(&'o OneRow),
    Fill(&'o Labels, f64),
}

impl Exec<'_> {
    pub(super) fn vector_binary(
        &self,
        node: &Node,
        binary: &VectorBinary,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let matching = &binary.matching;
        let swapped = matching.card == MatchCardinality::OneToMany;
        let (many, one) = if swapped { (&binary.rhs, &binary.lhs) } else { (&binary.lhs, &binary.rhs) };
        let mut join = Join {
            binary,
            swapped,
            // Prometheus lets `fill_right` stand in for the "one" side also where that is on the left.
            fill_one: matching.fill_right,
            fill_many: matching.fill_left,
            steps: steps.count,
            rows: Vec::new(),
            index: HashMap::default(),
            groups: Vec::new(),
            duplicates: BTreeMap::new(),
            inserted: HashMap::default(),
            found: None,
            account: self.budget.account(),
            column: vec![ABSENT; steps.count],
        };
        let by_metadata = binary.key.on && binary.key.labels.iter().any(|l| METADATA.contains(&l.as_str()));
        let mut output = Output {
            exec: self,
            node,
            distinct: self.distinct(matching.card != MatchCardinality::OneToOne || by_metadata),
            sink,
        };
        self.rows(one, steps, &mut |row| join.add_one(row))?;
        if join.fill_one.is_some() || join.fill_many.is_some() {
            join.note_duplicate(|_| true);
        }
        self.rows(many, steps, &mut |row| join.add_many(row, &mut output))?;
        join.fill_unmatched(&mut output)?;
        join.found.map_or(Ok(()), |found| Err(found.error))
    }
}

/// Where a join's results go.
struct Output<'o> {
    exec: &'o Exec<'o>,
    node: &'o Node,
    distinct: Distinct<'o>,
    sink: Sink<'o>,
}

impl Join<'_> {
    fn add_one(&mut self, row: Row<'_>) -> Result<(), QueryError> {
        self.account.take(self.steps, self.steps * 8 + row.labels.size_bytes())?;
        let signature = self.binary.key.of(&row.labels);
        let number = self.rows.len();
        let group = *self.index.entry(signature).or_insert_with(|| {
            self.groups.push(OneGroup::new(self.steps));
            self.groups.len() - 1
        });
        let kept = &mut self.groups[group];
        for (step, _) in row.values.iter().enumerate().filter(|(_, v)| is_present(**v)) {
            if kept.present.add(step) && !self.duplicates.contains_key(&step) {
                let earlier = kept.rows.iter().find(|other| is_present(self.rows[**other].values[step]));
                self.duplicates.insert(step, (number, earlier.copied().unwrap_or(number)));
            }
        }
        self.groups[group].rows.push(number);
        self.rows.push(OneRow { labels: row.labels, values: row.values.to_vec() });
        Ok(())
    }

    fn add_many(&mut self, row: Row<'_>, output: &mut Output<'_>) -> Result<(), QueryError> {
        self.note_duplicate(|step| is_present(row.values[step]));
        if let Some(found) = self.found.take_if(|found| found.step == 0) {
            return Err(found.error);
        }
        let signature = self.binary.key.of(&row.labels);
        let Some(group) = self.index.get(&signature).copied() else {
            let Some(fill) = self.fill_one else { return Ok(()) };
            let group = self.groups.len();
            self.index.insert(signature.clone(), group);
            self.groups.push(OneGroup::new(self.steps));
            return self.pair(&row.labels, row.values, One::Fill(&signature, fill), group, output);
        };
        let rows = std::mem::take(&mut self.groups[group].rows);
        let ones = std::mem::take(&mut self.rows);
        let mut result = Ok(());
        for number in &rows {
            result = self.pair(&row.labels, row.values, One::Row(&ones[*number]), group, output);
            if result.is_err() {
                break;
            }
        }
        if let (Ok(()), Some(fill)) = (&result, self.fill_one) {
            for number in &rows {
                for (value, one) in row.values.iter_mut().zip(&ones[*number].values) {
                    if is_present(*one) {
                        *value = ABSENT;
                    }
                }
            }
            result = self.pair(&row.labels, row.values, One::Fill(&signature, fill), group, output);
        }
        self.groups[group].rows = rows;
        self.rows = ones;
        result
    }

    /// Combines a series of the "many" side with one of the "one" side, at the steps at which both have values.
    fn pair(
        &mut self,
        many: &Labels,
        many_values: &[f64],
        one: One<'_>,
        group: usize,
        output: &mut Output<'_>,
    ) -> Result<(), QueryError> {
        let mut paired = StepSet::new(self.steps);
        let mut any = false;
        // What comes after an error cannot matter any more.
        let matters = self.found.as_ref().map_or(self.steps, |found| found.step);
        self.column.fill(ABSENT);
        for (step, many_value) in many_values.iter().copied().enumerate().take(matters) {
            let one_value = match one {
                One::Row(row) => row.values[step],
                One::Fill(_, fill) => fill,
            };
            if !is_present(many_value) || !is_present(one_value) {
                continue;
            }
            let (a, b) = if self.swapped { (one_value, many_value) } else { (many_value, one_value) };
            self.column[step] = match apply(self.binary.op, a, b) {
                Outcome::Value(value) => value,
                Outcome::Compared(holds) if self.binary.return_bool => f64::from(u8::from(holds)),
                Outcome::Compared(true) => a,
                Outcome::Compared(false) => ABSENT,
                Outcome::NotForFloats => {
                    let mut annotations = output.exec.annotations.borrow_mut();
                    annotations.incompatible_floats(self.binary.op.as_str(), output.node.span);
                    continue;
                }
            };
            paired.add(step);
            any = true;
        }
        if !any {
            return Ok(());
        }
        let one_labels = match one {
            One::Row(row) => &row.labels,
            One::Fill(labels, _) => labels,
        };
        let mut labels = self.result_labels(many, one_labels);
        if self.binary.return_bool && !output.exec.delayed_name_removal {
            labels = without_metadata(&labels);
        }
        self.check_unique(group, &labels, &paired)?;
        if self.found.is_some() || all_absent(&self.column) {
            return Ok(());
        }
        if let Err(error) = output.distinct.check(&labels, &self.column) {
            self.found = Some(Found { step: self.steps, error });
            return Ok(());
        }
        (output.sink)(Row { labels, drop_name: self.binary.return_bool, values: &mut self.column })
    }

    /// Notes the matches of a group and the first step at which they are not unique.
    fn check_unique(&mut self, group: usize, labels: &Labels, paired: &StepSet) -> Result<(), QueryError> {
        let matched = self.groups[group].matched.get_or_insert_with(|| StepSet::new(self.steps));
        let one_to_one = self.binary.matching.card == MatchCardinality::OneToOne;
        let mut repeated = None;
        for step in (0..self.steps).filter(|s| paired.has(*s)) {
            if matched.add(step) && one_to_one && repeated.is_none() {
                repeated = Some(step);
            }
        }
        if one_to_one {
            if let Some(step) = repeated {
                self.note(
                    step,
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                );
            }
            return Ok(());
        }
        let key = (group, labels.clone());
        if !self.inserted.contains_key(&key) {
            self.account.take(0, labels.size_bytes() + paired.size_bytes())?;
        }
        let steps = self.inserted.entry(key).or_insert_with(|| StepSet::new(self.steps));
        for step in (0..self.steps).filter(|s| paired.has(*s)) {
            if steps.add(step) && repeated.is_none() {
                repeated = Some(step);
            }
        }
        if let Some(step) = repeated {
            self.note(step, "multiple matches for labels: grouping labels must ensure unique matches");
        }
        Ok(())
    }

    /// Notes the first step with several series of one group on the "one" side, of the steps that count.
    fn note_duplicate(&mut self, counts: impl Fn(usize) -> bool) {
        let Some((step, (later, earlier))) = self.duplicates.iter().find(|(step, _)| counts(**step)) else {
            return;
        };
        let (later, earlier) = (&self.rows[*later].labels, &self.rows[*earlier].labels);
        let message = format!(
            "found duplicate series for the match group {} on the {} hand-side of the operation: [{earlier}, \
             {later}];many-to-many matching not allowed: matching labels must be unique on one side",
            self.binary.key.of(later),
            if self.swapped { "left" } else { "right" },
        );
        // Within a step duplicates are found before anything is matched.
        if self.found.as_ref().is_none_or(|found| *step <= found.step) {
            self.found = Some(Found { step: *step, error: QueryError::execution(message) });
        }
    }

    fn note(&mut self, step: usize, message: &str) {
        if self.found.as_ref().is_none_or(|found| step < found.step) {
            self.found = Some(Found { step, error: QueryError::execution(message) });
        }
    }

    fn result_labels(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = &self.binary.matching;
        let mut builder = LabelsBuilder::new(many);
        if changes_schema(self.binary.op) {
            METADATA.iter().for_each(|name| {
                builder.remove(name);
            });
        }
        if matching.card == MatchCardinality::OneToOne {
            let named = |name: &str| self.binary.key.labels.iter().any(|l| l == name);
            builder.retain(|name, _| named(name) == matching.on);
        }
        for name in &matching.include {
            builder.set(name, one.get(name));
        }
        builder.labels()
    }

    /// Combines the series of the "one" side that nothing matched with what stands in for the "many".
    fn fill_unmatched(&mut self, output: &mut Output<'_>) -> Result<(), QueryError> {
        let Some(fill) = self.fill_many else { return Ok(()) };
        let ones = std::mem::take(&mut self.rows);
        for group in 0..self.groups.len() {
            let rows = std::mem::take(&mut self.groups[group].rows);
            let matched = self.groups[group].matched.clone();
            for one in rows.iter().map(|number| &ones[*number]) {
                let values: Vec<f64> = (0..self.steps)
                    .map(|s| if matched.as_ref().is_some_and(|m| m.has(s)) { ABSENT } else { fill })
                    .collect();
                let labels = self.binary.key.of(&one.labels);
                self.pair(&labels, &values, One::Row(one), group, output)?;
            }
            self.groups[group].rows = rows;
        }
        self.rows = ones;
        Ok(())
    }
}

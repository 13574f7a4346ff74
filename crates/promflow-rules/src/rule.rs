//! A rule of either kind.

use promflow_config::RuleKind;
use promflow_model::Labels;
use promflow_syntax::Expr;

use crate::alerting::AlertingRule;
use crate::recording::RecordingRule;
use crate::series::SeriesNames;

/// Whether a rule's last evaluation went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Not evaluated yet.
    #[default]
    Unknown,
    /// It went well.
    Good,
    /// It failed.
    Bad,
}

impl Health {
    /// Returns the health as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "ok",
            Self::Bad => "err",
        }
    }
}

/// The last evaluation of a rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastEvaluation {
    pub(crate) health: Health,
    pub(crate) error: Option<String>,
    /// Milliseconds since the epoch; 0 before the first.
    pub(crate) t_ms: i64,
    pub(crate) seconds: f64,
    pub(crate) samples: usize,
}

pub(crate) enum RuleBody {
    Recording(RecordingRule),
    Alerting(AlertingRule),
}

/// A rule with its state.
pub(crate) struct Rule {
    pub(crate) body: RuleBody,
    pub(crate) last: LastEvaluation,
    /// The series of the evaluation before, to be marked stale when they are missing.
    pub(crate) previous: SeriesNames,
}

impl Rule {
    pub(crate) fn new(body: RuleBody) -> Self {
        Self { body, last: LastEvaluation::default(), previous: SeriesNames::default() }
    }

    pub(crate) fn name(&self) -> &str {
        match &self.body {
            RuleBody::Recording(rule) => &rule.name,
            RuleBody::Alerting(rule) => &rule.name,
        }
    }

    pub(crate) fn labels(&self) -> &Labels {
        match &self.body {
            RuleBody::Recording(rule) => &rule.labels,
            RuleBody::Alerting(rule) => &rule.labels,
        }
    }

    pub(crate) fn expr(&self) -> &Expr {
        match &self.body {
            RuleBody::Recording(rule) => &rule.expr,
            RuleBody::Alerting(rule) => &rule.expr,
        }
    }

    pub(crate) fn kind(&self) -> RuleKind {
        match self.body {
            RuleBody::Recording(_) => RuleKind::Recording,
            RuleBody::Alerting(_) => RuleKind::Alerting,
        }
    }

    /// Takes over the state of the same rule before a reload.
    pub(crate) fn take_state(&mut self, before: Self) {
        self.previous = before.previous;
        self.last = before.last;
        if let (RuleBody::Alerting(rule), RuleBody::Alerting(old)) = (&mut self.body, before.body) {
            rule.take_state(old);
        }
    }
}

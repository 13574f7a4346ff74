//! The functions a template can call, with their parameters.

use crate::value::Value;
use crate::{Env, builtin, prometheus};

/// The type that a parameter has in Go, which decides what may be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Param {
    Text,
    /// `interface {}`
    Any,
    Samples,
    Sample,
}

impl Param {
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Param::Text => "string",
            Param::Any => "interface {}",
            Param::Samples => "template.queryResult",
            Param::Sample => "*template.sample",
        }
    }

    /// Tells whether nil may stand for a value of the type.
    pub(crate) fn takes_nil(self) -> bool {
        self != Param::Text
    }

    pub(crate) fn takes(self, value: &Value<'_>) -> bool {
        match self {
            Param::Any => true,
            Param::Text => matches!(value, Value::Text(_)),
            Param::Samples => matches!(value, Value::Samples(_)),
            Param::Sample => matches!(value, Value::Sample(_)),
        }
    }
}

/// What a function sees of the expansion around it.
pub(crate) struct Context<'a> {
    pub(crate) env: &'a Env<'a>,
    pub(crate) external_url: &'a str,
}

type Run = for<'a> fn(&Context<'a>, &[Value<'a>]) -> Result<Value<'a>, String>;

pub(crate) enum Body {
    Call(Run),
    /// `and`, which stops at the first empty argument.
    And,
    /// `or`, which stops at the first argument that is not empty.
    Or,
    /// `call`, which always fails: no value of an alert's template is a function.
    Callee,
}

pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) params: &'static [Param],
    /// The type of further arguments, if any may follow.
    pub(crate) variadic: Option<Param>,
    pub(crate) body: Body,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Function {
    pub(crate) fn find(name: &str) -> Option<&'static Function> {
        FUNCTIONS.iter().find(|f| f.name == name)
    }
}

const fn fixed(name: &'static str, params: &'static [Param], run: Run) -> Function {
    Function { name, params, variadic: None, body: Body::Call(run) }
}

const fn variadic(name: &'static str, params: &'static [Param], run: Run) -> Function {
    Function { name, params, variadic: Some(Param::Any), body: Body::Call(run) }
}

use Param::{Any, Sample, Samples, Text};

static FUNCTIONS: [Function; 48] = [
    Function { name: "and", params: &[Any], variadic: Some(Any), body: Body::And },
    Function { name: "or", params: &[Any], variadic: Some(Any), body: Body::Or },
    Function { name: "call", params: &[Any], variadic: Some(Any), body: Body::Callee },
    variadic("eq", &[Any], builtin::eq),
    fixed("ge", &[Any, Any], builtin::ge),
    fixed("gt", &[Any, Any], builtin::gt),
    variadic("html", &[], builtin::html),
    variadic("index", &[Any], builtin::index),
    variadic("js", &[], builtin::js),
    fixed("le", &[Any, Any], builtin::le),
    fixed("len", &[Any], builtin::len),
    fixed("lt", &[Any, Any], builtin::lt),
    fixed("ne", &[Any, Any], builtin::ne),
    fixed("not", &[Any], builtin::not),
    variadic("print", &[], builtin::print),
    variadic("printf", &[Text], builtin::printf),
    variadic("println", &[], builtin::println),
    variadic("slice", &[Any], builtin::slice),
    variadic("urlquery", &[], builtin::urlquery),
    variadic("args", &[], prometheus::args),
    fixed("externalURL", &[], prometheus::external_url),
    fixed("first", &[Samples], prometheus::first),
    fixed("graphLink", &[Text], prometheus::graph_link),
    fixed("humanize", &[Any], prometheus::humanize),
    fixed("humanize1024", &[Any], prometheus::humanize1024),
    fixed("humanizeDuration", &[Any], prometheus::humanize_duration),
    fixed("humanizePercentage", &[Any], prometheus::humanize_percentage),
    fixed("humanizeTimestamp", &[Any], prometheus::humanize_timestamp),
    fixed("label", &[Text, Sample], prometheus::label),
    fixed("match", &[Text, Text], prometheus::matches),
    fixed("now", &[], prometheus::now),
    fixed("parseDuration", &[Text], prometheus::parse_duration),
    fixed("pathPrefix", &[], prometheus::path_prefix),
    fixed("query", &[Text], prometheus::query),
    fixed("reReplaceAll", &[Text, Text, Text], prometheus::re_replace_all),
    fixed("safeHtml", &[Text], prometheus::safe_html),
    fixed("sortByLabel", &[Text, Samples], prometheus::sort_by_label),
    fixed("stripDomain", &[Text], prometheus::strip_domain),
    fixed("stripPort", &[Text], prometheus::strip_port),
    fixed("strvalue", &[Sample], prometheus::strvalue),
    fixed("tableLink", &[Text], prometheus::table_link),
    fixed("title", &[Text], prometheus::title),
    fixed("toDuration", &[Any], prometheus::to_duration),
    fixed("toLower", &[Text], prometheus::to_lower),
    fixed("toTime", &[Any], prometheus::to_time),
    fixed("toUpper", &[Text], prometheus::to_upper),
    fixed("urlQueryEscape", &[Text], prometheus::url_query_escape),
    fixed("value", &[Sample], prometheus::value),
];

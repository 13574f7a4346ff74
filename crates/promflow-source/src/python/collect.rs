//! The walk over a file's syntax tree.

use std::collections::BTreeMap;

use promflow_model::MetricType;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Alias, Expr, ExprCall, Stmt};
use ruff_text_size::Ranged;

use super::settings;
use super::value::Value;
use super::{Call, FileFindings, Function, Lines, Site};
use crate::Library;

/// Collects what a file says about metrics and settings.
pub(super) fn collect(path: &str, package: Option<usize>, body: &[Stmt], lines: &Lines<'_>) -> FileFindings {
    let found = FileFindings { path: path.to_owned(), package, ..FileFindings::default() };
    let mut collector = Collector {
        found,
        lines,
        classes: BTreeMap::new(),
        modules: BTreeMap::new(),
        functions: Vec::new(),
        owners: Vec::new(),
        variable: None,
    };
    for stmt in body {
        collector.visit_stmt(stmt);
    }
    collector.found
}

struct Collector<'t> {
    found: FileFindings,
    lines: &'t Lines<'t>,
    /// What imported names stand for: a class of metric, by the name it has here.
    classes: BTreeMap<String, (MetricType, Library)>,
    /// Imported modules of a library, by the name they have here.
    modules: BTreeMap<String, Library>,
    /// The functions around the place.
    functions: Vec<usize>,
    /// The classes around the place.
    owners: Vec<String>,
    /// What the value being visited is bound to.
    variable: Option<String>,
}

fn library_of(module: &str) -> Option<Library> {
    match module.split('.').next()? {
        "prometheus_client" => Some(Library::PythonPrometheusClient),
        "promflow" => Some(Library::PythonPromflow),
        _ => None,
    }
}

fn kind_of(class: &str) -> Option<MetricType> {
    Some(match class {
        "Counter" => MetricType::Counter,
        "Gauge" => MetricType::Gauge,
        "Histogram" => MetricType::Histogram,
        "Summary" => MetricType::Summary,
        "Info" => MetricType::Info,
        "Enum" => MetricType::StateSet,
        _ => return None,
    })
}

impl Collector<'_> {
    fn import(&mut self, alias: &Alias) {
        let Some(library) = library_of(&alias.name) else { return };
        let name = alias.asname.as_ref().map_or_else(
            || alias.name.split('.').next().unwrap_or(&alias.name).to_owned(),
            |name| name.to_string(),
        );
        self.modules.insert(name, library);
    }

    fn import_from(&mut self, module: &str, alias: &Alias) {
        let Some(library) = library_of(module) else { return };
        let name = alias.asname.as_ref().unwrap_or(&alias.name).to_string();
        match kind_of(&alias.name) {
            Some(kind) => drop(self.classes.insert(name, (kind, library))),
            None if &*alias.name == "*" => {
                for class in ["Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"] {
                    self.classes.extend(kind_of(class).map(|kind| (class.to_owned(), (kind, library))));
                }
            }
            None => drop(self.modules.insert(name, library)),
        }
    }

    fn bind(&mut self, target: &Expr, value: &Expr) {
        let name = match target {
            Expr::Name(name) => name.id.to_string(),
            Expr::Attribute(attribute) => attribute.attr.to_string(),
            _ => return,
        };
        let (line, _) = self.lines.place(value.range().start().to_usize());
        let owner = self.owners.last().map(String::as_str);
        let read = Value::of(value);
        if self.functions.is_empty() {
            self.found.hints.extend(settings::of_binding(&name, owner, &read, line));
        }
        self.found.bindings.entry(name.clone()).or_default().push(read);
        self.variable = Some(name);
    }

    fn call(&self, name: String, call: &ExprCall) -> Call {
        let (line, column) = self.lines.place(call.range().start().to_usize());
        let keywords = call.arguments.keywords.iter();
        Call {
            name,
            args: call.arguments.args.iter().map(Value::of).collect(),
            keywords: keywords
                .filter_map(|k| Some((k.arg.as_ref()?.to_string(), Value::of(&k.value))))
                .collect(),
            line,
            column,
            function: self.functions.last().copied(),
        }
    }

    /// Recognises a class of metric by the name it is called by.
    fn metric(&self, func: &Expr) -> Option<(MetricType, Library)> {
        match func {
            Expr::Name(name) => self.classes.get(name.id.as_str()).copied(),
            Expr::Attribute(attribute) => {
                let kind = kind_of(&attribute.attr)?;
                let mut base = &*attribute.value;
                while let Expr::Attribute(inner) = base {
                    base = &inner.value;
                }
                let Expr::Name(module) = base else { return None };
                Some((kind, *self.modules.get(module.id.as_str())?))
            }
            _ => None,
        }
    }

    fn visit_call(&mut self, call: &ExprCall) {
        let name = match &*call.func {
            Expr::Name(name) => name.id.to_string(),
            Expr::Attribute(attribute) => attribute.attr.to_string(),
            _ => return,
        };
        if let Some((kind, library)) = self.metric(&call.func) {
            let variable = self.variable.take();
            let call = self.call(name, call);
            self.found.sites.push(Site { kind, library, call, variable });
            return;
        }
        let seen = self.call(name, call);
        let hints = settings::of_call(&seen);
        self.found.hints.extend(hints);
        // A helper that makes metrics is given a name.
        let has_text = |value: &Value| matches!(value, Value::Text(_) | Value::Joined(_));
        if seen.args.iter().any(has_text) || seen.keywords.iter().any(|(_, value)| has_text(value)) {
            self.found.calls.push(seen);
        }
    }

    /// Notes a call of `labels`, and takes its variable for used by that alone.
    fn visit_labels(&mut self, call: &ExprCall) -> bool {
        let Expr::Attribute(attribute) = &*call.func else { return false };
        if &*attribute.attr != "labels" {
            return false;
        }
        let on = match &*attribute.value {
            Expr::Name(name) => name.id.to_string(),
            Expr::Attribute(inner) => inner.attr.to_string(),
            _ => return false,
        };
        let unpacked = call.arguments.keywords.iter().any(|keyword| keyword.arg.is_none());
        let mut seen = self.call(on, call);
        if unpacked {
            seen.args.push(Value::Unknown);
        }
        self.found.label_uses.push(seen);
        true
    }
}

impl<'a> Visitor<'a> for Collector<'_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.import(alias)),
            Stmt::ImportFrom(import) if import.level == 0 => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                import.names.iter().for_each(|alias| self.import_from(module, alias));
            }
            Stmt::Assign(assign) => {
                assign.targets.iter().for_each(|target| self.bind(target, &assign.value));
                self.visit_expr(&assign.value);
                self.variable = None;
            }
            Stmt::AnnAssign(assign) => {
                if let Some(value) = &assign.value {
                    self.bind(&assign.target, value);
                    self.visit_expr(value);
                    self.variable = None;
                }
            }
            Stmt::FunctionDef(function) => {
                let parameters = function.parameters.iter_non_variadic_params().map(|parameter| {
                    (parameter.parameter.name.to_string(), parameter.default.as_deref().map(Value::of))
                });
                let function_at = self.found.functions.len();
                let parameters: Vec<_> =
                    parameters.filter(|(name, _)| name != "self" && name != "cls").collect();
                self.found.functions.push(Function { name: function.name.to_string(), parameters });
                function.decorator_list.iter().for_each(|decorator| self.visit_expr(&decorator.expression));
                self.functions.push(function_at);
                visitor::walk_body(self, &function.body);
                self.functions.pop();
            }
            Stmt::ClassDef(class) => {
                self.owners.push(class.name.to_string());
                visitor::walk_stmt(self, stmt);
                self.owners.pop();
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => {
                if self.visit_labels(call) {
                    call.arguments.args.iter().for_each(|arg| self.visit_expr(arg));
                    call.arguments.keywords.iter().for_each(|keyword| self.visit_expr(&keyword.value));
                    return;
                }
                self.visit_call(call);
            }
            Expr::Name(name) => *self.found.other_uses.entry(name.id.to_string()).or_default() += 1,
            Expr::Attribute(attribute) => {
                *self.found.other_uses.entry(attribute.attr.to_string()).or_default() += 1;
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
    }
}

//! The walk over a file's syntax tree.

use std::collections::BTreeMap;

use promflow_model::MetricType;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Alias, Comprehension, Expr, ExprCall, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::settings;
use super::value::Value;
use super::{Call, Class, FileFindings, Lines, Scope, ScopeKind, Site, Target};
use crate::Library;

/// Collects what a file says about metrics and settings.
pub(super) fn collect(path: &str, package: Option<usize>, body: &[Stmt], lines: &Lines<'_>) -> FileFindings {
    let found = FileFindings { path: path.to_owned(), package, ..FileFindings::default() };
    let mut collector = Collector {
        found,
        lines,
        classes: BTreeMap::new(),
        modules: BTreeMap::new(),
        scopes: Vec::new(),
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
    classes: BTreeMap<String, Class>,
    /// Imported modules of a library, by the name they have here.
    modules: BTreeMap<String, Library>,
    /// The functions and loops around the place.
    scopes: Vec<usize>,
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

/// The names of all classes.
const CLASSES: [&str; 6] = ["Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"];

fn class_of(name: &str, library: Library) -> Option<Class> {
    let family = name.strip_suffix("MetricFamily");
    let kind = match (family.unwrap_or(name), family.is_some()) {
        ("Counter", _) => MetricType::Counter,
        ("Gauge", _) => MetricType::Gauge,
        ("Histogram", _) => MetricType::Histogram,
        ("Summary", _) => MetricType::Summary,
        ("Info", _) => MetricType::Info,
        ("Enum", false) | ("StateSet", true) => MetricType::StateSet,
        ("GaugeHistogram", true) => MetricType::GaugeHistogram,
        ("Unknown" | "Untyped", true) => MetricType::Unknown,
        _ => return None,
    };
    Some(Class { kind, library, is_family: family.is_some(), given: Vec::new() })
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
        match class_of(&alias.name, library) {
            Some(class) => drop(self.classes.insert(name, class)),
            None if &*alias.name == "*" => {
                let all = CLASSES.into_iter();
                self.classes.extend(all.filter_map(|name| Some((name.to_owned(), class_of(name, library)?))));
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
        if let (Expr::Name(_), Some(class)) = (target, self.partial(value)) {
            self.classes.insert(name.clone(), class);
        }
        let read = Value::of(value);
        if !self.is_in_function() {
            self.found.hints.extend(settings::of_binding(&name, owner, &read, line));
        }
        self.found.bindings.entry(name.clone()).or_default().push(read);
        self.variable = Some(name);
    }

    /// Reads `functools.partial(Counter, namespace="app")`.
    fn partial(&self, value: &Expr) -> Option<Class> {
        let Expr::Call(call) = value else { return None };
        let name = match &*call.func {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => return None,
        };
        let mut class = self.metric(call.arguments.args.first().filter(|_| name == "partial")?)?;
        class.given.extend(keywords(call));
        Some(class)
    }

    fn is_in_function(&self) -> bool {
        self.scopes.iter().any(|at| matches!(self.found.scopes[*at].kind, ScopeKind::Function { .. }))
    }

    /// Enters a function or loop and says which it is.
    fn enter(&mut self, kind: ScopeKind) {
        let parent = self.scopes.last().copied();
        self.scopes.push(self.found.scopes.len());
        self.found.scopes.push(Scope { parent, kind });
    }

    fn call(&self, name: String, call: &ExprCall) -> Call {
        let (line, column) = self.lines.place(call.range().start().to_usize());
        Call {
            name,
            args: call.arguments.args.iter().map(Value::of).collect(),
            keywords: keywords(call),
            line,
            column,
            scope: self.scopes.last().copied(),
        }
    }

    /// Recognises a class of metric by the name it is called by.
    fn metric(&self, func: &Expr) -> Option<Class> {
        match func {
            Expr::Name(name) => self.classes.get(name.id.as_str()).cloned(),
            Expr::Attribute(attribute) => {
                let mut base = &*attribute.value;
                while let Expr::Attribute(inner) = base {
                    base = &inner.value;
                }
                let Expr::Name(module) = base else { return None };
                class_of(&attribute.attr, *self.modules.get(module.id.as_str())?)
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
        let base = self.base_called(call);
        let class =
            base.as_ref().map_or_else(|| self.metric(&call.func), |base| self.classes.get(base).cloned());
        if let Some(class) = class {
            let variable = self.variable.take();
            let mut call = self.call(name, call);
            call.keywords.extend(class.given.iter().cloned());
            self.found.sites.push(Site { class, call, variable });
            return;
        }
        let seen = self.call(base.unwrap_or(name), call);
        let hints = settings::of_call(&seen);
        self.found.hints.extend(hints);
        // A helper that makes metrics is given a name, or what one is put together from.
        let may_name = |value: &Value| !matches!(value, Value::Number(_) | Value::Nothing | Value::Unknown);
        if seen.args.iter().any(may_name) || seen.keywords.iter().any(|(_, value)| may_name(value)) {
            self.found.calls.push(seen);
        }
    }

    /// Returns the class whose `__init__` is called by `super().__init__(...)`.
    fn base_called(&self, call: &ExprCall) -> Option<String> {
        let Expr::Attribute(attribute) = &*call.func else { return None };
        let Expr::Call(on) = &*attribute.value else { return None };
        let is_super = matches!(&*on.func, Expr::Name(name) if name.id.as_str() == "super");
        let owner = self.owners.last().filter(|_| is_super && &*attribute.attr == "__init__")?;
        self.found.bases.get(owner)?.first().cloned()
    }

    fn function(&mut self, function: &StmtFunctionDef) {
        let parameters = function.parameters.iter_non_variadic_params().map(|parameter| {
            (parameter.parameter.name.to_string(), parameter.default.as_deref().map(Value::of))
        });
        let parameters = parameters.filter(|(name, _)| name != "self" && name != "cls").collect();
        function.decorator_list.iter().for_each(|decorator| self.visit_expr(&decorator.expression));
        let class = self.owners.last().cloned();
        self.enter(ScopeKind::Function { name: function.name.to_string(), class, parameters });
        visitor::walk_body(self, &function.body);
        self.scopes.pop();
    }

    fn class(&mut self, class: &StmtClassDef) {
        let bases = class.arguments.iter().flat_map(|arguments| &arguments.args);
        let bases = bases.filter_map(|base| match base {
            Expr::Name(name) => Some(name.id.to_string()),
            Expr::Attribute(attribute) => Some(attribute.attr.to_string()),
            _ => None,
        });
        self.found.bases.insert(class.name.to_string(), bases.collect());
        self.owners.push(class.name.to_string());
        visitor::walk_body(self, &class.body);
        self.owners.pop();
    }

    /// Visits what a comprehension makes, inside its loops.
    fn comprehension<'a>(
        &mut self,
        generators: &'a [Comprehension],
        made: impl IntoIterator<Item = &'a Expr>,
    ) {
        for generator in generators {
            self.visit_expr(&generator.iter);
            self.enter(ScopeKind::Loop {
                target: target(&generator.target),
                over: Value::of(&generator.iter),
            });
            generator.ifs.iter().for_each(|test| self.visit_expr(test));
        }
        made.into_iter().for_each(|expr| self.visit_expr(expr));
        self.scopes.truncate(self.scopes.len() - generators.len());
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
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::For(row) => {
                self.visit_expr(&row.iter);
                self.enter(ScopeKind::Loop { target: target(&row.target), over: Value::of(&row.iter) });
                visitor::walk_body(self, &row.body);
                self.scopes.pop();
                visitor::walk_body(self, &row.orelse);
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
            Expr::ListComp(made) => return self.comprehension(&made.generators, [&*made.elt]),
            Expr::SetComp(made) => return self.comprehension(&made.generators, [&*made.elt]),
            Expr::Generator(made) => return self.comprehension(&made.generators, [&*made.elt]),
            Expr::DictComp(made) => {
                let parts = made.key.as_deref().into_iter().chain([&*made.value]);
                return self.comprehension(&made.generators, parts);
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

fn keywords(call: &ExprCall) -> Vec<(String, Value)> {
    let keywords = call.arguments.keywords.iter();
    keywords.filter_map(|k| Some((k.arg.as_ref()?.to_string(), Value::of(&k.value)))).collect()
}

/// Reads what a loop binds.
fn target(expr: &Expr) -> Target {
    match expr {
        Expr::Name(name) => Target::Name(name.id.to_string()),
        Expr::Tuple(tuple) => Target::Tuple(tuple.elts.iter().map(target).collect()),
        Expr::List(list) => Target::Tuple(list.elts.iter().map(target).collect()),
        _ => Target::Other,
    }
}

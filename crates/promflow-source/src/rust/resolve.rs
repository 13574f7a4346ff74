//! Values of expressions that stand in the code as literals, through constants.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use promflow_model::{MetricType, is_legacy_metric_name};
use syn::visit::Visit;
use syn::{Expr, Lit, UnOp};

use super::forms::{self, Form};
use super::{Binding, FileFindings, Site};
use crate::{Definition, Library, Package};

/// How many constants one value may go through.
const DEPTH_MAX: usize = 32;

/// Looks names up in a file, then in its package, then in the packages that this one depends on.
#[derive(Clone)]
pub(super) struct Resolver<'a> {
    pub(super) files: &'a [FileFindings],
    pub(super) by_package: Rc<BTreeMap<usize, Vec<usize>>>,
    /// For each package, those it depends on by path, transitively.
    pub(super) below: Rc<Vec<Vec<usize>>>,
    /// What the parameters of the function around a site are given.
    pub(super) given: &'a [(String, Binding)],
}

/// What `Opts` and its builders say.
#[derive(Default)]
struct Opts {
    namespace: Option<String>,
    subsystem: Option<String>,
    name: String,
    help: Option<String>,
    buckets: Option<Vec<f64>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(files: &'a [FileFindings], packages: &[Package]) -> Self {
        let mut by_package: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            if let Some(package) = file.package {
                by_package.entry(package).or_default().push(index);
            }
        }
        Self {
            files,
            by_package: Rc::new(by_package),
            below: Rc::new((0..packages.len()).map(|package| below(package, packages)).collect()),
            given: &[],
        }
    }

    /// Resolves a call into the metric that it defines, with neither package nor file set.
    pub(super) fn definition(&self, file: usize, site: &Site, uses: &[String]) -> Option<Definition> {
        let mut definition = Definition {
            name: String::new(),
            kind: MetricType::Unknown,
            help: None,
            labels: None,
            buckets: None,
            unit: None,
            label_values: BTreeMap::new(),
            library: Library::Promflow,
            package: String::new(),
            file: String::new(),
            line: site.at.line as u32,
            column: site.at.column as u32 + 1,
        };
        match site.form {
            Form::Call(kind) | Form::Constructor(kind) => {
                self.call(file, site, kind, uses, &mut definition)?;
            }
            Form::Register { with_unit } => self.registration(file, site, with_unit, &mut definition)?,
            Form::Macro(kind) if self.text_at(file, site, 1).is_some() => {
                self.call(file, site, kind, uses, &mut definition)?;
            }
            Form::Macro(kind) => {
                definition.name = sanitize(&self.text_at(file, site, 0)?);
                definition.kind = kind;
                definition.library = Library::Metrics;
                definition.labels = site.keys.iter().map(|key| self.text(file, key)).collect();
            }
            Form::Describe(kind) => {
                definition.name = sanitize(&self.text_at(file, site, 0)?);
                definition.kind = kind;
                definition.library = Library::Metrics;
                definition.help = self.text(file, site.args.last()?);
            }
        }
        self.apply_modifiers(file, site, &mut definition);
        is_legacy_metric_name(&definition.name).then_some(definition)
    }

    fn call(
        &self,
        file: usize,
        site: &Site,
        kind: MetricType,
        uses: &[String],
        out: &mut Definition,
    ) -> Option<()> {
        out.kind = kind;
        let rest = match self.text_at(file, site, 0) {
            Some(name) => {
                // A name without a help text is some other function that happens to be called `counter`.
                out.help = Some(self.text_at(file, site, 1)?);
                out.name = name;
                let foreign = uses.iter().any(|name| name == "prometheus");
                out.library = if foreign { Library::Prometheus } else { Library::Promflow };
                2
            }
            None => {
                let opts = self.opts(file, site.args.first()?, 0)?;
                out.name = [opts.namespace, opts.subsystem, Some(opts.name)]
                    .into_iter()
                    .flatten()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join("_");
                (out.help, out.buckets, out.library) = (opts.help, opts.buckets, Library::Prometheus);
                1
            }
        };
        if kind == MetricType::Info && !out.name.ends_with("_info") {
            return None;
        }
        let rest = site.args.get(rest..).unwrap_or(&[]);
        out.labels = if rest.is_empty() { Some(Vec::new()) } else { None };
        for arg in rest {
            // An empty list is a list of labels first, of buckets after that.
            if let Some(labels) = self.texts(file, arg).filter(|_| out.labels.is_none()) {
                out.labels = Some(labels);
            } else if let Some(buckets) = self.numbers(file, arg).filter(|_| out.buckets.is_none()) {
                out.buckets = Some(buckets);
                if kind == MetricType::Histogram && rest.len() == 1 {
                    out.labels = Some(Vec::new());
                }
            }
        }
        Some(())
    }

    fn registration(&self, file: usize, site: &Site, with_unit: bool, out: &mut Definition) -> Option<()> {
        let metric = if with_unit { 3 } else { 2 };
        if site.args.len() != metric + 1 {
            return None;
        }
        out.name = self.text_at(file, site, 0)?;
        out.help = Some(format!("{}.", self.text_at(file, site, 1)?));
        out.library = Library::PrometheusClient;
        (out.kind, out.labels) = self.kind_and_labels(file, &site.args[metric]);
        if with_unit && let Expr::Path(path) = &site.args[2] {
            let unit = path.path.segments.last()?.ident.to_string().to_lowercase();
            out.name = format!("{}_{unit}", out.name);
            out.unit = Some(unit);
        }
        match out.kind {
            MetricType::Counter => out.name.push_str("_total"),
            MetricType::Info => out.name.push_str("_info"),
            _ => {}
        }
        Some(())
    }

    /// Returns type and labels of a metric held in a variable or field, by the words of its type or first value.
    fn kind_and_labels(&self, file: usize, expr: &Expr) -> (MetricType, Option<Vec<String>>) {
        struct Seen<'f>(&'f FileFindings, BTreeSet<String>);
        impl<'ast> Visit<'ast> for Seen<'_> {
            fn visit_ident(&mut self, ident: &'ast syn::Ident) {
                let name = ident.to_string();
                self.1.extend(self.0.words.get(&name).into_iter().flatten().cloned());
                self.1.insert(name);
            }
        }
        let mut seen = Seen(&self.files[file], BTreeSet::new());
        seen.visit_expr(expr);
        let words = seen.1;
        let mut kinds: Vec<MetricType> = words.iter().filter_map(|word| forms::kind_of_type(word)).collect();
        kinds.dedup();
        let [kind] = &*kinds else { return (MetricType::Unknown, None) };
        if !words.contains("Family") {
            return (*kind, Some(Vec::new()));
        }
        let package = self.files[file].package;
        let near = self.files.iter().filter(|other| other.package == package);
        let sets: BTreeSet<&Vec<String>> = near
            .flat_map(|file| &file.label_sets)
            .filter(|(name, _)| words.contains(*name))
            .map(|(_, labels)| labels)
            .collect();
        let one = sets.first().filter(|_| sets.len() == 1);
        (*kind, one.map(|labels| (*labels).clone()))
    }

    fn apply_modifiers(&self, file: usize, site: &Site, out: &mut Definition) {
        for (method, value) in &site.modifiers {
            match method.as_str() {
                "buckets" | "with_buckets" => out.buckets = self.numbers(file, value).or(out.buckets.take()),
                "labels" | "with_labels" => out.labels = self.texts(file, value),
                "unit" | "with_unit" => out.unit = self.text(file, value).or(out.unit.take()),
                _ => out.help = self.text(file, value).or(out.help.take()),
            }
        }
    }

    fn text_at(&self, file: usize, site: &Site, index: usize) -> Option<String> {
        self.text(file, site.args.get(index)?)
    }

    /// Returns the text that an expression is.
    pub(super) fn text(&self, file: usize, expr: &Expr) -> Option<String> {
        self.text_in(file, expr, 0)
    }

    fn text_in(&self, file: usize, expr: &Expr, depth: usize) -> Option<String> {
        match peel(expr) {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            Expr::Macro(call) if call.mac.path.is_ident("concat") => {
                let parts = arguments(&call.mac)?;
                parts.iter().map(|part| self.text_in(file, part, depth)).collect()
            }
            Expr::Macro(call) if call.mac.path.is_ident("stringify") => Some(call.mac.tokens.to_string()),
            Expr::Macro(call) if call.mac.path.is_ident("format") && depth < DEPTH_MAX => {
                self.formatted(file, &arguments(&call.mac)?, depth + 1)
            }
            Expr::Path(path) => {
                self.through(file, &path.path, depth, |file, expr| self.text_in(file, expr, depth + 1))
            }
            _ => None,
        }
    }

    /// Puts a `format!` of constants together, such as a prefix before a name.
    fn formatted(&self, file: usize, args: &[Expr], depth: usize) -> Option<String> {
        let (first, rest) = args.split_first()?;
        let pattern = self.text_in(file, first, depth)?;
        let named = |name: &str| {
            rest.iter().find_map(|arg| match arg {
                Expr::Assign(assign) => match &*assign.left {
                    Expr::Path(path) if path.path.is_ident(name) => Some((*assign.right).clone()),
                    _ => None,
                },
                _ => None,
            })
        };
        let mut in_turn = rest.iter().filter(|arg| !matches!(arg, Expr::Assign(_)));
        let mut out = String::new();
        let mut left = pattern.as_str();
        while let Some(at) = left.find(['{', '}']) {
            out.push_str(&left[..at]);
            let brace = &left[at..at + 1];
            left = &left[at + 1..];
            if let Some(after) = left.strip_prefix(brace) {
                out.push_str(brace);
                left = after;
                continue;
            }
            let (inside, after) = left.split_once('}').filter(|_| brace == "{")?;
            left = after;
            let value = match inside {
                "" => in_turn.next()?.clone(),
                name => named(name).or_else(|| syn::parse_str::<Expr>(name).ok())?,
            };
            out.push_str(&self.text_in(file, &value, depth)?);
        }
        out.push_str(left);
        Some(out)
    }

    pub(super) fn texts(&self, file: usize, expr: &Expr) -> Option<Vec<String>> {
        self.list(file, expr, 0, &|file, item| self.text(file, item))
    }

    pub(super) fn numbers(&self, file: usize, expr: &Expr) -> Option<Vec<f64>> {
        match peel(expr) {
            Expr::Call(call) => self.generated(file, call),
            expr => self.list(file, expr, 0, &|file, item| self.number(file, item)),
        }
    }

    /// Returns the number that an expression is.
    pub(super) fn number(&self, file: usize, expr: &Expr) -> Option<f64> {
        self.number_in(file, expr, 0)
    }

    fn number_in(&self, file: usize, expr: &Expr, depth: usize) -> Option<f64> {
        match peel(expr) {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Float(number) => number.base10_parse().ok(),
                Lit::Int(number) => number.base10_parse().ok(),
                _ => None,
            },
            Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
                self.number_in(file, &unary.expr, depth + 1).filter(|_| depth < DEPTH_MAX).map(|n| -n)
            }
            Expr::Path(path) => {
                self.through(file, &path.path, depth, |file, expr| self.number_in(file, expr, depth + 1))
            }
            _ => None,
        }
    }

    /// Returns a list's values: an array, a `vec!`, or a constant that is one.
    fn list<T: PartialEq>(
        &self,
        file: usize,
        expr: &Expr,
        depth: usize,
        item: &dyn Fn(usize, &Expr) -> Option<T>,
    ) -> Option<Vec<T>> {
        match peel(expr) {
            Expr::Array(array) => array.elems.iter().map(|expr| item(file, expr)).collect(),
            Expr::Macro(call) if call.mac.path.is_ident("vec") => {
                arguments(&call.mac)?.iter().map(|expr| item(file, expr)).collect()
            }
            Expr::Path(path) => {
                self.through(file, &path.path, depth, |file, expr| self.list(file, expr, depth + 1, item))
            }
            _ => None,
        }
    }

    /// Returns the row of buckets that a call generates.
    fn generated(&self, file: usize, call: &syn::ExprCall) -> Option<Vec<f64>> {
        let Expr::Path(func) = &*call.func else { return None };
        let args = call.args.iter().map(|arg| self.number(file, arg)).collect::<Option<Vec<_>>>()?;
        let &[start, step, count] = &*args else { return None };
        let count = (0.0..=1000.0).contains(&count).then_some(count as i32)?;
        match func.path.segments.last()?.ident.to_string().as_str() {
            "exponential_buckets" => Some((0..count).map(|i| start * step.powi(i)).collect()),
            "linear_buckets" => Some((0..count).map(|i| start + step * f64::from(i)).collect()),
            _ => None,
        }
    }

    fn opts(&self, file: usize, expr: &Expr, depth: usize) -> Option<Opts> {
        if depth > DEPTH_MAX {
            return None;
        }
        match peel(expr) {
            Expr::Call(call) => {
                let Expr::Path(func) = &*call.func else { return None };
                let path: Vec<String> = func.path.segments.iter().map(|s| s.ident.to_string()).collect();
                let [.., ty, method] = &*path else { return None };
                match (ty.ends_with("Opts"), method.as_str()) {
                    (true, "new") => self.opts_of(file, &call.args.iter().collect::<Vec<_>>()),
                    (true, "from") => self.opts(file, call.args.first()?, depth + 1),
                    _ => None,
                }
            }
            Expr::Macro(call) if call.mac.path.segments.last()?.ident.to_string().ends_with("opts") => {
                let args = arguments(&call.mac)?;
                self.opts_of(file, &args.iter().collect::<Vec<_>>())
            }
            Expr::MethodCall(call) => {
                let mut opts = self.opts(file, &call.receiver, depth + 1)?;
                if let Some(arg) = call.args.first() {
                    match call.method.to_string().as_str() {
                        "namespace" => opts.namespace = Some(self.text(file, arg)?),
                        "subsystem" => opts.subsystem = Some(self.text(file, arg)?),
                        "buckets" => opts.buckets = self.numbers(file, arg),
                        _ => {}
                    }
                }
                Some(opts)
            }
            Expr::Path(path) => {
                let (file, binding) = self.candidates(file, &path.path).into_iter().next()?;
                self.opts(file, &binding.expr, depth + 1)
            }
            _ => None,
        }
    }

    fn opts_of(&self, file: usize, args: &[&Expr]) -> Option<Opts> {
        let name = self.text(file, args.first()?)?;
        let help = self.text(file, args.get(1)?);
        let buckets = args.get(2).and_then(|arg| self.numbers(file, arg));
        Some(Opts { name, help, buckets, ..Opts::default() })
    }

    /// Evaluates what a path names; constants of one name with different values name nothing.
    fn through<T: PartialEq>(
        &self,
        file: usize,
        path: &syn::Path,
        depth: usize,
        evaluate: impl Fn(usize, &Expr) -> Option<T>,
    ) -> Option<T> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut values = self.candidates(file, path).into_iter().map(|(file, b)| evaluate(file, &b.expr));
        let first = values.next()??;
        values.all(|value| value.as_ref() == Some(&first)).then_some(first)
    }

    /// Returns what a path may name: the nearest scope that has the name, narrowed by the type or module before it.
    pub(super) fn candidates(&self, file: usize, path: &syn::Path) -> Vec<(usize, &'a Binding)> {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let Some(name) = segments.last() else { return Vec::new() };
        if let Some((_, binding)) = self.given.iter().find(|(own, _)| segments.len() == 1 && own == name) {
            return vec![(file, binding)];
        }
        let at = path.segments[0].ident.span().start();
        let local = self.files[file].bindings.get(name).into_iter().flatten();
        let local = local.filter(|binding| binding.is_local && binding.at < at);
        if let Some(binding) = local.max_by_key(|b| b.at).filter(|_| segments.len() == 1) {
            return vec![(file, binding)];
        }
        let package = self.files[file].package;
        let own = package.and_then(|package| self.by_package.get(&package)).map_or(&[][..], |files| files);
        let below = package.map_or(&[][..], |package| &self.below[package]);
        let below: Vec<usize> =
            below.iter().filter_map(|p| self.by_package.get(p)).flatten().copied().collect();
        let qualifier = segments.len().checked_sub(2).map(|at| segments[at].as_str());
        [&[file][..], own, &below]
            .into_iter()
            .map(|files| self.constants(files, name, qualifier))
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    fn constants(&self, files: &[usize], name: &str, qualifier: Option<&str>) -> Vec<(usize, &'a Binding)> {
        let all = files.iter().flat_map(|&file| {
            let bindings = self.files[file].bindings.get(name).into_iter().flatten();
            bindings.filter(|binding| !binding.is_local).map(move |binding| (file, binding))
        });
        let all: Vec<(usize, &'a Binding)> = all.collect();
        let fits = |(file, binding): &&(usize, &'a Binding)| match qualifier {
            None | Some("crate" | "self" | "super" | "Self") => false,
            Some(word) => {
                binding.owner.as_deref() == Some(word)
                    || self.files[*file].path.contains(&format!("/{word}."))
            }
        };
        let narrowed: Vec<_> = all.iter().filter(fits).copied().collect();
        if narrowed.is_empty() { all } else { narrowed }
    }
}

/// Returns the packages that one depends on by path, transitively.
pub(super) fn below(package: usize, packages: &[Package]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let mut open = vec![package];
    while let Some(at) = open.pop() {
        for name in &packages[at].dependencies {
            if let Some(next) = packages.iter().position(|package| &package.name == name)
                && seen.insert(next)
            {
                open.push(next);
            }
        }
    }
    seen.into_iter().collect()
}

/// Takes away what does not change a literal: references, parentheses, conversions.
pub(super) fn peel(mut expr: &Expr) -> &Expr {
    loop {
        expr = match expr {
            Expr::Reference(reference) => &reference.expr,
            Expr::Paren(paren) => &paren.expr,
            Expr::Group(group) => &group.expr,
            Expr::Cast(cast) => &cast.expr,
            Expr::Try(attempt) => &attempt.expr,
            Expr::MethodCall(call) if call.args.is_empty() && is_conversion(&call.method.to_string()) => {
                &call.receiver
            }
            Expr::Call(call) if call.args.len() == 1 && is_wrapper(&call.func) => &call.args[0],
            _ => return expr,
        }
    }
}

fn is_conversion(method: &str) -> bool {
    matches!(
        method,
        "to_string" | "to_owned" | "into" | "to_vec" | "as_str" | "as_ref" | "as_slice" | "clone" | "unwrap"
    )
}

fn is_wrapper(func: &Expr) -> bool {
    let Expr::Path(path) = func else { return false };
    let names: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    match &*names {
        [name] => name == "Some",
        [.., ty, method] => matches!(
            (ty.as_str(), method.as_str()),
            ("String" | "Cow" | "SocketAddr", "from") | ("Vec", "from") | ("Cow", "Borrowed")
        ),
        [] => false,
    }
}

fn arguments(mac: &syn::Macro) -> Option<Vec<Expr>> {
    let parser = syn::punctuated::Punctuated::<Expr, syn::Token![,]>::parse_terminated;
    Some(mac.parse_body_with(parser).ok()?.into_iter().collect())
}

/// Turns a free-form name into the one that the exporter of `metrics` exposes.
fn sanitize(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (i, c) in name.chars().enumerate() {
        let fits = c.is_ascii_alphabetic() || c == '_' || c == ':' || (i > 0 && c.is_ascii_digit());
        out.push(if fits { c } else { '_' });
    }
    out
}

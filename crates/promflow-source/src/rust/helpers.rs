//! Through helpers and registries: what a function that makes metrics is given, and which prefix a registry puts
//! before their names.

use std::collections::BTreeSet;

use proc_macro2::{LineColumn, Span};
use syn::punctuated::Punctuated;
use syn::{Expr, Lit};

use super::resolve::{Resolver, peel};
use super::{Binding, Call, Site};
use crate::Definition;
use crate::rust::forms::Form;

/// How many metrics one call in a helper may define.
const USES_MAX: usize = 500;

/// How many registries may stand in each other.
const DEPTH_MAX: usize = 8;

/// Says whether an argument may be the name of a metric, or a registry.
pub(super) fn may_be_given(expr: &Expr) -> bool {
    match peel(expr) {
        Expr::Lit(literal) => matches!(literal.lit, Lit::Str(_)),
        Expr::Macro(call) => {
            ["format", "concat", "stringify"].iter().any(|name| call.mac.path.is_ident(name))
        }
        Expr::Path(path) => path.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            name.contains("reg") || !name.contains(|c: char| c.is_lowercase())
        }),
        Expr::MethodCall(call) => call.method.to_string().starts_with("sub_registry"),
        _ => false,
    }
}

impl<'a> Resolver<'a> {
    /// Resolves a call into the metrics that it defines, each with the file it is called from.
    pub(super) fn definitions(&self, file: usize, site: &Site, uses: &[String]) -> Vec<(usize, Definition)> {
        let found = match self.definition(file, site, uses) {
            Some(definition) => vec![(file, definition)],
            None => self.through_helper(file, site, uses),
        };
        let prefixes = match (&site.form, &site.receiver) {
            (Form::Register { .. }, Some(registry)) => self.prefixes(file, registry, site.function, 0),
            _ => BTreeSet::from([String::new()]),
        };
        let with = |(file, definition): (usize, Definition)| {
            let named = prefixes.iter().map(move |prefix| {
                let name = format!("{prefix}{}", definition.name);
                (file, Definition { name, ..definition.clone() })
            });
            named.collect::<Vec<_>>()
        };
        found.into_iter().flat_map(with).collect()
    }

    /// Resolves a site in a function that is given the name: one metric for each call of the function.
    fn through_helper(&self, file: usize, site: &Site, uses: &[String]) -> Vec<(usize, Definition)> {
        let mut found = Vec::new();
        let Some(function) = site.function.map(|at| &self.files[file].functions[at]) else { return found };
        for (caller, call) in self.calls_of(file, site.function) {
            let given: Vec<(String, Binding)> = function
                .parameters
                .iter()
                .zip(&call.args)
                .map(|(name, arg)| {
                    let expr = self.literal(caller, arg);
                    let binding =
                        Binding { expr, at: LineColumn { line: 0, column: 0 }, owner: None, is_local: true };
                    (name.clone(), binding)
                })
                .collect();
            let inner = Resolver { given: &given, ..self.clone() };
            if let Some(mut definition) = inner.definition(file, site, uses) {
                (definition.line, definition.column) = (call.at.line as u32, call.at.column as u32 + 1);
                found.push((caller, definition));
            }
        }
        found
    }

    /// Returns the calls of a function from its package and those that depend on it.
    fn calls_of(&self, file: usize, function: Option<usize>) -> Vec<(usize, &'a Call)> {
        let Some(function) = function.map(|at| &self.files[file].functions[at]) else { return Vec::new() };
        let package = self.files[file].package;
        let may_call = |caller: Option<usize>| match (caller, package) {
            (Some(caller), Some(package)) => caller == package || self.below[caller].contains(&package),
            (caller, package) => caller == package,
        };
        let files = self.files.iter().enumerate().filter(|(_, other)| may_call(other.package));
        let calls = files.flat_map(|(at, other)| other.calls.iter().map(move |call| (at, call)));
        // `new` is a function of many types: the one before it decides.
        let fits = |call: &Call| {
            call.name == function.name
                && (call.qualifier.is_none() || function.owner.is_none() || call.qualifier == function.owner)
        };
        calls.filter(|(_, call)| fits(call)).take(USES_MAX).collect()
    }

    /// Replaces an argument by what it says, so that it means the same in the function.
    fn literal(&self, file: usize, expr: &Expr) -> Expr {
        let text = |text: &str| {
            let lit = Lit::Str(syn::LitStr::new(text, Span::call_site()));
            Expr::Lit(syn::ExprLit { attrs: Vec::new(), lit })
        };
        let array = |elems: Punctuated<Expr, syn::Token![,]>| {
            Expr::Array(syn::ExprArray {
                attrs: Vec::new(),
                bracket_token: syn::token::Bracket::default(),
                elems,
            })
        };
        if let Some(found) = self.text(file, expr) {
            return text(&found);
        }
        if let Some(found) = self.texts(file, expr) {
            return array(found.iter().map(|label| text(label)).collect());
        }
        match self.numbers(file, expr) {
            Some(found) => array(
                found
                    .into_iter()
                    .filter_map(|bound| syn::parse_str::<Expr>(&format!("{bound:?}")).ok())
                    .collect(),
            ),
            None => expr.clone(),
        }
    }

    /// Returns the prefixes that a registry puts before names; several where a function is given several registries.
    fn prefixes(
        &self,
        file: usize,
        registry: &Expr,
        function: Option<usize>,
        depth: usize,
    ) -> BTreeSet<String> {
        let none = || BTreeSet::from([String::new()]);
        if depth > DEPTH_MAX {
            return none();
        }
        let and = |outer: BTreeSet<String>, own: Option<&Expr>| match own.and_then(|own| self.text(file, own))
        {
            Some(own) => outer.into_iter().map(|outer| format!("{outer}{own}_")).collect(),
            None => outer,
        };
        match peel(registry) {
            Expr::MethodCall(call) => {
                let outer = self.prefixes(file, &call.receiver, function, depth + 1);
                let is_prefixing = call.method == "sub_registry_with_prefix";
                and(outer, call.args.first().filter(|_| is_prefixing))
            }
            Expr::Call(call) => {
                let is_prefixed = matches!(&*call.func, Expr::Path(path)
                    if path.path.segments.last().is_some_and(|last| last.ident.to_string().starts_with("with_prefix")));
                and(none(), call.args.first().filter(|_| is_prefixed))
            }
            Expr::Path(path) => {
                if let Some((at, binding)) = self.candidates(file, &path.path).into_iter().next() {
                    return self.prefixes(at, &binding.expr, function, depth + 1);
                }
                let given = path.path.get_ident().and_then(|name| {
                    let parameters = &self.files[file].functions[function?].parameters;
                    parameters.iter().position(|own| name == own)
                });
                let Some(place) = given else { return none() };
                let calls = self.calls_of(file, function);
                let args = calls.iter().filter_map(|(caller, call)| Some((*caller, call.args.get(place)?)));
                let all: BTreeSet<String> =
                    args.flat_map(|(caller, arg)| self.prefixes(caller, arg, None, depth + 1)).collect();
                if all.is_empty() { none() } else { all }
            }
            _ => none(),
        }
    }
}

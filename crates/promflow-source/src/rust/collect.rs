//! The walk over a file's syntax tree.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use proc_macro2::{LineColumn, Span, TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Ident, Lit, Meta, Token};

use super::forms::{self, Form};
use super::macros::Macro;
use super::settings::{Hint, HintKind};
use super::{Binding, Call, FileFindings, Function, Site, guard, helpers};

/// Collects what a file says about metrics and settings.
pub(super) fn collect(path: &str, package: Option<usize>, file: &syn::File) -> FileFindings {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let base = match stem.rsplit_once('/') {
        Some((dir, "lib" | "main" | "mod")) => dir.to_owned(),
        _ => stem.to_owned(),
    };
    let found = FileFindings { path: path.to_owned(), package, ..FileFindings::default() };
    let place = Place { modules: vec![base], ..Place::default() };
    let mut collector = Collector { found, place, expansion: None };
    if !is_test_only(&file.attrs) {
        collector.visit_file(file);
    }
    collector.found
}

/// Reads what a file's macro calls make, once the macros of all files are known, and puts it in its order.
pub(super) fn read_macro_calls<'m>(
    found: &mut FileFindings,
    macro_of: &'m dyn Fn(&str) -> Option<&'m Macro>,
) {
    let calls = std::mem::take(&mut found.macro_calls);
    let expansion = Expansion { macro_of, call: None, depth: 0, tokens_left: TOKENS_MAX };
    let place = Place::default();
    let mut collector = Collector { found: std::mem::take(found), place, expansion: Some(expansion) };
    for call in calls {
        collector.place = call.place;
        collector.read_macro(&call.name, call.tokens, call.at);
    }
    *found = collector.found;
    found.sites.sort_by_key(|site| site.at);
    found.calls.sort_by_key(|call| call.at);
    found.hints.sort_by_key(|hint| hint.line);
}

/// A call of a macro, which may be one of any file's.
pub(super) struct MacroCall {
    name: String,
    tokens: TokenStream,
    at: LineColumn,
    place: Place,
}

/// How deep macros may expand into each other, and into how many tokens in all those of a file.
const EXPANSIONS_MAX: usize = 16;
const TOKENS_MAX: usize = 200_000;

/// The expansion of macros.
struct Expansion<'m> {
    macro_of: &'m dyn Fn(&str) -> Option<&'m Macro>,
    /// The call in the file that is being expanded, from its name to the end of its arguments.
    call: Option<RangeInclusive<LineColumn>>,
    depth: usize,
    tokens_left: usize,
}

struct Collector<'m> {
    found: FileFindings,
    place: Place,
    /// Absent while the macros are not known.
    expansion: Option<Expansion<'m>>,
}

/// What is around a place in a file.
#[derive(Clone, Default)]
struct Place {
    /// The file's module path, then the inline modules around the place.
    modules: Vec<String>,
    /// The types of the `impl` blocks around the place.
    owners: Vec<String>,
    modifiers: Vec<(String, Expr)>,
    /// The functions around the place.
    functions: Vec<usize>,
}

impl Collector<'_> {
    /// Returns where something is that stands in the file, or comes of a macro call there.
    fn at(&self, span: Span) -> LineColumn {
        self.call().map_or_else(|| span.start(), |call| *call.start())
    }

    fn call(&self) -> Option<&RangeInclusive<LineColumn>> {
        self.expansion.as_ref()?.call.as_ref()
    }

    /// Visits what a macro call makes: the expansion of a macro that is known, or else its arguments.
    fn read_macro(&mut self, name: &str, tokens: TokenStream, at: LineColumn) {
        if let Some(expanded) = self.expand(name, &tokens)
            && let Some(expansion) = &mut self.expansion
        {
            let is_outermost = expansion.depth == 0;
            if is_outermost {
                let last = tokens.into_iter().last();
                let end = last.map_or(at, |token| token.span().end());
                expansion.call = Some(at..=end);
            }
            expansion.depth += 1;
            self.visit_tokens(expanded);
            if let Some(expansion) = &mut self.expansion {
                expansion.depth -= 1;
                expansion.call = expansion.call.take().filter(|_| !is_outermost);
            }
            return;
        }
        if let Some(form) = forms::of_macro(name) {
            let (args, keys) = macro_arguments(tokens.clone());
            self.site(form, None, args, keys, at);
        }
        self.visit_tokens(tokens);
    }

    fn expand(&mut self, name: &str, tokens: &TokenStream) -> Option<TokenStream> {
        let expansion = self.expansion.as_mut().filter(|expansion| expansion.depth < EXPANSIONS_MAX)?;
        let expanded = (expansion.macro_of)(name)?.expand(tokens.clone())?;
        expansion.tokens_left = expansion.tokens_left.checked_sub(guard::check(expanded.clone()).ok()?)?;
        Some(expanded)
    }

    fn bind(&mut self, ident: &Ident, expr: &Expr, is_local: bool) {
        let owner = self.place.owners.last().or(self.place.modules[1..].last()).cloned();
        let at = ident.span().start();
        let binding = Binding { expr: expr.clone(), at, owner, is_local };
        self.found.bindings.entry(ident.to_string()).or_default().push(binding);
    }

    fn hint(&mut self, rank: u8, kind: HintKind, expr: &Expr) {
        let line = expr.span().start().line as u32;
        self.found.hints.push(Hint { rank, kind, expr: expr.clone(), line });
    }

    fn constant(&mut self, ident: &Ident, ty: &syn::Type, expr: &Expr) {
        self.bind(ident, expr, false);
        let name = ident.to_string();
        match own_name(&name) {
            "METRICS_PATH" => self.hint(0, HintKind::Path, expr),
            "PORT" | "METRICS_PORT" if is_integer(ty) => self.hint(1, HintKind::Port, expr),
            "ADDR" | "ADDRESS" | "LISTEN_ADDR" | "LISTEN_ADDRESS" => self.hint(2, HintKind::Address, expr),
            _ => {}
        }
        self.remember_words(ident, |words| words.visit_type(ty));
    }

    /// Notes a default that stands beside the name of an environment variable: `var("PROMETHEUS_PORT").unwrap_or(8000)`.
    fn environment_default<'a>(&mut self, named: Option<&str>, defaults: impl Iterator<Item = &'a Expr>) {
        let kind = match named.map(own_name) {
            Some("PORT" | "METRICS_PORT") => HintKind::Port,
            Some("METRICS_PATH") => HintKind::Path,
            _ => return,
        };
        defaults.for_each(|default| self.hint(0, kind, default));
    }

    fn remember_words(&mut self, ident: &Ident, read: impl FnOnce(&mut Words)) {
        let mut words = Words::default();
        read(&mut words);
        self.found.words.entry(ident.to_string()).or_default().extend(words.0);
    }

    fn site(
        &mut self,
        form: Form,
        receiver: Option<&Expr>,
        args: Vec<Expr>,
        keys: Vec<Expr>,
        at: LineColumn,
    ) {
        // One call may define many: each is where its name is in the call.
        let at =
            self.call().and_then(|call| args.first().and_then(|name| first_within(call, name))).unwrap_or(at);
        let modifiers = self.place.modifiers.clone();
        let (receiver, function) = (receiver.cloned(), self.place.functions.last().copied());
        self.found.sites.push(Site { form, receiver, function, args, keys, modifiers, at });
    }

    /// Enters a function for as long as it is visited.
    fn within(&mut self, signature: &syn::Signature, visit: impl FnOnce(&mut Self)) {
        let parameters = signature.inputs.iter().filter_map(|input| match input {
            syn::FnArg::Typed(typed) => Some(match &*typed.pat {
                syn::Pat::Ident(pat) => pat.ident.to_string(),
                _ => String::new(),
            }),
            syn::FnArg::Receiver(_) => None,
        });
        self.place.functions.push(self.found.functions.len());
        self.found.functions.push(Function {
            name: signature.ident.to_string(),
            owner: self.place.owners.last().cloned(),
            parameters: parameters.collect(),
        });
        visit(self);
        self.place.functions.pop();
    }

    /// Notes a call that gives a function a text, or a registry, and that is no definition itself.
    fn note_call(
        &mut self,
        name: String,
        qualifier: Option<String>,
        args: &Punctuated<Expr, Token![,]>,
        span: Span,
    ) {
        if !args.iter().any(helpers::may_be_given) {
            return;
        }
        let qualifier = match qualifier.as_deref() {
            Some("Self") => self.place.owners.last().cloned(),
            _ => qualifier,
        };
        self.found.calls.push(Call {
            name,
            qualifier,
            args: args.iter().cloned().collect(),
            at: self.at(span),
        });
    }

    /// Visits expressions that are not part of the builder chain around them.
    fn apart<'a>(&mut self, exprs: impl IntoIterator<Item = &'a Expr>) {
        let modifiers = std::mem::take(&mut self.place.modifiers);
        exprs.into_iter().for_each(|expr| self.visit_expr(expr));
        self.place.modifiers = modifiers;
    }

    /// Visits whatever in a macro's body parses: arguments, statements, items, or else its inner blocks.
    fn visit_tokens(&mut self, tokens: TokenStream) {
        let tokens = without_static_ref(tokens);
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(args) = arguments.parse2(tokens.clone()) {
            self.apart(&args);
        } else if let Ok(file) = syn::parse2::<syn::File>(tokens.clone()) {
            file.items.iter().for_each(|item| self.visit_item(item));
        } else if let Ok(stmts) = syn::Block::parse_within.parse2(tokens.clone()) {
            stmts.iter().for_each(|stmt| self.visit_stmt(stmt));
        } else {
            for token in tokens {
                if let TokenTree::Group(group) = token {
                    self.visit_tokens(group.stream());
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.place.modules.push(item.ident.to_string());
        if is_test_only(&item.attrs) {
            self.found.test_modules.push(self.place.modules.join("/"));
        } else {
            visit::visit_item_mod(self, item);
        }
        self.place.modules.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test_only(&item.attrs) {
            self.within(&item.sig, |inner| visit::visit_item_fn(inner, item));
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test_only(&item.attrs) {
            self.within(&item.sig, |inner| visit::visit_impl_item_fn(inner, item));
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if is_test_only(&item.attrs) {
            return;
        }
        let owner = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
            _ => None,
        };
        self.place.owners.push(owner.unwrap_or_default());
        visit::visit_item_impl(self, item);
        self.place.owners.pop();
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        if !is_test_only(&item.attrs) {
            self.constant(&item.ident, &item.ty, &item.expr);
            visit::visit_item_const(self, item);
        }
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        if !is_test_only(&item.attrs) {
            self.constant(&item.ident, &item.ty, &item.expr);
            visit::visit_impl_item_const(self, item);
        }
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        if !is_test_only(&item.attrs) {
            self.constant(&item.ident, &item.ty, &item.expr);
            visit::visit_item_static(self, item);
        }
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if is_test_only(&item.attrs) {
            return;
        }
        match &item.ident {
            Some(name) if item.mac.path.is_ident("macro_rules") => {
                self.found.macros.insert(name.to_string(), Macro::new(item.mac.tokens.clone()));
            }
            _ => visit::visit_item_macro(self, item),
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let is_derived = item.attrs.iter().any(|attr| match &attr.meta {
            Meta::List(list) if list.path.is_ident("derive") => list
                .tokens
                .clone()
                .into_iter()
                .any(|token| matches!(token, TokenTree::Ident(ident) if ident == "EncodeLabelSet")),
            _ => false,
        });
        if is_derived {
            let fields = item.fields.iter().filter_map(|field| field.ident.as_ref());
            let names = fields.map(|field| field.to_string().trim_start_matches("r#").to_owned());
            self.found.label_sets.insert(item.ident.to_string(), names.collect());
        }
        visit::visit_item_struct(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(ident) = &field.ident {
            self.remember_words(ident, |words| words.visit_type(&field.ty));
            if let Some(address) = default_address(ident, &field.attrs) {
                self.hint(1, HintKind::Address, &address);
            }
        }
        visit::visit_field(self, field);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let (pat, ty) = match &local.pat {
            syn::Pat::Type(typed) => (&*typed.pat, Some(&typed.ty)),
            pat => (pat, None),
        };
        if let (syn::Pat::Ident(pat), Some(init)) = (pat, &local.init) {
            self.bind(&pat.ident, &init.expr, true);
            self.remember_words(&pat.ident, |words| {
                ty.into_iter().for_each(|ty| words.visit_type(ty));
                words.visit_expr(&init.expr);
            });
        }
        visit::visit_local(self, local);
    }

    fn visit_expr_struct(&mut self, expr: &'ast syn::ExprStruct) {
        let name = expr.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        let name = if name == "Self" { self.place.owners.last().cloned().unwrap_or_default() } else { name };
        if ["Settings", "Config", "Options"].iter().any(|word| name.ends_with(word)) {
            for field in &expr.fields {
                if let syn::Member::Named(member) = &field.member {
                    match member.to_string().as_str() {
                        "port" | "metrics_port" => self.hint(0, HintKind::Port, &field.expr),
                        "metrics_path" => self.hint(0, HintKind::Path, &field.expr),
                        "listen" | "listen_address" | "bind" => self.hint(0, HintKind::Address, &field.expr),
                        _ => {}
                    }
                }
            }
        }
        visit::visit_expr_struct(self, expr);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(func) = &*call.func {
            let path: Vec<String> = func.path.segments.iter().map(|s| s.ident.to_string()).collect();
            match forms::of_function(&path) {
                Some(form) => {
                    let args = call.args.iter().cloned().collect();
                    self.site(form, None, args, Vec::new(), self.at(func.path.span()));
                }
                None => {
                    let qualifier = path.len().checked_sub(2).map(|at| path[at].clone());
                    let name = path.last().cloned().unwrap_or_default();
                    self.note_call(name, qualifier, &call.args, func.path.span());
                }
            }
            if path.last().is_some_and(|name| name == "bind") {
                call.args.iter().for_each(|arg| self.hint(2, HintKind::Address, arg));
            }
            let variable = call.args.first().and_then(literal_text);
            self.environment_default(variable.as_deref(), call.args.iter().skip(1));
        }
        self.apart(std::iter::once(&*call.func).chain(&call.args));
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let method = call.method.to_string();
        match forms::of_method(&method) {
            Some(form) => {
                let args = call.args.iter().cloned().collect();
                self.site(form, Some(&call.receiver), args, Vec::new(), self.at(call.method.span()));
            }
            None => self.note_call(method.clone(), None, &call.args, call.method.span()),
        }
        self.environment_default(variable_of(&call.receiver).as_deref(), call.args.iter());
        if let [arg] = &*call.args.iter().collect::<Vec<_>>() {
            match method.as_str() {
                "port" | "with_port" => self.hint(1, HintKind::Port, arg),
                "metrics_path" | "with_metrics_path" => self.hint(0, HintKind::Path, arg),
                "bind" => self.hint(2, HintKind::Address, arg),
                _ => {}
            }
        }
        match call.args.first() {
            Some(arg) if forms::is_modifier(&method) => {
                self.place.modifiers.push((method, arg.clone()));
                self.visit_expr(&call.receiver);
                self.place.modifiers.pop();
            }
            _ => self.visit_expr(&call.receiver),
        }
        self.apart(&call.args);
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        self.apart([&*closure.body]);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let name = mac.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        let (tokens, at) = (mac.tokens.clone(), self.at(mac.path.span()));
        if self.expansion.is_some() {
            self.read_macro(&name, tokens, at);
        } else {
            self.found.macro_calls.push(MacroCall { name, tokens, at, place: self.place.clone() });
        }
    }
}

/// Returns the place of an expression's first identifier or literal that is within a range.
fn first_within(range: &RangeInclusive<LineColumn>, expr: &Expr) -> Option<LineColumn> {
    struct Places(Vec<LineColumn>);
    impl Places {
        fn add(&mut self, tokens: TokenStream) {
            for token in tokens {
                match token {
                    TokenTree::Group(group) => self.add(group.stream()),
                    TokenTree::Ident(_) | TokenTree::Literal(_) => self.0.push(token.span().start()),
                    TokenTree::Punct(_) => {}
                }
            }
        }
    }
    impl<'ast> Visit<'ast> for Places {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            self.0.push(ident.span().start());
        }
        fn visit_lit(&mut self, lit: &'ast Lit) {
            self.0.push(lit.span().start());
        }
        fn visit_macro(&mut self, mac: &'ast syn::Macro) {
            self.add(mac.tokens.clone());
        }
    }
    let mut places = Places(Vec::new());
    places.visit_expr(expr);
    places.0.into_iter().find(|place| range.contains(place))
}

/// Collects identifiers.
#[derive(Default)]
struct Words(BTreeSet<String>);

impl<'ast> Visit<'ast> for Words {
    fn visit_ident(&mut self, ident: &'ast Ident) {
        self.0.insert(ident.to_string());
    }
}

/// Splits a macro's arguments into plain ones and the keys of `key => value`; a `target: value` before them is left out.
fn macro_arguments(tokens: TokenStream) -> (Vec<Expr>, Vec<Expr>) {
    let (mut args, mut keys) = (Vec::new(), Vec::new());
    let mut part = Vec::new();
    let mut parts = Vec::new();
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => parts.push(std::mem::take(&mut part)),
            _ => part.push(token),
        }
    }
    parts.push(part);
    for part in parts {
        let is = |token: &TokenTree, c: char| matches!(token, TokenTree::Punct(p) if p.as_char() == c);
        if matches!(&*part, [TokenTree::Ident(_), colon, next, ..] if is(colon, ':') && !is(next, ':')) {
            continue;
        }
        let arrow = part.windows(2).position(|pair| is(&pair[0], '=') && is(&pair[1], '>'));
        let (list, end) = match arrow {
            Some(at) => (&mut keys, at),
            None => (&mut args, part.len()),
        };
        let expr: TokenStream = part[..end].iter().cloned().collect();
        list.extend(syn::parse2::<Expr>(expr).ok());
    }
    (args, keys)
}

/// Takes the `ref` out of `static ref`, so that the body of `lazy_static!` parses as items.
fn without_static_ref(tokens: TokenStream) -> TokenStream {
    let mut after_static = false;
    let keep = move |token: &TokenTree| {
        let is = |word: &str| matches!(token, TokenTree::Ident(ident) if ident == word);
        let drop = after_static && is("ref");
        after_static = is("static");
        !drop
    };
    tokens.into_iter().filter(keep).collect()
}

/// Returns what a constant or variable is about, without the words that say whose it is or that it is a default.
fn own_name(name: &str) -> &str {
    let name = name.strip_prefix("DEFAULT_").unwrap_or(name);
    name.strip_prefix("PROMETHEUS_").unwrap_or(name)
}

fn is_integer(ty: &syn::Type) -> bool {
    let syn::Type::Path(path) = ty else { return false };
    ["u16", "u32", "usize"].iter().any(|name| path.path.is_ident(name))
}

/// Returns the environment variable that a chain of calls starts from.
fn variable_of(mut expr: &Expr) -> Option<String> {
    loop {
        expr = match expr {
            Expr::MethodCall(call) => &call.receiver,
            Expr::Try(attempt) => &attempt.expr,
            Expr::Call(call) => return call.args.first().and_then(literal_text),
            _ => return None,
        }
    }
}

fn literal_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

/// Says whether an item is compiled for tests or benches alone.
fn is_test_only(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg") => asks_for_test(list.tokens.clone()),
        meta => meta
            .path()
            .segments
            .last()
            .is_some_and(|last| matches!(&*last.ident.to_string(), "test" | "bench")),
    })
}

fn asks_for_test(tokens: TokenStream) -> bool {
    let mut negated = false;
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => {
            negated = ident == "not";
            ident == "test"
        }
        TokenTree::Group(group) => !std::mem::take(&mut negated) && asks_for_test(group.stream()),
        _ => false,
    })
}

/// Reads `default_value = "127.0.0.1:9090"` off a command line argument that names an address to listen on.
fn default_address(field: &Ident, attrs: &[Attribute]) -> Option<Expr> {
    let lists = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::List(list) if list.path.is_ident("arg") || list.path.is_ident("clap") => Some(list),
        _ => None,
    });
    for list in lists {
        let Ok(args) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else {
            continue;
        };
        let value = |key: &str| {
            args.iter().find_map(|meta| match meta {
                Meta::NameValue(pair) if pair.path.is_ident(key) => Some(pair.value.clone()),
                _ => None,
            })
        };
        let long = match value("long") {
            Some(Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. })) => text.value(),
            _ => String::new(),
        };
        if field.to_string().contains("listen") || long.contains("listen") {
            return value("default_value").or_else(|| value("default_value_t"));
        }
    }
    None
}

//! Expands `macro_rules!` macros of the code that is read: matches the arguments of a call and writes what the macro
//! makes of them, as the compiler does, but for hygiene.
//!
//! Source: The Rust Reference, "Macros By Example".

use std::collections::BTreeMap;
use std::rc::Rc;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::Token;
use syn::parse::{Parse, ParseStream, Parser};

/// So many tokens are looked at to find the end of a fragment.
const FRAGMENT_MAX: usize = 1000;

/// The rules of a macro, in their order.
pub(super) struct Macro(Vec<Rule>);

struct Rule {
    pattern: Vec<Pattern>,
    template: Vec<TokenTree>,
}

/// A part of what a rule matches.
enum Pattern {
    Token(TokenTree),
    Group(Delimiter, Vec<Pattern>),
    /// `$name:fragment`
    Fragment {
        name: String,
        fragment: String,
    },
    /// `$( ... ) separator operator`
    Repeat(Repeat<Pattern>),
}

struct Repeat<T> {
    inner: Vec<T>,
    separator: Option<TokenTree>,
    is_once_at_most: bool,
    is_once_at_least: bool,
}

/// What the names of a pattern stand for.
type Bindings = BTreeMap<String, Bound>;

enum Bound {
    Tokens(Vec<TokenTree>),
    /// One for each time that a repetition matched.
    Many(Rc<[Bindings]>),
}

impl Macro {
    /// Reads the body of a `macro_rules!`; rules that cannot be read are left out.
    pub(super) fn new(body: TokenStream) -> Self {
        let trees: Vec<TokenTree> = body.into_iter().collect();
        let rules = trees.split(|tree| is_punct(tree, ';')).filter_map(|rule| match rule {
            [TokenTree::Group(pattern), equals, arrow, TokenTree::Group(template)]
                if is_punct(equals, '=') && is_punct(arrow, '>') =>
            {
                let pattern = patterns(&trees_of(pattern))?;
                Some(Rule { pattern, template: trees_of(template) })
            }
            _ => None,
        });
        Self(rules.collect())
    }

    /// Writes what the macro makes of a call's arguments; nothing when no rule matches them.
    pub(super) fn expand(&self, arguments: TokenStream) -> Option<TokenStream> {
        let arguments: Vec<TokenTree> = arguments.into_iter().collect();
        self.0.iter().find_map(|rule| {
            let mut bindings = Bindings::new();
            let end = matches(&rule.pattern, &arguments, 0, &mut bindings)?;
            if end != arguments.len() {
                return None;
            }
            transcribe(&rule.template, &[&bindings])
        })
    }
}

fn trees_of(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

fn is_punct(tree: &TokenTree, c: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == c)
}

fn patterns(trees: &[TokenTree]) -> Option<Vec<Pattern>> {
    let mut all = Vec::new();
    let mut rest = trees;
    while let Some((tree, after)) = rest.split_first() {
        rest = after;
        let pattern = match (tree, after) {
            (dollar, [TokenTree::Group(group), after @ ..])
                if is_punct(dollar, '$') && group.delimiter() == Delimiter::Parenthesis =>
            {
                let (repeat, used) = repeat(patterns(&trees_of(group))?, after)?;
                rest = &after[used..];
                Pattern::Repeat(repeat)
            }
            (dollar, [TokenTree::Ident(name), colon, TokenTree::Ident(fragment), after @ ..])
                if is_punct(dollar, '$') && is_punct(colon, ':') =>
            {
                rest = after;
                Pattern::Fragment { name: name.to_string(), fragment: fragment.to_string() }
            }
            (TokenTree::Group(group), _) => Pattern::Group(group.delimiter(), patterns(&trees_of(group))?),
            _ => Pattern::Token(tree.clone()),
        };
        all.push(pattern);
    }
    Some(all)
}

/// Reads the separator and the operator behind `$( ... )`; returns how many tokens they are, too.
fn repeat<T>(inner: Vec<T>, after: &[TokenTree]) -> Option<(Repeat<T>, usize)> {
    let is_operator = |tree: &TokenTree| ['*', '+', '?'].into_iter().any(|c| is_punct(tree, c));
    let (separator, operator) = match after {
        [operator, ..] if is_operator(operator) => (None, operator),
        [separator, operator, ..] if is_operator(operator) => (Some(separator.clone()), operator),
        _ => return None,
    };
    let used = 1 + usize::from(separator.is_some());
    let (is_once_at_most, is_once_at_least) = (is_punct(operator, '?'), is_punct(operator, '+'));
    Some((Repeat { inner, separator, is_once_at_most, is_once_at_least }, used))
}

/// Matches tokens from a place on; returns the place behind what matched.
fn matches(
    pattern: &[Pattern],
    tokens: &[TokenTree],
    mut at: usize,
    bindings: &mut Bindings,
) -> Option<usize> {
    for part in pattern {
        at = match part {
            Pattern::Token(expected) => is_same(expected, tokens.get(at)?).then_some(at + 1)?,
            Pattern::Group(delimiter, inner) => {
                let TokenTree::Group(group) = tokens.get(at)? else { return None };
                let within = trees_of(group);
                let end = matches(inner, &within, 0, bindings)?;
                (group.delimiter() == *delimiter && end == within.len()).then_some(at + 1)?
            }
            Pattern::Fragment { name, fragment } => {
                let length = length_of(fragment, &tokens[at..])?;
                let found = tokens[at..at + length].to_vec();
                let bound = match fragment.as_str() {
                    // Kept together, as what stands around it must not bind more tightly.
                    "expr" | "expr_2021" | "ty" => vec![together(found)],
                    _ => found,
                };
                bindings.insert(name.clone(), Bound::Tokens(bound));
                at + length
            }
            Pattern::Repeat(repeat) => repeated(repeat, tokens, at, bindings)?,
        };
    }
    Some(at)
}

fn repeated(
    repeat: &Repeat<Pattern>,
    tokens: &[TokenTree],
    mut at: usize,
    bindings: &mut Bindings,
) -> Option<usize> {
    let mut times = Vec::new();
    loop {
        let from = match &repeat.separator {
            Some(separator) if !times.is_empty() => match tokens.get(at) {
                Some(token) if is_same(separator, token) => at + 1,
                _ => break,
            },
            _ => at,
        };
        let mut own = Bindings::new();
        match matches(&repeat.inner, tokens, from, &mut own) {
            // What matches nothing would match for ever.
            Some(end) if end > at => {
                at = end;
                times.push(own);
            }
            _ => break,
        }
        if repeat.is_once_at_most {
            break;
        }
    }
    if times.is_empty() && repeat.is_once_at_least {
        return None;
    }
    let times: Rc<[Bindings]> = times.into();
    for name in names(&repeat.inner) {
        bindings.insert(name.to_owned(), Bound::Many(times.clone()));
    }
    Some(at)
}

fn names(pattern: &[Pattern]) -> Vec<&str> {
    let mut all = Vec::new();
    for part in pattern {
        match part {
            Pattern::Fragment { name, .. } => all.push(name.as_str()),
            Pattern::Group(_, inner) | Pattern::Repeat(Repeat { inner, .. }) => all.extend(names(inner)),
            Pattern::Token(_) => {}
        }
    }
    all
}

fn is_same(one: &TokenTree, other: &TokenTree) -> bool {
    match (one, other) {
        (TokenTree::Punct(one), TokenTree::Punct(other)) => one.as_char() == other.as_char(),
        (TokenTree::Ident(one), TokenTree::Ident(other)) => one == other,
        (TokenTree::Literal(one), TokenTree::Literal(other)) => one.to_string() == other.to_string(),
        _ => false,
    }
}

/// Returns how many tokens a fragment takes; nothing when they do not begin with one.
fn length_of(fragment: &str, tokens: &[TokenTree]) -> Option<usize> {
    match (fragment, tokens) {
        ("vis", [TokenTree::Ident(word), ..]) if word == "pub" => parsed::<syn::Visibility>(tokens),
        ("vis", _) => Some(0),
        (_, []) => None,
        ("tt", _) | ("ident", [TokenTree::Ident(_), ..]) | ("literal", [TokenTree::Literal(_), ..]) => {
            Some(1)
        }
        ("literal", [TokenTree::Ident(word), ..]) => (word == "true" || word == "false").then_some(1),
        ("literal", [minus, TokenTree::Literal(_), ..]) => is_punct(minus, '-').then_some(2),
        ("block", [TokenTree::Group(group), ..]) => (group.delimiter() == Delimiter::Brace).then_some(1),
        ("lifetime", [quote, TokenTree::Ident(_), ..]) => is_punct(quote, '\'').then_some(2),
        ("expr" | "expr_2021", _) => parsed::<syn::Expr>(tokens),
        ("ty", _) => parsed::<syn::Type>(tokens),
        ("path", _) => parsed::<syn::Path>(tokens),
        ("item", _) => parsed::<syn::Item>(tokens),
        ("meta", _) => parsed::<syn::Meta>(tokens),
        ("pat" | "pat_param", _) => parsed::<AnyPattern>(tokens),
        ("stmt", _) => parsed::<OpenStatement>(tokens),
        _ => None,
    }
}

struct AnyPattern;

impl Parse for AnyPattern {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        syn::Pat::parse_multi_with_leading_vert(input).map(|_| Self)
    }
}

/// A statement without the semicolon behind it.
struct OpenStatement;

impl Parse for OpenStatement {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Token![let]) {
            return input.parse::<syn::Expr>().map(|_| Self);
        }
        input.parse::<Token![let]>()?;
        syn::Pat::parse_single(input)?;
        if input.peek(Token![:]) {
            input.parse::<Token![:]>()?;
            input.parse::<syn::Type>()?;
        }
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            input.parse::<syn::Expr>()?;
        }
        Ok(Self)
    }
}

/// Returns how many tokens what stands at their beginning takes.
fn parsed<T: Parse>(tokens: &[TokenTree]) -> Option<usize> {
    let rest = |input: ParseStream<'_>| {
        input.parse::<T>()?;
        input.parse::<TokenStream>()
    };
    let near = &tokens[..tokens.len().min(FRAGMENT_MAX)];
    let rest = rest.parse2(near.iter().cloned().collect()).ok()?;
    // What ends within tokens that are kept together is no fragment.
    near.len().checked_sub(rest.into_iter().count()).filter(|length| *length > 0)
}

fn together(tokens: Vec<TokenTree>) -> TokenTree {
    match <[TokenTree; 1]>::try_from(tokens) {
        Ok([one]) => one,
        Err(tokens) => TokenTree::Group(Group::new(Delimiter::None, tokens.into_iter().collect())),
    }
}

/// Finds what a name stands for: in the repetition around it, or further out.
fn look_up<'b>(scopes: &[&'b Bindings], name: &str) -> Option<&'b Bound> {
    scopes.iter().rev().find_map(|bindings| bindings.get(name))
}

/// Writes a template; nothing when it repeats what was not matched repeatedly.
fn transcribe(template: &[TokenTree], scopes: &[&Bindings]) -> Option<TokenStream> {
    let mut out: Vec<TokenTree> = Vec::new();
    let mut rest = template;
    while let Some((tree, after)) = rest.split_first() {
        rest = after;
        match (tree, after) {
            (dollar, [TokenTree::Group(group), after @ ..])
                if is_punct(dollar, '$') && group.delimiter() == Delimiter::Parenthesis =>
            {
                let (repeat, used) = repeat(trees_of(group), after)?;
                rest = &after[used..];
                write_repeated(&repeat, scopes, &mut out)?;
            }
            (dollar, [TokenTree::Ident(name), after @ ..]) if is_punct(dollar, '$') => {
                rest = after;
                match look_up(scopes, &name.to_string()) {
                    Some(Bound::Tokens(tokens)) => out.extend(tokens.iter().cloned()),
                    Some(Bound::Many(_)) => return None,
                    // `$crate`
                    None => out.push(TokenTree::Ident(name.clone())),
                }
            }
            (TokenTree::Group(group), _) => {
                let mut inner = Group::new(group.delimiter(), transcribe(&trees_of(group), scopes)?);
                inner.set_span(group.span());
                out.push(TokenTree::Group(inner));
            }
            _ => out.push(tree.clone()),
        }
    }
    Some(out.into_iter().collect())
}

fn write_repeated(repeat: &Repeat<TokenTree>, scopes: &[&Bindings], out: &mut Vec<TokenTree>) -> Option<()> {
    let names = used(&repeat.inner);
    let repeated: Vec<&Rc<[Bindings]>> = names
        .iter()
        .filter_map(|name| match look_up(scopes, name) {
            Some(Bound::Many(times)) => Some(times),
            _ => None,
        })
        .collect();
    let times = repeated.first()?.len();
    for time in 0..times {
        let own = repeated.iter().filter_map(|times| times.get(time));
        let scopes: Vec<&Bindings> = scopes.iter().copied().chain(own).collect();
        if time > 0 {
            out.extend(repeat.separator.clone());
        }
        out.extend(transcribe(&repeat.inner, &scopes)?);
    }
    Some(())
}

/// Returns the names that a template uses.
fn used(template: &[TokenTree]) -> Vec<String> {
    let mut names = Vec::new();
    for (at, tree) in template.iter().enumerate() {
        match tree {
            TokenTree::Group(group) => names.extend(used(&trees_of(group))),
            TokenTree::Ident(name) if at > 0 && is_punct(&template[at - 1], '$') => {
                names.push(name.to_string())
            }
            _ => {}
        }
    }
    names
}

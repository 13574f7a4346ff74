use std::collections::BTreeMap;

use promflow_model::quote::quote;

use crate::ast::{Command, Conditional, List, Loop, Node, Operand, OperandKind, Pipe, TemplateCall};
use crate::call::Function;
use crate::error::{Error, ErrorKind};
use crate::lex::{Kind, Lexer, Token};
use crate::literal;

/// How deep parentheses and control structures may nest.
const NESTING_MAX: usize = 100;

/// Parses a template's text into the trees it defines, the main one under the template's name.
///
/// Source: Go text/template/parse/parse.go.
pub(crate) fn parse(name: &str, text: &str) -> Result<BTreeMap<String, List>, Error> {
    let mut parser = Parser {
        name,
        text,
        lexer: Lexer::new(text),
        pending: Vec::new(),
        current: 0..0,
        scope: Scope::new(),
        nesting: 0,
        trees: BTreeMap::new(),
    };
    let root = parser.root()?;
    parser.define(name.to_owned(), root)?;
    Ok(parser.trees)
}

/// What a definition does not share with the text around it.
struct Scope {
    variables: Vec<String>,
    range_depth: usize,
    action_pos: Option<usize>,
}

impl Scope {
    fn new() -> Self {
        Scope { variables: vec!["$".to_owned()], range_depth: 0, action_pos: None }
    }
}

struct Parser<'t> {
    name: &'t str,
    text: &'t str,
    lexer: Lexer<'t>,
    /// Tokens put back, the next one last.
    pending: Vec<Token<'t>>,
    /// Bytes of the token read last from the lexer, where errors are reported.
    current: std::ops::Range<usize>,
    scope: Scope,
    nesting: usize,
    trees: BTreeMap<String, List>,
}

/// What ended a list of nodes.
enum Terminator {
    End,
    Else,
}

impl<'t> Parser<'t> {
    fn next(&mut self) -> Token<'t> {
        let token = self.pending.pop().unwrap_or_else(|| self.lexer.next());
        self.current = token.pos..token.end().max(token.pos);
        token
    }

    fn back(&mut self, token: Token<'t>) {
        self.pending.push(token);
    }

    fn next_non_space(&mut self) -> Token<'t> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek(&mut self) -> Kind {
        let token = self.next();
        let kind = token.kind;
        self.back(token);
        kind
    }

    fn peek_non_space(&mut self) -> Token<'t> {
        let token = self.next_non_space();
        self.back(token.clone());
        token
    }

    fn line(&self, pos: usize) -> usize {
        1 + self.text[..pos].matches('\n').count()
    }

    fn fail<T>(&self, message: impl AsRef<str>) -> Result<T, Error> {
        let line = self.line(self.current.start);
        Err(Error {
            kind: ErrorKind::Parse,
            template: self.name.to_owned(),
            detail: format!("template: {}:{line}: {}", self.name, message.as_ref()),
            span: self.current.clone(),
        })
    }

    fn unexpected<T>(&self, token: &Token<'_>, context: &str) -> Result<T, Error> {
        if token.kind != Kind::Error {
            return self.fail(format!("unexpected {} in {context}", token.describe()));
        }
        let started = self.scope.action_pos.map(|pos| self.line(pos));
        let extra = match started {
            Some(line) if line != self.line(token.pos) => {
                let action = if token.text.ends_with(" action") { "" } else { " in action" };
                format!("{action} started at {}:{line}", self.name)
            }
            _ => String::new(),
        };
        self.fail(format!("{}{extra}", token.text))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token<'t>, Error> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    fn define(&mut self, name: String, list: List) -> Result<(), Error> {
        let blank = |list: &List| list.iter().all(|n| matches!(n, Node::Text(t) if t.trim().is_empty()));
        match self.trees.get(&name) {
            Some(old) if !blank(old) => {
                if blank(&list) {
                    return Ok(());
                }
                self.fail(format!("template: multiple definition of template {}", quote(&name)))
            }
            _ => {
                self.trees.insert(name, list);
                Ok(())
            }
        }
    }

    fn root(&mut self) -> Result<List, Error> {
        let mut list = List::new();
        loop {
            let token = self.next();
            match token.kind {
                Kind::Eof => return Ok(list),
                Kind::LeftDelim => {
                    let first = self.next_non_space();
                    if first.kind == Kind::Define {
                        self.definition()?;
                        continue;
                    }
                    self.back(first);
                    self.back(token);
                }
                _ => self.back(token),
            }
            match self.text_or_action()? {
                Ok(node) => list.push(node),
                Err(Terminator::End) => return self.fail("unexpected {{end}}"),
                Err(Terminator::Else) => return self.fail("unexpected {{else}}"),
            }
        }
    }

    fn definition(&mut self) -> Result<(), Error> {
        let context = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        self.expect(Kind::RightDelim, context)?;
        let list = self.inner_scope(context)?;
        self.define(name, list)
    }

    /// Parses the body of a `define` or `block`, which sees none of the variables around it.
    fn inner_scope(&mut self, context: &str) -> Result<List, Error> {
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        self.enter()?;
        let (list, end) = self.list()?;
        self.nesting -= 1;
        if let Terminator::Else = end {
            return self.fail(format!("unexpected {{{{else}}}} in {context}"));
        }
        self.scope = outer;
        Ok(list)
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.nesting += 1;
        if self.nesting > NESTING_MAX { self.fail("max expression depth exceeded") } else { Ok(()) }
    }

    fn list(&mut self) -> Result<(List, Terminator), Error> {
        let mut list = List::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Ok(node) => list.push(node),
                Err(end) => return Ok((list, end)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Result<Node, Terminator>, Error> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Ok(Node::Text(token.text.into_owned()))),
            Kind::LeftDelim => {
                self.scope.action_pos = Some(token.pos);
                let node = self.action()?;
                self.scope.action_pos = None;
                Ok(node)
            }
            _ => self.unexpected(&token, "input"),
        }
    }

    fn action(&mut self) -> Result<Result<Node, Terminator>, Error> {
        let token = self.next_non_space();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.jump("{{break}}", Node::Break)?,
            Kind::Continue => self.jump("{{continue}}", Node::Continue)?,
            Kind::Else => {
                let next = self.peek_non_space();
                if !matches!(next.kind, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                return Ok(Err(Terminator::Else));
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Err(Terminator::End));
            }
            Kind::If => self.conditional(false)?,
            Kind::With => self.conditional(true)?,
            Kind::Range => self.range()?,
            Kind::Template => self.template_call()?,
            _ => {
                self.back(token);
                Node::Action(self.pipeline("command", Kind::RightDelim)?)
            }
        };
        Ok(Ok(node))
    }

    fn jump(&mut self, context: &str, node: Node) -> Result<Node, Error> {
        self.expect(Kind::RightDelim, context)?;
        if self.scope.range_depth == 0 {
            return self.fail(format!("{context} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn conditional(&mut self, with: bool) -> Result<Node, Error> {
        self.enter()?;
        let mark = self.scope.variables.len();
        let (context, again) = if with { ("with", Kind::With) } else { ("if", Kind::If) };
        let mut node = Conditional { with, arms: Vec::new(), otherwise: None };
        loop {
            let pipe = self.pipeline(context, Kind::RightDelim)?;
            let (body, end) = self.list()?;
            node.arms.push((pipe, body));
            match end {
                Terminator::End => break,
                Terminator::Else if self.peek() == again => {
                    self.next();
                }
                Terminator::Else => {
                    node.otherwise = Some(self.otherwise()?);
                    break;
                }
            }
        }
        self.scope.variables.truncate(mark);
        self.nesting -= 1;
        Ok(Node::Conditional(node))
    }

    fn otherwise(&mut self) -> Result<List, Error> {
        match self.list()? {
            (list, Terminator::End) => Ok(list),
            (_, Terminator::Else) => self.fail("expected end; found {{else}}"),
        }
    }

    fn range(&mut self) -> Result<Node, Error> {
        self.enter()?;
        let mark = self.scope.variables.len();
        let pipe = self.pipeline("range", Kind::RightDelim)?;
        self.scope.range_depth += 1;
        let (body, end) = self.list()?;
        self.scope.range_depth -= 1;
        let otherwise = match end {
            Terminator::End => None,
            Terminator::Else => Some(self.otherwise()?),
        };
        self.scope.variables.truncate(mark);
        self.nesting -= 1;
        Ok(Node::Loop(Loop { pipe, body, otherwise }))
    }

    fn block(&mut self) -> Result<Node, Error> {
        let context = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let list = self.inner_scope(context)?;
        self.define(name.clone(), list)?;
        let span = token.pos..pipe.span.end;
        Ok(Node::Call(TemplateCall { span, name, pipe: Some(pipe) }))
    }

    fn template_call(&mut self) -> Result<Node, Error> {
        let context = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(&token, context)?;
        let next = self.next_non_space();
        let pipe = if next.kind == Kind::RightDelim {
            None
        } else {
            self.back(next);
            Some(self.pipeline(context, Kind::RightDelim)?)
        };
        let end = pipe.as_ref().map_or(token.end(), |pipe| pipe.span.end);
        Ok(Node::Call(TemplateCall { span: token.pos..end, name, pipe }))
    }

    fn template_name(&mut self, token: &Token<'t>, context: &str) -> Result<String, Error> {
        if !matches!(token.kind, Kind::Quoted | Kind::RawQuoted) {
            return self.unexpected(token, context);
        }
        literal::unquote(&token.text).or_else(|e| self.fail(e))
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        let start = self.peek_non_space().pos;
        let mut pipe =
            Pipe { span: start..start, assign: false, variables: Vec::new(), commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    pipe.span.end = token.pos;
                    return self.checked(pipe, context);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawQuoted
                | Kind::Quoted
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back(token);
                    pipe.commands.push(self.command()?);
                }
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// Parses `$x :=`, `$x =` and, in a range, `$i, $x :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), Error> {
        while self.peek_non_space().kind == Kind::Variable {
            let variable = self.next_non_space();
            let space = self.next();
            let next = if space.kind == Kind::Space { self.next_non_space() } else { space.clone() };
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.assign = next.kind == Kind::Assign;
                    self.declare(pipe, variable);
                    return Ok(());
                }
                Kind::Comma => {
                    self.declare(pipe, variable);
                    if context != "range" || pipe.variables.len() > 1 {
                        return self.fail(format!("too many declarations in {context}"));
                    }
                    let after = self.peek_non_space().kind;
                    if !matches!(after, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                        return self.fail("range can only initialize variables");
                    }
                }
                _ => {
                    // An argument, not a declaration; the space after it separates it from the next.
                    if space.kind == Kind::Space {
                        self.back(next);
                    }
                    self.back(space);
                    self.back(variable);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn declare(&mut self, pipe: &mut Pipe, variable: Token<'t>) {
        self.scope.variables.push(variable.text.to_string());
        pipe.variables.push(variable.text.into_owned());
    }

    fn checked(&self, pipe: Pipe, context: &str) -> Result<Pipe, Error> {
        if pipe.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            if let OperandKind::Bool(_)
            | OperandKind::Dot
            | OperandKind::Nil
            | OperandKind::Number { .. }
            | OperandKind::Text { .. } = command.args[0].kind
            {
                return self.fail(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(pipe)
    }

    fn command(&mut self) -> Result<Command, Error> {
        let start = self.peek_non_space().pos;
        let mut command = Command { span: start..start, args: Vec::new() };
        loop {
            if let Some(operand) = self.operand()? {
                command.span.end = operand.span.end;
                command.args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.back(token),
                Kind::Pipe => {}
                _ => return self.unexpected(&token, "operand"),
            }
            break;
        }
        if command.args.is_empty() {
            return self.fail("empty command");
        }
        Ok(command)
    }

    fn operand(&mut self) -> Result<Option<Operand>, Error> {
        let Some(mut operand) = self.term()? else { return Ok(None) };
        if self.peek() != Kind::Field {
            return Ok(Some(operand));
        }
        let mut fields = Vec::new();
        let mut pos = None;
        while self.peek() == Kind::Field {
            let token = self.next();
            pos = pos.or(Some(token.pos));
            operand.span.end = token.end();
            fields.push(token.text[1..].to_owned());
        }
        operand.pos = pos.unwrap_or(operand.pos);
        match &mut operand.kind {
            OperandKind::Field(names) | OperandKind::Variable { fields: names, .. } => names.extend(fields),
            OperandKind::Bool(_)
            | OperandKind::Text { .. }
            | OperandKind::Number { .. }
            | OperandKind::Nil
            | OperandKind::Dot => {
                return self.fail(format!("unexpected . after term {}", quote(&operand.to_string())));
            }
            _ => {
                let (span, pos) = (operand.span.clone(), operand.pos);
                let kind = OperandKind::Chain { base: Box::new(operand), fields };
                return Ok(Some(Operand { span, pos, kind }));
            }
        }
        Ok(Some(operand))
    }

    fn term(&mut self) -> Result<Option<Operand>, Error> {
        let token = self.next_non_space();
        let mut span = token.pos..token.end();
        let mut pos = token.pos;
        let kind = match token.kind {
            Kind::Identifier => match Function::find(&token.text) {
                Some(function) => OperandKind::Function(function),
                None => return self.fail(format!("function {} not defined", quote(&token.text))),
            },
            Kind::Dot => OperandKind::Dot,
            Kind::Nil => OperandKind::Nil,
            Kind::Variable => {
                if !self.scope.variables.iter().any(|v| *v == token.text) {
                    return self.fail(format!("undefined variable {}", quote(&token.text)));
                }
                OperandKind::Variable { name: token.text.into_owned(), fields: Vec::new() }
            }
            Kind::Field => OperandKind::Field(vec![token.text[1..].to_owned()]),
            Kind::Bool => OperandKind::Bool(token.text == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let value = match token.kind {
                    Kind::CharConstant => literal::char_constant(&token.text),
                    _ => literal::number(&token.text),
                };
                let value = value.or_else(|e| self.fail(e))?;
                OperandKind::Number { text: token.text.into_owned(), value }
            }
            Kind::Quoted | Kind::RawQuoted => {
                let value = literal::unquote(&token.text).or_else(|e| self.fail(e))?;
                OperandKind::Text { quoted: token.text.into_owned(), value }
            }
            Kind::LeftParen => {
                self.enter()?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.nesting -= 1;
                span.end = pipe.span.end + 1;
                pos = pipe.span.start;
                OperandKind::Pipe(pipe)
            }
            _ => {
                self.back(token);
                return Ok(None);
            }
        };
        Ok(Some(Operand { span, pos, kind }))
    }
}

use std::fmt::Display;
use std::ops::Range;

use promflow_model::quote::quote;

use crate::ast::{Command, Conditional, List, Loop, Node, Number, Operand, OperandKind, Pipe, TemplateCall};
use crate::call::{Body, Context, Function, Param};
use crate::error::{Error, ErrorKind};
use crate::value::Value;
use crate::{AlertData, Env, OUTPUT_BYTES_MAX, PREAMBLE, Template, builtin, method};

/// Nodes walked, loop iterations and bytes handled (in units of 64) of one expansion.
const STEPS_MAX: usize = 1_000_000;

/// Depth of templates, control structures and parentheses inside each other, all told.
const DEPTH_MAX: usize = 200;

/// Expands a parsed template.
///
/// Source: Go text/template/exec.go.
pub(crate) fn expand(template: &Template, data: &AlertData<'_>, env: &Env<'_>) -> Result<String, Error> {
    let context = Context { env, external_url: data.external_url };
    let mut state = State {
        template,
        context,
        definition: &template.name,
        at: Place { pos: 0, span: 0..0, node: &"" },
        variables: vec![("$", Value::Data(data))],
        out: String::new(),
        steps: 0,
        depth: 0,
    };
    if let Some(root) = template.trees.get(&template.name) {
        state.list(&Value::Data(data), root)?;
    }
    Ok(state.out)
}

/// The node that an error is about.
struct Place<'a> {
    pos: usize,
    span: Range<usize>,
    node: &'a dyn Display,
}

struct State<'a> {
    template: &'a Template,
    context: Context<'a>,
    definition: &'a str,
    at: Place<'a>,
    variables: Vec<(&'a str, Value<'a>)>,
    out: String,
    steps: usize,
    depth: usize,
}

#[derive(PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'a> State<'a> {
    fn error(&self, kind: ErrorKind, message: impl Display) -> Error {
        let name = &self.template.name;
        let before = &self.template.text[..self.at.pos];
        let line = 1 + before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        let definition = quote(self.definition);
        let node = self.at.node;
        let shift = |pos: usize| pos.saturating_sub(PREAMBLE.len());
        Error {
            kind,
            template: name.clone(),
            detail: format!(
                "template: {name}:{line}:{column}: executing {definition} at <{node}>: {message}"
            ),
            span: shift(self.at.span.start)..shift(self.at.span.end),
        }
    }

    fn fail<T>(&self, message: impl Display) -> Result<T, Error> {
        Err(self.error(ErrorKind::Execute, message))
    }

    fn charge(&mut self, steps: usize) -> Result<(), Error> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > STEPS_MAX {
            return Err(self.error(ErrorKind::Limit, format!("exceeded the limit of {STEPS_MAX} steps")));
        }
        Ok(())
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let message = format!("exceeded maximum template depth ({DEPTH_MAX})");
            return Err(self.error(ErrorKind::Limit, message));
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), Error> {
        if self.out.len() + text.len() > OUTPUT_BYTES_MAX {
            let message = format!("output exceeds {OUTPUT_BYTES_MAX} bytes");
            return Err(self.error(ErrorKind::Limit, message));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn at_pipe(&mut self, pipe: &'a Pipe) {
        self.at = Place { pos: pipe.span.start, span: pipe.span.clone(), node: pipe };
    }

    fn at_operand(&mut self, operand: &'a Operand) {
        self.at = Place { pos: operand.pos, span: operand.span.clone(), node: operand };
    }

    fn list(&mut self, dot: &Value<'a>, list: &'a List) -> Result<Flow, Error> {
        self.enter()?;
        let mut flow = Flow::Next;
        for node in list {
            self.charge(1)?;
            flow = match node {
                Node::Text(text) => {
                    self.write(text)?;
                    Flow::Next
                }
                Node::Action(pipe) => {
                    self.action(dot, pipe)?;
                    Flow::Next
                }
                Node::Conditional(node) => self.conditional(dot, node)?,
                Node::Loop(node) => self.range(dot, node)?,
                Node::Call(call) => {
                    self.call_template(dot, call)?;
                    Flow::Next
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Next {
                break;
            }
        }
        self.depth -= 1;
        Ok(flow)
    }

    fn action(&mut self, dot: &Value<'a>, pipe: &'a Pipe) -> Result<(), Error> {
        let value = self.pipeline(dot, pipe)?;
        if pipe.variables.is_empty() {
            self.at_pipe(pipe);
            let text = builtin::display(&value).map_err(|e| self.error(ErrorKind::Execute, e))?;
            self.write(&text)?;
        }
        Ok(())
    }

    fn conditional(&mut self, dot: &Value<'a>, node: &'a Conditional) -> Result<Flow, Error> {
        let mark = self.variables.len();
        let mut flow = Flow::Next;
        let mut taken = false;
        for (pipe, body) in &node.arms {
            let value = self.pipeline(dot, pipe)?;
            if value.truth() {
                flow = self.list(if node.with { &value } else { dot }, body)?;
                taken = true;
                break;
            }
        }
        if let (false, Some(otherwise)) = (taken, &node.otherwise) {
            flow = self.list(dot, otherwise)?;
        }
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, dot: &Value<'a>, node: &'a Loop) -> Result<Flow, Error> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &node.pipe)?;
        let ran = match &value {
            Value::Nil => false,
            Value::Int(_) | Value::Byte(_) if node.pipe.variables.len() > 1 => {
                let value = builtin::display(&value).unwrap_or_default();
                return self.fail(format!("can't use {value} to iterate over more than one variable"));
            }
            Value::Int(n) => self.iterate(node, (0..*n).map(|i| (Value::Nil, Value::Int(i))))?,
            Value::Byte(n) => self.iterate(node, (0..*n).map(|i| (Value::Nil, Value::Byte(i))))?,
            Value::Samples(samples) => {
                let items = samples.iter().enumerate();
                self.iterate(node, items.map(|(i, s)| (Value::Int(i as i64), Value::Sample(s.clone()))))?
            }
            Value::Labels(labels) => {
                let items = labels.iter();
                self.iterate(node, items.map(|(name, value)| (Value::text(name), Value::text(value))))?
            }
            Value::Args(args) => {
                let items = args.entries.iter();
                self.iterate(node, items.map(|(name, value)| (Value::text(name), value.clone())))?
            }
            Value::Duration(_) => return self.fail("not supported yet: range over time.Duration"),
            other => {
                let value = builtin::display(other).unwrap_or_default();
                return self.fail(format!("range can't iterate over {value}"));
            }
        };
        let mut flow = Flow::Next;
        if let (false, Some(otherwise)) = (ran, &node.otherwise) {
            flow = self.list(dot, otherwise)?;
        }
        self.variables.truncate(mark);
        Ok(flow)
    }

    /// Runs the body once for every item and tells whether there was one.
    fn iterate(
        &mut self,
        node: &'a Loop,
        items: impl Iterator<Item = (Value<'a>, Value<'a>)>,
    ) -> Result<bool, Error> {
        let mark = self.variables.len();
        let mut ran = false;
        for (index, item) in items {
            ran = true;
            self.charge(1)?;
            let values = match node.pipe.variables.len() {
                0 => vec![],
                1 => vec![item.clone()],
                _ => vec![index, item.clone()],
            };
            let first = mark - if node.pipe.assign { 0 } else { values.len() };
            for (i, (name, value)) in node.pipe.variables.iter().zip(values).enumerate() {
                if node.pipe.assign {
                    self.assign(name, value)?;
                } else {
                    self.variables[first + i].1 = value;
                }
            }
            let flow = self.list(&item, &node.body)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(ran)
    }

    fn call_template(&mut self, dot: &Value<'a>, call: &'a TemplateCall) -> Result<(), Error> {
        self.at = Place { pos: call.span.start, span: call.span.clone(), node: call };
        let name = &call.name;
        let Some(tree) = self.template.trees.get(name) else {
            return self.fail(format!("template {} not defined", quote(name)));
        };
        let dot = match &call.pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Value::Nil,
        };
        let outer = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let definition = std::mem::replace(&mut self.definition, name);
        self.list(&dot, tree)?;
        self.definition = definition;
        self.variables = outer;
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Value<'a>) -> Result<(), Error> {
        match self.variables.iter_mut().rev().find(|(n, _)| *n == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    fn pipeline(&mut self, dot: &Value<'a>, pipe: &'a Pipe) -> Result<Value<'a>, Error> {
        self.at_pipe(pipe);
        self.enter()?;
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value)?);
        }
        self.depth -= 1;
        let value = value.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            if pipe.assign {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        dot: &Value<'a>,
        command: &'a Command,
        last: Option<Value<'a>>,
    ) -> Result<Value<'a>, Error> {
        let first = &command.args[0];
        let args = &command.args[1..];
        match &first.kind {
            OperandKind::Function(function) => {
                self.at_operand(first);
                let place = Place { pos: command.span.start, span: command.span.clone(), node: command };
                return self.call(dot, function, args, last, place);
            }
            OperandKind::Field(_) | OperandKind::Chain { .. } => {
                return self.fields_of(dot, first, args, last);
            }
            OperandKind::Variable { fields, .. } if !fields.is_empty() => {
                return self.fields_of(dot, first, args, last);
            }
            OperandKind::Pipe(_) => {}
            _ => self.at_operand(first),
        }
        if !args.is_empty() || last.is_some() {
            return self.fail(format!("can't give argument to non-function {first}"));
        }
        match &first.kind {
            OperandKind::Nil => self.fail("nil is not a command"),
            _ => self.operand(dot, first),
        }
    }

    /// Evaluates an operand that takes no arguments.
    fn operand(&mut self, dot: &Value<'a>, operand: &'a Operand) -> Result<Value<'a>, Error> {
        if !matches!(operand.kind, OperandKind::Pipe(_)) {
            self.at_operand(operand);
        }
        match &operand.kind {
            OperandKind::Bool(b) => Ok(Value::Bool(*b)),
            OperandKind::Number { value: Number::Int(n), .. } => Ok(Value::Int(*n)),
            OperandKind::Number { value: Number::Float(v), .. } => Ok(Value::Float(*v)),
            OperandKind::Number { text, value: Number::TooLarge } => {
                self.fail(format!("{text} overflows int"))
            }
            OperandKind::Text { value, .. } => Ok(Value::text(value)),
            OperandKind::Nil => Ok(Value::Nil),
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Pipe(pipe) => self.pipeline(dot, pipe),
            OperandKind::Function(function) => {
                let place = Place { pos: operand.pos, span: operand.span.clone(), node: operand };
                self.call(dot, function, &[], None, place)
            }
            OperandKind::Field(_) | OperandKind::Variable { .. } | OperandKind::Chain { .. } => {
                self.fields_of(dot, operand, &[], None)
            }
        }
    }

    /// Evaluates `.X.Y`, `$x.Y` and `(f).Y`; the last name may be a method with arguments.
    fn fields_of(
        &mut self,
        dot: &Value<'a>,
        operand: &'a Operand,
        args: &'a [Operand],
        last: Option<Value<'a>>,
    ) -> Result<Value<'a>, Error> {
        self.at_operand(operand);
        let (mut value, fields) = match &operand.kind {
            OperandKind::Field(fields) => (dot.clone(), fields),
            OperandKind::Variable { name, fields } => (self.variable(name)?, fields),
            OperandKind::Chain { base, .. } if matches!(base.kind, OperandKind::Nil) => {
                return self.fail(format!("indirection through explicit nil in {operand}"));
            }
            OperandKind::Chain { base, fields } => (self.operand(dot, base)?, fields),
            _ => return Ok(Value::Nil),
        };
        let Some((last_name, names)) = fields.split_last() else { return Ok(value) };
        for name in names {
            value = self.field(value, name, &[])?.0;
        }
        let mut values = Vec::new();
        for arg in args {
            values.push(self.operand(dot, arg)?);
        }
        values.extend(last);
        let (found, is_method) = self.field(value, last_name, &values)?;
        if !is_method && !values.is_empty() {
            return self.fail(format!("{last_name} is not a method but has arguments"));
        }
        Ok(found)
    }

    fn variable(&self, name: &str) -> Result<Value<'a>, Error> {
        match self.variables.iter().rev().find(|(n, _)| *n == name) {
            Some((_, value)) => Ok(value.clone()),
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    /// Looks a field, a map's key or a method up, and tells whether it was a method.
    fn field(&self, receiver: Value<'a>, name: &str, args: &[Value<'a>]) -> Result<(Value<'a>, bool), Error> {
        let found = match &receiver {
            Value::Nil => Value::Nil,
            Value::Labels(labels) => Value::text(labels.get(name)),
            Value::Args(args) => args.entries.get(name).cloned().unwrap_or(Value::Nil),
            Value::Data(data) => match name {
                "Labels" => Value::Labels(data.labels.clone()),
                "ExternalLabels" => Value::Labels(data.external_labels.clone()),
                "ExternalURL" => Value::text(data.external_url),
                "Value" => Value::Float(data.value),
                _ => return self.no_field(&receiver, name),
            },
            Value::Sample(sample) => match name {
                "Labels" => Value::Labels(sample.labels.clone()),
                "Value" => Value::Float(sample.value),
                _ => return self.no_field(&receiver, name),
            },
            Value::Time(_) | Value::Duration(_) => match method::call(&receiver, name, args) {
                Some(result) => {
                    let value = result.map_err(|e| self.error(ErrorKind::Execute, e))?;
                    return Ok((value, true));
                }
                None => return self.no_field(&receiver, name),
            },
            _ => return self.no_field(&receiver, name),
        };
        Ok((found, false))
    }

    fn no_field<T>(&self, receiver: &Value<'a>, name: &str) -> Result<T, Error> {
        self.fail(format!("can't evaluate field {name} in type {}", receiver.type_name()))
    }

    fn call(
        &mut self,
        dot: &Value<'a>,
        function: &'static Function,
        args: &'a [Operand],
        last: Option<Value<'a>>,
        place: Place<'a>,
    ) -> Result<Value<'a>, Error> {
        let name = function.name;
        let given = args.len() + usize::from(last.is_some());
        let wanted = function.params.len();
        if function.variadic.is_some() && given < wanted {
            let got = args.len();
            return self.fail(format!("wrong number of args for {name}: want at least {wanted} got {got}"));
        }
        if function.variadic.is_none() && given != wanted {
            return self.fail(format!("wrong number of args for {name}: want {wanted} got {given}"));
        }
        let run = match function.body {
            Body::Call(run) => Some(run),
            Body::Callee => None,
            Body::And => return self.short_circuit(dot, args, last, false),
            Body::Or => return self.short_circuit(dot, args, last, true),
        };
        let param = |i: usize| function.params.get(i).copied().or(function.variadic).unwrap_or(Param::Any);
        let mut values = Vec::with_capacity(given);
        for (i, arg) in args.iter().enumerate() {
            values.push(self.argument(dot, arg, param(i))?);
        }
        if let Some(value) = last {
            values.push(self.fitting(value, param(args.len()))?);
        }
        let Some(run) = run else {
            self.at = place;
            let callee = args.first().map_or_else(|| builtin::display(&values[0]), |arg| Ok(arg.to_string()));
            let (callee, kind) = (callee.unwrap_or_default(), values[0].type_name());
            return match values[0] {
                Value::Nil => self.fail("error calling call: call of nil"),
                _ => self.fail(format!("error calling call: non-function {callee} of type {kind}")),
            };
        };
        let size: usize = values.iter().map(Value::size_bytes).sum();
        self.charge(1 + size / 64)?;
        match run(&self.context, &values) {
            Ok(Value::Text(text)) if text.len() > OUTPUT_BYTES_MAX => {
                self.at = place;
                let message = format!("error calling {name}: text longer than {OUTPUT_BYTES_MAX} bytes");
                Err(self.error(ErrorKind::Limit, message))
            }
            Ok(value) => Ok(value),
            Err(message) => {
                self.at = place;
                self.fail(format!("error calling {name}: {message}"))
            }
        }
    }

    fn short_circuit(
        &mut self,
        dot: &Value<'a>,
        args: &'a [Operand],
        last: Option<Value<'a>>,
        stop_at: bool,
    ) -> Result<Value<'a>, Error> {
        let mut value = Value::Nil;
        for arg in args {
            value = self.argument(dot, arg, Param::Any)?;
            if value.truth() == stop_at {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    /// Evaluates an argument; a constant has to be written as the parameter's type wants it.
    fn argument(&mut self, dot: &Value<'a>, arg: &'a Operand, param: Param) -> Result<Value<'a>, Error> {
        self.at_operand(arg);
        match &arg.kind {
            OperandKind::Nil if !param.takes_nil() => {
                self.fail(format!("cannot assign nil to {}", param.type_name()))
            }
            OperandKind::Nil => Ok(Value::Nil),
            OperandKind::Bool(_) | OperandKind::Number { .. } | OperandKind::Text { .. } => match param {
                Param::Any => self.operand(dot, arg),
                Param::Text if matches!(arg.kind, OperandKind::Text { .. }) => self.operand(dot, arg),
                Param::Text => self.fail(format!("expected string; found {arg}")),
                _ => self.fail(format!("can't handle {arg} for arg of type {}", param.type_name())),
            },
            _ => {
                let value = self.operand(dot, arg)?;
                self.fitting(value, param)
            }
        }
    }

    fn fitting(&self, value: Value<'a>, param: Param) -> Result<Value<'a>, Error> {
        let wanted = param.type_name();
        match &value {
            Value::Nil if !param.takes_nil() => self.fail(format!("invalid value; expected {wanted}")),
            Value::Nil => Ok(value),
            _ if param.takes(&value) => Ok(value),
            _ => self.fail(format!("wrong type for value; expected {wanted}; got {}", value.type_name())),
        }
    }
}

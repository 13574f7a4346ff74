//! What an expression says, as far as it can be told without running it.

use ruff_python_ast::{
    BoolOp, Expr, ExprCall, FStringPart, InterpolatedStringElement, Number, Operator, UnaryOp,
};

/// A value, with names still in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A list, tuple or set.
    List(Vec<Value>),
    /// A dictionary.
    Dict(Vec<(Value, Value)>),
    /// A name; of `a.b.c` the last one.
    Name(String),
    /// The element of a list or dictionary.
    Item(Box<Value>, Box<Value>),
    /// The unpacked elements of another list.
    Unpacked(Box<Value>),
    /// An f-string, or texts and lists joined by `+`.
    Joined(Vec<Value>),
    /// Numbers under an operator, or a text with `%`.
    Arithmetic(Operator, Box<Value>, Box<Value>),
    /// `os.getenv("NAME", default)` and the like: the default.
    Default(Box<Value>),
    /// `a or b`: the first that is something.
    Either(Vec<Value>),
    /// A method of a text, list or dictionary, with what it is given.
    Method(String, Box<Value>, Vec<(Option<String>, Value)>),
    /// `None`.
    Nothing,
    /// Anything else.
    Unknown,
}

/// How deep values may stand in each other.
const DEPTH_MAX: usize = 64;

/// The methods whose result can be told.
const METHODS: [&str; 13] = [
    "lower",
    "casefold",
    "upper",
    "strip",
    "removeprefix",
    "removesuffix",
    "replace",
    "format",
    "join",
    "items",
    "keys",
    "values",
    "copy",
];

impl Value {
    /// Reads an expression.
    pub(super) fn of(expr: &Expr) -> Self {
        read(expr, 0)
    }
}

fn read(expr: &Expr, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Unknown;
    }
    let inner = |expr: &Expr| read(expr, depth + 1);
    let all = |exprs: &[Expr]| Value::List(exprs.iter().map(inner).collect());
    match expr {
        Expr::StringLiteral(text) => Value::Text(text.value.to_str().to_owned()),
        Expr::NumberLiteral(number) => match &number.value {
            Number::Int(int) => int.as_i64().map_or(Value::Unknown, |int| Value::Number(int as f64)),
            Number::Float(float) => Value::Number(*float),
            Number::Complex { .. } => Value::Unknown,
        },
        Expr::NoneLiteral(_) => Value::Nothing,
        Expr::List(list) => all(&list.elts),
        Expr::Tuple(tuple) => all(&tuple.elts),
        Expr::Set(set) => all(&set.elts),
        Expr::Dict(dict) => {
            let pairs = dict.items.iter().map(|item| Some((inner(item.key.as_ref()?), inner(&item.value))));
            pairs.collect::<Option<Vec<_>>>().map_or(Value::Unknown, Value::Dict)
        }
        Expr::Starred(starred) => Value::Unpacked(Box::new(inner(&starred.value))),
        Expr::Name(name) => Value::Name(name.id.to_string()),
        Expr::Attribute(attribute) if attribute.attr.as_str() == "inf" => Value::Number(f64::INFINITY),
        // `Status.OK.value` is what `OK` is bound to.
        Expr::Attribute(attribute) if attribute.attr.as_str() == "value" => inner(&attribute.value),
        Expr::Attribute(attribute) => Value::Name(attribute.attr.to_string()),
        Expr::Subscript(item) => Value::Item(Box::new(inner(&item.value)), Box::new(inner(&item.slice))),
        Expr::FString(text) => f_string(text.value.as_slice(), depth),
        Expr::BinOp(op) => {
            let (left, right) = (inner(&op.left), inner(&op.right));
            match op.op {
                Operator::Add => Value::Joined(vec![left, right]),
                op => Value::Arithmetic(op, Box::new(left), Box::new(right)),
            }
        }
        Expr::BoolOp(op) if op.op == BoolOp::Or => Value::Either(op.values.iter().map(inner).collect()),
        Expr::If(choice) => chosen(&inner(&choice.body), inner(&choice.orelse), &choice.test),
        Expr::UnaryOp(op) => match (op.op, inner(&op.operand)) {
            (UnaryOp::USub, Value::Number(number)) => Value::Number(-number),
            (UnaryOp::UAdd, value) => value,
            _ => Value::Unknown,
        },
        Expr::Call(call) => of_call(call, depth),
        _ => Value::Unknown,
    }
}

/// Reads `x if x else y` and `x if x is not None else y`; any other choice cannot be told.
fn chosen(body: &Value, otherwise: Value, test: &Expr) -> Value {
    let asked = match test {
        Expr::Compare(compare) => &compare.left,
        test => test,
    };
    let is_name = matches!(body, Value::Name(_)) && Value::of(asked) == *body;
    if is_name { Value::Either(vec![body.clone(), otherwise]) } else { Value::Unknown }
}

fn f_string(parts: &[FStringPart], depth: usize) -> Value {
    let mut joined = Vec::new();
    for part in parts {
        match part {
            FStringPart::Literal(literal) => joined.push(Value::Text(literal.as_str().to_owned())),
            FStringPart::FString(text) => joined.extend(text.elements.iter().map(|element| match element {
                InterpolatedStringElement::Literal(literal) => Value::Text(literal.value.to_string()),
                InterpolatedStringElement::Interpolation(inner) if inner.format_spec.is_none() => {
                    read(&inner.expression, depth + 1)
                }
                InterpolatedStringElement::Interpolation(_) => Value::Unknown,
            })),
        }
    }
    Value::Joined(joined)
}

fn of_call(call: &ExprCall, depth: usize) -> Value {
    let args = &call.arguments.args;
    let (on, name) = match &*call.func {
        Expr::Name(name) => (None, name.id.as_str()),
        Expr::Attribute(attribute) => (Some(&*attribute.value), attribute.attr.as_str()),
        _ => return Value::Unknown,
    };
    let first = || args.first().map_or(Value::Unknown, |arg| read(arg, depth + 1));
    match name {
        "float" => match first() {
            Value::Text(text) if text.trim_start_matches('+').eq_ignore_ascii_case("inf") => {
                Value::Number(f64::INFINITY)
            }
            value => value,
        },
        "tuple" | "list" | "set" | "frozenset" | "sorted" | "str" | "int" => first(),
        "enumerate" => Value::Method(name.to_owned(), Box::new(first()), Vec::new()),
        "getenv" | "get" => {
            args.get(1).map_or(Value::Unknown, |arg| Value::Default(Box::new(read(arg, depth + 1))))
        }
        // Fields of settings and data classes: `Field(default=8000)`, `Field(8000)`, `field(default=8000)`.
        "Field" | "field" => match call.arguments.find_keyword("default") {
            Some(keyword) => Value::Default(Box::new(read(&keyword.value, depth + 1))),
            None => Value::Default(Box::new(first())),
        },
        _ => match on.filter(|_| METHODS.contains(&name)) {
            Some(on) => {
                let keywords = call.arguments.keywords.iter().filter_map(|keyword| {
                    Some((Some(keyword.arg.as_ref()?.to_string()), read(&keyword.value, depth + 1)))
                });
                let given = args.iter().map(|arg| (None, read(arg, depth + 1))).chain(keywords).collect();
                Value::Method(name.to_owned(), Box::new(read(on, depth + 1)), given)
            }
            None => Value::Unknown,
        },
    }
}

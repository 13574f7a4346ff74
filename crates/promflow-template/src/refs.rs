use std::collections::BTreeSet;

use crate::ast::{List, Node, Operand, OperandKind, Pipe};

/// Lists the alert's labels that a template names: `$labels.x`, `.Labels.x`, `index $labels "x"`.
pub(crate) fn label_refs<'t>(trees: impl Iterator<Item = &'t List>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for list in trees {
        nodes(list, &mut found);
    }
    found
}

fn nodes(list: &List, found: &mut BTreeSet<String>) {
    for node in list {
        match node {
            Node::Action(p) => pipe(p, found),
            Node::Conditional(node) => {
                for (p, body) in &node.arms {
                    pipe(p, found);
                    nodes(body, found);
                }
                node.otherwise.iter().for_each(|list| nodes(list, found));
            }
            Node::Loop(node) => {
                pipe(&node.pipe, found);
                nodes(&node.body, found);
                node.otherwise.iter().for_each(|list| nodes(list, found));
            }
            Node::Call(call) => call.pipe.iter().for_each(|p| pipe(p, found)),
            Node::Text(_) | Node::Break | Node::Continue => {}
        }
    }
}

fn pipe(pipe: &Pipe, found: &mut BTreeSet<String>) {
    for command in &pipe.commands {
        if let [function, map, key, ..] = command.args.as_slice()
            && let OperandKind::Function(function) = &function.kind
            && let OperandKind::Text { value, .. } = &key.kind
            && function.name == "index"
            && label_path(map).is_some_and(<[String]>::is_empty)
        {
            found.insert(value.clone());
        }
        command.args.iter().for_each(|arg| operand(arg, found));
    }
}

fn operand(arg: &Operand, found: &mut BTreeSet<String>) {
    if let Some([label, ..]) = label_path(arg) {
        found.insert(label.clone());
    }
    match &arg.kind {
        OperandKind::Pipe(p) => pipe(p, found),
        OperandKind::Chain { base, .. } => operand(base, found),
        _ => {}
    }
}

/// Returns the names that follow the alert's label set, `None` when the operand is something else.
fn label_path(arg: &Operand) -> Option<&[String]> {
    let (root, fields) = match &arg.kind {
        OperandKind::Variable { name, fields } if name == "$labels" => return Some(fields),
        OperandKind::Variable { name, fields } if name == "$" => fields.split_first()?,
        OperandKind::Field(fields) => fields.split_first()?,
        _ => return None,
    };
    (root == "Labels").then_some(fields)
}

//! Where something stands, as an editor jumps to it.

use serde::Serialize;

use crate::graph::Node;

/// The file and line of something that somebody wrote; both are empty for what nobody did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, relative to the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl Place {
    /// Returns the place of a node.
    pub(crate) fn of(node: &Node) -> Self {
        Self { file: node.file.clone(), line: node.line }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}"),
            (Some(file), None) => f.write_str(file),
            _ => Ok(()),
        }
    }
}

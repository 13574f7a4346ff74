//! `promflow prune`.

use anyhow::Result;
use promflow_flow::questions;

use super::{flow, flow_files};
use crate::args::PruneArguments;

/// Prints what can go.
///
/// Errors: a file is refused, with every mistake at its place, or the server does not answer.
pub(crate) async fn run(arguments: PruneArguments) -> Result<()> {
    let (graph, live) = flow_files::graph(&arguments.files).await?;
    let answer = questions::prune(&graph, live.as_ref());
    flow::answer(arguments.files.json, &answer, || answer.text())
}

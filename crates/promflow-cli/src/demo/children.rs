//! Parts of the demo that run in processes of their own, so that their metrics are their own.

use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::process::{Child, ChildStdin, Command};

/// A child that ends with the demo, however that ends: it reads its standard input, which closes with the parent.
pub(crate) struct Part {
    name: &'static str,
    child: Child,
    /// Held apart from the child, which would close it when it is waited for.
    lifeline: Option<ChildStdin>,
}

impl Part {
    /// Starts this binary again as a part of the demo.
    ///
    /// Errors: the system does not start it.
    pub(crate) fn start(name: &'static str, arguments: &[String]) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's file")?;
        let mut child = Command::new(program)
            .arg("demo-part")
            .arg(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the demo's {name}"))?;
        let lifeline = child.stdin.take();
        Ok(Self { name, child, lifeline })
    }

    /// Waits until the part ends by itself, which it should not.
    pub(crate) async fn ended(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => format!("the demo's {} ended: {status}", self.name),
            Err(e) => format!("the demo's {} is lost: {e}", self.name),
        }
    }

    /// Ends the part: closes its standard input and waits, for two seconds at most.
    pub(crate) async fn stop(mut self) {
        drop(self.lifeline.take());
        let grace = std::time::Duration::from_secs(2);
        if tokio::time::timeout(grace, self.child.wait()).await.is_err() {
            // It is about to be killed by its handle; that it is slow is no error of the demo.
            tracing::debug!(part = self.name, "did not end by itself");
        }
    }
}

/// Returns when the parent is gone.
pub(crate) async fn parent_gone() {
    use tokio::io::AsyncReadExt;
    let mut stdin = tokio::io::stdin();
    let mut byte = [0u8; 64];
    while stdin.read(&mut byte).await.is_ok_and(|n| n > 0) {}
}

//! What is written in text is accepted by promtool.

use std::io::Write;
use std::process::{Command, Stdio};

use promflow_exposition::{Escaping, Format, lint};
use promflow_testkit::program;

use crate::pages;

#[test]
fn written_text_is_accepted_by_promtool() {
    for escaping in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
        let page = pages::written(Format::Text, escaping);
        let mut child = Command::new(program("promtool"))
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&page).unwrap();
        let output = child.wait_with_output().unwrap();
        let report = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&page));
        assert_eq!(lint(&page, Format::Text), Ok(Vec::new()));
    }
}

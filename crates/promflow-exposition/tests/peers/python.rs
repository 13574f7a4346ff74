//! What is written in text and OpenMetrics is read back by prometheus_client's parsers.

use std::process::Command;

use promflow_exposition::{Escaping, Format, Mode};
use promflow_testkit::python_venv;

use crate::pages::{self, Samples, bits};

/// Prints each sample as a list of name, labels and value, the value as text, as JSON has no NaN.
const PRINT_SAMPLES: &str = r#"
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text
page = open(sys.argv[2], encoding="utf-8", newline="\n").read()
for family in (openmetrics if sys.argv[1] == "openmetrics" else text)(page):
    for sample in family.samples:
        print(json.dumps([sample.name, sample.labels, repr(float(sample.value))]))
"#;

fn read_by_python(page: &[u8], format: Format) -> Samples {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("page");
    std::fs::write(&file, page).unwrap();
    let name = if format == Format::OpenMetrics { "openmetrics" } else { "text" };
    let output = Command::new(python_venv(&["prometheus-client==0.26.0"]))
        .args(["-c", PRINT_SAMPLES, name])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| {
            let (name, mut labels, value): (String, std::collections::BTreeMap<String, String>, String) =
                serde_json::from_str(line).unwrap();
            labels.insert("__name__".to_owned(), name);
            (labels, bits(value.parse().unwrap()))
        })
        .collect()
}

#[test]
fn written_pages_are_read_back_by_prometheus_client() {
    for format in [Format::Text, Format::OpenMetrics] {
        for escaping in [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Values] {
            let page = pages::written(format, escaping);
            let mut expected = pages::samples(&page, format, Mode::Strict).unwrap();
            // That parser takes "-0" for an integer, which has no sign.
            expected.values_mut().filter(|v| **v == bits(-0.0)).for_each(|v| *v = 0);
            assert!(expected.len() > 20);
            let read = read_by_python(&page, format);
            for (labels, value) in &expected {
                assert_eq!(read.get(labels), Some(value), "{format:?} {escaping:?}: {labels:?}");
            }
            assert_eq!(read.len(), expected.len(), "{format:?} {escaping:?}");
        }
    }
}

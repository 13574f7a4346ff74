use promflow_model::MetricType;
use promflow_testkit::conformance;
use proptest::prelude::*;

use crate::{Entry, Format, Mode, ParseError, Parser, SampleEntry};

fn parse(page: &[u8], format: Format, mode: Mode) -> Result<Vec<Entry<'_>>, ParseError> {
    Parser::new(page, format, mode).collect()
}

fn samples(page: &str, format: Format, mode: Mode) -> Vec<SampleEntry<'_>> {
    parse(page.as_bytes(), format, mode)
        .unwrap_or_else(|e| panic!("{e} in {page}"))
        .into_iter()
        .filter_map(|e| if let Entry::Sample(s) = e { Some(s) } else { None })
        .collect()
}

/// Reads one text sample as `labels value [timestamp]`.
fn check(line: &str, expected: &str) {
    let read = samples(line, Format::Text, Mode::Prometheus);
    let [sample] = read.as_slice() else { panic!("{line} has {} samples", read.len()) };
    let t = sample.t_ms.map_or(String::new(), |t| format!(" {t}"));
    assert_eq!(format!("{} {}{t}", sample.labels(), sample.value), expected);
}

fn refused(page: &str, format: Format, mode: Mode, expected: &str) {
    let error = parse(page.as_bytes(), format, mode).expect_err(page);
    assert!(error.to_string().starts_with(expected), "{page:?}: {error}, expected {expected}");
}

#[test]
fn text_samples_are_read() {
    check("up 1\n", r#"{__name__="up"} 1"#);
    check("up{} 1", r#"{__name__="up"} 1"#);
    check("up{a=\"b\",} 1.5 3\n", r#"{__name__="up", a="b"} 1.5 3"#);
    check("up{a=\"b\"c=\"d\" e=\"f\"} 1\n", r#"{__name__="up", a="b", c="d", e="f"} 1"#);
    check(" up { b = \"2\" , a = \"1\" }  1  7 \n", r#"{__name__="up", a="1", b="2"} 1 7"#);
    check("up{a=\"b\"}1\n", r#"{__name__="up", a="b"} 1"#);
    check("a:b{p=\"\\\\ \\\" \\n \\x\"} +Inf\n", r#"{__name__="a:b", p="\\ \" \n \\x"} inf"#);
    check("m -Infinity\n", r#"{__name__="m"} -inf"#);
    check("m 1.79E9\n", r#"{__name__="m"} 1790000000"#);
    check("m{a=\"é世\"} NaN\n", r#"{__name__="m", a="é世"} NaN"#);
    check("{\"my.metric\",\"b.c\"=\"d\"} 2\n", r#"{__name__="my.metric", "b.c"="d"} 2"#);
    check("{q=\"1\",\"my.metric\"} 2\n", r#"{__name__="my.metric", q="1"} 2"#);
    check("m{a=\"\"} 2\n", r#"{__name__="m"} 2"#);
}

#[test]
fn text_errors_have_their_place() {
    for (page, expected) in [
        ("a\n", "1:2: expected space or \"{\" after metric, got end of line"),
        ("a b\n", "1:3: invalid value \"b\""),
        ("up 1\na 1 2 3\n", "2:7: expected end of line, got \"3\""),
        ("a 1 2.5\n", "1:5: invalid timestamp \"2.5\""),
        ("a{b='c'} 1\n", "1:5: expected label value in double quotes"),
        ("a{b=\"c\"1=\"e\"} 1\n", "1:8: expected label name, got \"1\""),
        ("{\"a\"b=\"c\"} 1\n", "1:5: expected \",\" or \"}\" after label, got \"b\""),
        ("a 1 -5\n", "1:5: invalid timestamp \"-5\""),
        ("a{b=\"c} 1\n", "1:5: quoted string has no end"),
        ("a{é=\"c\"} 1\n", "1:3: expected label name, got \"é\""),
        ("a{b=\"c\",b=\"d\"} 1\n", "1:9: label name \"b\" is not unique"),
        ("a{c=\"1\",b=\"2\",c=\"d\"} 1\n", "1:15: label name \"c\" is not unique"),
        ("a.b 1\n", "1:2: expected space or \"{\" after metric, got \".\""),
        ("{a=\"b\"} 1\n", "1:1: metric name is missing"),
        ("m{\"a\"} 1\n", "1:3: metric name is already set"),
        ("m{__name__=\"a\"} 1\n", "1:3: label name \"__name__\" is reserved"),
        ("m 0x1p-3\n", "1:3: invalid value"),
        ("m 1_2\n", "1:3: invalid value"),
        ("m 1e309\n", "1:3: invalid value"),
        ("m -NaN\n", "1:3: invalid value"),
        ("m 1\r\n", "1:3: invalid value \"1\\r\" (hint: lines end in a line feed alone)"),
        ("# TYPE m meh\n", "1:10: invalid metric type \"meh\""),
        ("<html>\n", "1:1: expected metric name, got \"<\""),
    ] {
        refused(page, Format::Text, Mode::Prometheus, expected);
    }
}

#[test]
fn invalid_utf8_is_an_error_behind_the_lines_before_it() {
    let page = b"up 1\nm{a=\"\xff\"} 2\n";
    let mut parser = Parser::new(page, Format::Text, Mode::Prometheus);
    assert!(matches!(parser.next(), Some(Ok(Entry::Sample(_)))));
    let error = parser.next().unwrap().unwrap_err();
    assert_eq!((error.to_string().as_str(), error.offset), ("2:6: invalid UTF-8", 10));
    assert!(parser.next().is_none());
}

#[test]
fn metadata_is_read_and_other_comments_are_kept() {
    let page = "# HELP a b\\\\c\\n \n#\tTYPE a  counter\n# HELP\n#comment\n# TYPE \"my.metric\" untyped\n";
    let entries = parse(page.as_bytes(), Format::Text, Mode::Prometheus).unwrap();
    assert!(matches!(&entries[0], Entry::Help { metric, text } if metric == "a" && text == "b\\c\n "));
    assert!(matches!(&entries[1], Entry::Type { metric, kind: MetricType::Counter } if metric == "a"));
    assert!(matches!(entries[2], Entry::Comment(" HELP")));
    assert!(matches!(entries[3], Entry::Comment("comment")));
    assert!(
        matches!(&entries[4], Entry::Type { metric, kind: MetricType::Unknown } if metric == "my.metric")
    );
}

#[test]
fn openmetrics_samples_have_seconds_and_exemplars() {
    let page = "# TYPE a counter\n# HELP a x\na_total{b=\"c\"} 3 1.5 # {trace_id=\"t\"} 0.5 1.25\n# EOF\n";
    let read = samples(page, Format::OpenMetrics, Mode::Strict);
    assert_eq!(read[0].t_ms, Some(1500));
    assert_eq!(read[0].series(), b"a_total{b=\"c\"}");
    let exemplar = read[0].exemplar.unwrap();
    assert_eq!((exemplar.value, exemplar.t_ms), (0.5, Some(1250)));
    assert_eq!(exemplar.labels().to_string(), r#"{trace_id="t"}"#);
}

#[test]
fn prometheus_mode_reads_what_the_specification_refuses() {
    let split = "# TYPE a gauge\na 1\nb 2\n# TYPE a gauge\na{x=\"1\"} 3\n";
    assert_eq!(samples(split, Format::Text, Mode::Prometheus).len(), 3);
    refused(split, Format::Text, Mode::Strict, "4:1: metric \"a\" appears in two places");
    let openmetrics = "# TYPE a counter\na 1\n# EOF\n";
    assert_eq!(samples(openmetrics, Format::OpenMetrics, Mode::Prometheus).len(), 1);
    let raw_line_feed = "a{b=\"c\nd\"} 1\n";
    assert_eq!(samples(raw_line_feed, Format::Text, Mode::Prometheus)[0].labels().get("b"), "c\nd");
    refused(raw_line_feed, Format::Text, Mode::Strict, "1:5: quoted string has no end on its line");
    let no_comma = "a{b=\"c\"d=\"e\"} 1\n";
    refused(no_comma, Format::Text, Mode::Strict, "1:8: expected \",\" or \"}\" after label, got \"d\"");
    assert_eq!(samples("a 1 -5\n", Format::Text, Mode::Strict)[0].t_ms, Some(-5));
    let on_gauge = "# TYPE g gauge\ng{b=\"c\",} 1 # {a=\"b\"} 1\n# EOF\n";
    assert!(samples(on_gauge, Format::OpenMetrics, Mode::Prometheus)[0].exemplar.is_some());
    refused(on_gauge, Format::OpenMetrics, Mode::Strict, "2:9: expected label after comma");
    refused("a 1", Format::Text, Mode::Strict, "1:4: expected end of line, got end of input");
    refused("a{b=\"\\x\"} 1\n", Format::Text, Mode::Strict, "1:6: invalid escape sequence");
    refused("a 1\na 1\n", Format::Text, Mode::Strict, "2:1: second sample of series");
    refused("a 1\nb 1\na 1\n", Format::Text, Mode::Strict, "3:1: second sample of series");
}

#[test]
fn bounds_and_quantiles_are_written_in_one_way_for_prometheus() {
    let page = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"0.50\"} 1\nh_bucket{le=\"+Inf\"} 1\n";
    let bounds: Vec<_> = samples(page, Format::Text, Mode::Prometheus)
        .iter()
        .map(|s| s.labels().get("le").to_owned())
        .collect();
    assert_eq!(bounds, ["1.0", "0.5", "+Inf"]);
    assert_eq!(samples("g{le=\"1\"} 1\n", Format::Text, Mode::Prometheus)[0].labels().get("le"), "1");
}

#[test]
fn openmetrics_corpus_is_told_apart_in_strict_mode() {
    let Some(corpus) = conformance("openmetrics") else { return };
    let mut cases = 0;
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let dir = entry.unwrap().path();
        let Ok(page) = std::fs::read(dir.join("metrics")) else { continue };
        let description = std::fs::read_to_string(dir.join("test.json")).unwrap();
        let valid = description.replace(' ', "").contains("\"shouldParse\":true");
        let read = parse(&page, Format::OpenMetrics, Mode::Strict);
        match &read {
            Ok(_) => assert!(valid, "{} was not refused", dir.display()),
            Err(e) => assert!(!valid && e.line > 0 && e.column > 0, "{}: {e}", dir.display()),
        }
        cases += 1;
    }
    assert_eq!(cases, 104);
}

/// The one page of the collection that the specification refuses: it has a sum beside negative buckets.
const REFUSED_IN_STRICT_MODE: &str = "alltypes.5mfs.om.txt";

#[test]
fn exposition_pages_of_prometheus_parse_in_both_modes() {
    let Some(dir) = conformance("exposition") else { return };
    for (page, format) in [
        ("alltypes.237mfs.prom.txt", Format::Text),
        ("alltypes.237mfs.nometa.prom.txt", Format::Text),
        ("alltypes.5mfs.om.txt", Format::OpenMetrics),
        ("1histogram.om.txt", Format::OpenMetrics),
    ] {
        let body = std::fs::read_to_string(dir.join(page)).unwrap();
        let lines = body.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()).count();
        assert_eq!(samples(&body, format, Mode::Prometheus).len(), lines, "{page}");
        let strict = parse(body.as_bytes(), format, Mode::Strict);
        assert_eq!(strict.is_err(), page == REFUSED_IN_STRICT_MODE, "{page}: {strict:?}");
    }
}

#[test]
fn broker_pages_lose_no_sample_in_prometheus_mode() {
    let Some(dir) = conformance("exposition/pulsar") else { return };
    let mut pages = 0;
    for folder in [dir.clone(), dir.join("three")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with(".txt") {
                continue;
            }
            let body = std::fs::read_to_string(&path).unwrap();
            let format = if name.ends_with(".otel.txt") { Format::OpenMetrics } else { Format::Text };
            let lines = body.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()).count();
            assert_eq!(samples(&body, format, Mode::Prometheus).len(), lines, "{name}");
            pages += 1;
        }
    }
    assert!(pages >= 28, "{pages} pages");
}

/// Line fragments that meet each other in ways that no page has.
fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "# HELP ",
        "# TYPE ",
        "# UNIT ",
        "# EOF",
        "a",
        "a_total",
        "_bucket",
        "{",
        "}",
        "\"",
        "\\",
        "\\n",
        "=",
        ",",
        " ",
        "\t",
        "\n",
        "1",
        "+Inf",
        "NaN",
        " # ",
        "le",
        "histogram",
        "counter",
        "é",
        "世",
        "-1.5e3",
    ]);
    prop::collection::vec(fragment, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_bytes_end_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        check_any(&body);
    }

    #[test]
    fn any_fragments_end_without_a_panic(page in fragments(), cut in any::<prop::sample::Index>()) {
        check_any(page.as_bytes());
        if !page.is_empty() {
            check_any(&page.as_bytes()[..cut.index(page.len())]);
        }
    }
}

fn check_any(body: &[u8]) {
    for format in [Format::Text, Format::OpenMetrics] {
        for mode in [Mode::Prometheus, Mode::Strict] {
            let mut count = 0;
            for entry in Parser::new(body, format, mode) {
                count += 1;
                match entry {
                    Ok(Entry::Sample(sample)) => assert!(!sample.metric_name().is_empty()),
                    Ok(_) => {}
                    Err(error) => assert!(error.offset <= body.len() && error.line > 0),
                }
            }
            assert!(count <= body.len() + 1);
        }
    }
}

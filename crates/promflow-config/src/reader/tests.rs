use super::*;

fn source_text(text: &str, key: &'static str) -> SourceText {
    let reader = Reader::new("f.yml", text);
    let root = reader.root();
    let mut fields = reader.fields(&root, "t");
    let found = fields.source_text(key).expect("no such text");
    assert!(!reader.has_errors());
    found
}

#[test]
fn positions_inside_texts_follow_every_style() {
    for (text, word, line, column) in [
        ("a: one two\n", "two", 1, 8),
        ("a: \"one \\\"two\\\" end\"\n", "end", 1, 17),
        ("a: 'it''s two'\n", "two", 1, 11),
        ("a: |\n  one\n    two\n\n  three\n", "two", 3, 5),
        ("a: |\n  one\n    two\n\n  three\n", "three", 5, 3),
        ("a: >-\n  one\n  two\n  three four\n", "four", 4, 9),
        ("a: one\n  two\n  three\n", "three", 3, 3),
        ("b: 1\na: |2-\n    one\n  two\n", "two", 4, 3),
        ("b: &x |\n  one\n  two\na: *x\n", "two", 3, 3),
    ] {
        let source = source_text(text, "a");
        let at = source.position_at(source.text.find(word).expect("no such word"));
        assert_eq!((at.line, at.column), (line, column), "{text:?}: {source:?}");
    }
}

#[test]
fn values_of_another_type_are_named_as_go_names_them() {
    for (text, expected) in [
        ("v: [1]\n", "f.yml:1:4: cannot unmarshal !!seq into bool"),
        ("v: 'true'\n", "f.yml:1:4: cannot unmarshal !!str `true` into bool"),
        ("v: 12\n", "f.yml:1:4: cannot unmarshal !!int `12` into bool"),
        ("v: a rather long text\n", "f.yml:1:4: cannot unmarshal !!str `a rathe...` into bool"),
    ] {
        let reader = Reader::new("f.yml", text);
        let root = reader.root();
        reader.fields(&root, "t").bool("v");
        let errors = reader.finish(()).expect_err(text);
        assert_eq!(errors[0].to_string().lines().next(), Some(expected));
    }
}

#[test]
fn numbers_are_read_in_the_spellings_of_yaml() {
    for (text, expected) in [
        ("12", Some(12)),
        ("0x1F", Some(31)),
        ("0o17", Some(15)),
        ("-3", Some(-3)),
        ("1_000", Some(1000)),
        ("1e3", Some(1000)),
        ("5.0", Some(5)),
        ("1.5", None),
        ("x", None),
    ] {
        assert_eq!(parse_integer(text), expected, "{text}");
    }
    let reader = Reader::new("f", "a: .nan\nb: -.inf\nc: 1.5\nd: +Inf\n");
    let root = reader.root();
    let mut fields = reader.fields(&root, "t");
    assert!(fields.f64("a").is_some_and(f64::is_nan));
    assert_eq!(fields.f64("b"), Some(f64::NEG_INFINITY));
    assert_eq!(fields.f64("c"), Some(1.5));
    assert_eq!(fields.f64("d"), Some(f64::INFINITY));
}

#[test]
fn errors_show_the_line_and_a_hint_and_no_secret() {
    let text = "known: 1\nknwon: 2\npassword: [hunter2]\n";
    let reader = Reader::new("f.yml", text);
    let root = reader.root();
    let mut fields = reader.fields(&root, "config.plain");
    fields.u64("known");
    fields.secret("password");
    fields.finish();
    let errors = reader.finish(()).expect_err("errors are there");
    let shown: Vec<String> = errors.iter().map(ConfigError::to_string).collect();
    assert_eq!(
        shown.join("\n"),
        "f.yml:2:1: field knwon not found in type config.plain\n2 | knwon: 2\n  | ^\nhint: did you mean \"known\"?\n\
         f.yml:3:11: cannot unmarshal !!seq into string\n3 | password: <secret>\n  |           ^"
    );
}

#[test]
fn a_file_reports_a_bounded_number_of_errors() {
    let text: String = (0..1000).map(|i| format!("unknown{i}: 1\n")).collect();
    let reader = Reader::new("f", &text);
    let root = reader.root();
    reader.fields(&root, "t").finish();
    assert_eq!(reader.finish(()).expect_err("errors are there").len(), ERRORS_MAX);
}

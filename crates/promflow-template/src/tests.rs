use promflow_model::Labels;
use proptest::prelude::*;

use crate::{AlertData, Env, ErrorKind, OUTPUT_BYTES_MAX, QuerySample, Template};

fn sample(pairs: &[(&str, &str)], value: f64) -> QuerySample {
    QuerySample { labels: Labels::from_pairs(pairs.iter().copied()), value }
}

fn answer(query: &str) -> Result<Vec<QuerySample>, String> {
    match query {
        "missing" => Ok(vec![]),
        "bad" => Err("no such metric".to_owned()),
        _ => Ok(vec![
            sample(&[("__name__", "metric"), ("__value__", "v"), ("instance", "b")], 21.0),
            sample(&[("__name__", "metric"), ("instance", "a")], 11.0),
        ]),
    }
}

fn expand_with(text: &str, value: f64) -> Result<String, crate::Error> {
    let labels = Labels::from_pairs([("instance", "foo.example.com:9090"), ("job", "api")]);
    let external_labels = Labels::from_pairs([("region", "eu")]);
    let external_url = "http://testhost:9090/path/prefix";
    let data = AlertData { labels: &labels, external_labels: &external_labels, external_url, value };
    Template::parse("test", text)?.expand(&data, &Env { now_ms: 1_435_065_584_128, query: &answer })
}

fn check(table: &[(&str, &str)]) {
    for (text, output) in table {
        match expand_with(text, 1_546_544.0) {
            Ok(found) => assert_eq!(found, *output, "{text:?}"),
            Err(error) => panic!("{text:?}: {error}"),
        }
    }
}

#[test]
fn alerts_read_their_labels_and_value() {
    check(&[
        ("plain text", "plain text"),
        ("{{ $labels.instance }} of {{ $labels.job }}", "foo.example.com:9090 of api"),
        ("{{ .Labels.instance }} in {{ $externalLabels.region }}", "foo.example.com:9090 in eu"),
        ("[{{ $labels.nope }}]", "[]"),
        ("{{ $value }} {{ .Value }} {{ $.Value }}", "1.546544e+06 1.546544e+06 1.546544e+06"),
        ("{{ $value | humanize }}", "1.547M"),
        ("{{ $externalURL }}", "http://testhost:9090/path/prefix"),
        ("{{ printf \"%.2f\" $value }}", "1546544.00"),
        ("{{ $labels }}", "map[instance:foo.example.com:9090 job:api]"),
        ("{{ if gt $value 1000.0 }}high{{ else }}low{{ end }}", "high"),
    ]);
}

#[test]
fn go_text_template_works() {
    check(&[
        ("{{ 1 }}{{ -3 }}{{ 1.5 }}{{ 0x1F }}{{ 017 }}{{ 'a' }}{{ 1_000 }}{{ 1e3 }}", "1-31.531159710001000"),
        ("{{ \"a\\tb\\x41\\u00e9\" }}{{ `raw\\n` }}{{ true }}", "a\tbAéraw\\ntrue"),
        ("a {{- /* comment */ -}} b", "ab"),
        ("x \n {{- 1 -}} \n y {{ 2 }}", "x1y 2"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ if false }}a{{ else if eq 1 2 }}b{{ else }}c{{ end }}", "c"),
        ("{{ with \"\" }}a{{ else with $labels.job }}{{ . }}{{ end }}", "api"),
        (
            "{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}",
            "instance=foo.example.com:9090;job=api;",
        ),
        (
            "{{ range $x := 4 }}{{ if eq $x 1 }}{{ continue }}{{ end }}{{ if eq $x 3 }}{{ break }}{{ end }}{{ $x }}{{ end }}",
            "02",
        ),
        ("{{ range query \"missing\" }}x{{ else }}none{{ end }}", "none"),
        ("{{define \"x\"}}{{.arg0}} {{.arg1}}{{end}}{{template \"x\" (args 1 \"2\")}}", "1 2"),
        ("{{ block \"b\" $labels.job }}<{{ . }}>{{ end }}", "<api>"),
        ("{{ and 1 0 2 }} {{ or 0 \"\" \"x\" }} {{ not 0 }}", "0 x true"),
        (
            "{{ eq 1 2 1 }} {{ ne \"a\" \"b\" }} {{ lt 1 2 }} {{ ge 2.5 2.5 }} {{ le \"a\" \"b\" }}",
            "true true true true true",
        ),
        (
            "{{ len \"abc\" }} {{ index $labels \"job\" }} {{ slice \"hello\" 1 3 }} {{ index \"abc\" 1 }}",
            "3 api el 98",
        ),
        ("{{ print 1 2 \"a\" 3 }}|{{ println \"x\" 1 }}", "1 2a3|x 1\n"),
        (
            "{{ html \"<a&'>\" }} {{ js \"a'b<\" }} {{ urlquery \"a b\" 1 }}",
            "&lt;a&amp;&#39;&gt; a\\'b\\u003C a+b1",
        ),
        ("{{ .Labels.job | printf \"%s-%d\" \"x\" }}", "x-%!d(string=api)"),
        ("{{ (args 1).nope }}", "<no value>"),
    ]);
}

#[test]
fn printf_lays_out_as_go_does() {
    check(&[
        (
            "{{ printf \"%5.1f%%|%-6s|%06.2f|%+d|%x\" 99.55 \"ab\" 3.14159 5 255 }}",
            " 99.5%|ab    |003.14|+5|ff",
        ),
        (
            "{{ printf \"%g %G %e %.3e %.4g\" 100000.0 1e20 1.5 12345.678 0.0001234 }}",
            "100000 1E+20 1.500000e+00 1.235e+04 0.0001234",
        ),
        ("{{ printf \"%q %v %t %c %U\" \"a\\\"b\" \"x\" true 65 128512 }}", "\"a\\\"b\" x true A U+1F600"),
        ("{{ printf \"%d %s\" 1 }}", "1 %!s(MISSING)"),
        ("{{ printf \"%d\" 1 2 \"a\" }}", "1%!(EXTRA int=2, string=a)"),
        ("{{ printf \"%d\" 1.5 }}", "%!d(float64=1.5)"),
        ("{{ printf \"%[2]v %[1]v\" 1 2 }}", "2 1"),
        ("{{ printf \"%*d|%.2s|%T\" 5 42 \"héllo\" 1.5 }}", "   42|hé|float64"),
        ("{{ printf \"100%\" }}", "100%!(NOVERB)"),
        ("{{ printf \"%x|% x|%#x\" \"hi\" \"hi\" 255 }}", "6869|68 69|0xff"),
        ("{{ printf \"%.0f %.0f %.1f\" 2.5 3.5 0.25 }}", "2 4 0.2"),
    ]);
}

#[test]
fn queries_feed_templates() {
    check(&[
        ("{{ query \"metric\" | first | value }}", "21"),
        ("{{ query \"metric\" | first | label \"instance\" }}", "b"),
        ("{{ query \"metric\" | first | strvalue }}", "v"),
        ("{{ query \"metric\" | first | label \"foo\" }}", ""),
        ("{{ $x := query \"metric\" | first }}{{ $x.Labels.instance }}{{ $x.Labels.foo }}", "b"),
        (
            "{{ range query \"metric\" | sortByLabel \"instance\" }}{{.Labels.instance}}:{{.Value}}: {{end}}",
            "a:11: b:21: ",
        ),
        ("{{ len (query \"metric\") }}", "2"),
    ]);
}

#[test]
fn numbers_are_humanized_as_by_prometheus() {
    check(&[
        (
            "{{ humanize 0.0 }}:{{ humanize 1 }}:{{ humanize 1234567.0 }}:{{ humanize .12 }}",
            "0:1:1.235M:120m",
        ),
        (
            "{{ humanize \"1234567.0\" }}:{{ humanize -1 }}:{{ humanize 9223372036854775807 }}",
            "1.235M:-1:9.223E",
        ),
        (
            "{{ humanize1024 0.0 }}:{{ humanize1024 1048576.0 }}:{{ humanize1024 1234567 }}:{{ humanize1024 .12 }}",
            "0:1Mi:1.177Mi:0.12",
        ),
        (
            "{{ humanizeDuration 0 }}:{{ humanizeDuration 1 }}:{{ humanizeDuration 60 }}:{{ humanizeDuration 3600 }}",
            "0s:1s:1m 0s:1h 0m 0s",
        ),
        (
            "{{ humanizeDuration 90000 }}:{{ humanizeDuration -183845 }}:{{ humanizeDuration 899.99 }}",
            "1d 1h 0m 0s:-2d 3h 4m 5s:14m 59s",
        ),
        (
            "{{ humanizeDuration .1 }}:{{ humanizeDuration .0001 }}:{{ humanizeDuration .12345 }}:{{ humanizeDuration 1.2345 }}:{{ humanizeDuration \"12.345\" }}",
            "100ms:100us:123.5ms:1.234s:12.35s",
        ),
        (
            "{{ humanize \"+Inf\" }}:{{ humanizeDuration \"-Inf\" }}:{{ humanizeTimestamp \"NaN\" }}",
            "+Inf:-Inf:NaN",
        ),
        (
            "{{ -0.22222 | humanizePercentage }}:{{ 0.1234567 | humanizePercentage }}:{{ 1234567 | humanizePercentage }}",
            "-22.22%:12.35%:1.235e+08%",
        ),
        ("{{ 1435065584.128 | humanizeTimestamp }}", "2015-06-23 13:19:44.128 +0000 UTC"),
        (
            "{{ humanizeTimestamp -1 }}:{{ humanizeTimestamp 9223372036 }}",
            "1969-12-31 23:59:59 +0000 UTC:2262-04-11 23:47:16 +0000 UTC",
        ),
    ]);
}

#[test]
fn times_and_durations_format_as_in_go() {
    check(&[
        ("{{ (1435065584.128 | toTime).Format \"2006\" }}", "2015"),
        (
            "{{ (now | toTime).Format \"2006-01-02T15:04:05.000Z07:00 Mon Jan _2 3:04PM 002 MST\" }}",
            "2015-06-23T13:19:44.128Z Tue Jun 23 1:19PM 174 UTC",
        ),
        (
            "{{ (toTime 951782400).Format \"Monday, 02-Jan-06\" }} {{ (toTime 951782400).YearDay }}",
            "Tuesday, 29-Feb-00 60",
        ),
        ("{{ (toTime 86400).Unix }} {{ toTime 1.5 }}", "86400 1970-01-01 00:00:01.5 +0000 UTC"),
        (
            "{{ toDuration 3661.5 }} {{ toDuration 0.0015 }} {{ (toDuration 90).Minutes }}",
            "1h1m1.5s 1.5ms 1.5",
        ),
        ("{{ printf \"%0.2f\" (parseDuration \"1h2m10ms\") }}", "3720.01"),
    ]);
}

#[test]
fn texts_and_addresses_are_edited_as_by_prometheus() {
    check(&[
        (
            "{{ \"aa bb CC don't\" | title }} {{ \"aB\" | toUpper }} {{ \"aB\" | toLower }}",
            "Aa Bb CC Don't AB ab",
        ),
        ("{{ match \"a+\" \"aa\" }} {{ match \"a+\" \"b\" }}", "true false"),
        ("{{ reReplaceAll \"(a)b\" \"x$1\" \"ab\" }}", "xa"),
        ("{{ reReplaceAll \"(.*):\\\\d+\" \"$1\" $labels.instance }}", "foo.example.com"),
        (
            "{{ graphLink \"up == 0\" }} {{ tableLink \"up\" }}",
            "/graph?g0.expr=up+%3D%3D+0&g0.tab=0 /graph?g0.expr=up&g0.tab=1",
        ),
        ("{{ pathPrefix }} {{ externalURL }}", "/path/prefix http://testhost:9090/path/prefix"),
        ("{{ urlQueryEscape \"a b&c\" }} {{ \"<b>\" | safeHtml }}", "a+b%26c <b>"),
        (
            "{{ \"foo.example.com:12345\" | stripPort }} {{ \"192.0.2.1\" | stripPort }}",
            "foo.example.com 192.0.2.1",
        ),
        (
            "{{ \"[2001:0DB8::1]:12345\" | stripPort }} {{ \"2001:0DB8::1\" | stripPort }}",
            "2001:0DB8::1 2001:0DB8::1",
        ),
        ("{{ \"[2001:0DB8::1]::12345\" | stripPort }}", "[2001:0DB8::1]::12345"),
        (
            "{{ \"foo.example.com\" | stripDomain }} {{ \"foo.example.com:12345\" | stripDomain }}",
            "foo foo:12345",
        ),
        (
            "{{ \"192.0.2.1:12345\" | stripDomain }} {{ \"[2001:0DB8::1]:12345\" | stripDomain }}",
            "192.0.2.1:12345 [2001:0DB8::1]:12345",
        ),
        ("{{ \"[2001:0DB8::1]::12345\" | stripDomain }}", "[2001:0DB8::1]::12345"),
    ]);
}

/// Columns count in the text with the 112 bytes of definitions in front of it, as in Prometheus.
#[test]
fn failures_have_prometheus_text() {
    let table = [
        ("{{", "error parsing template test: template: test:1: unclosed action"),
        (
            "{{\u{a0}}}",
            "error parsing template test: template: test:1: unrecognized character in action: U+00A0",
        ),
        ("{{ nosuch 1 }}", "error parsing template test: template: test:1: function \"nosuch\" not defined"),
        ("\n{{ $nope }}", "error parsing template test: template: test:2: undefined variable \"$nope\""),
        ("{{ if 1 }}", "error parsing template test: template: test:1: unexpected EOF"),
        ("{{ end }}", "error parsing template test: template: test:1: unexpected {{end}}"),
        (
            "{{ 1 | 2 }}",
            "error parsing template test: template: test:1: non executable command in pipeline stage 2",
        ),
        ("{{ break }}", "error parsing template test: template: test:1: {{break}} outside {{range}}"),
        ("{{ (1 }}", "error parsing template test: template: test:1: unclosed left paren"),
        ("{{ \"abc }}", "error parsing template test: template: test:1: unterminated quoted string"),
        (
            "{{ query \"missing\" | first }}",
            "error executing template test: template: test:1:133: executing \"test\" at <first>: \
             error calling first: first() called on vector with no elements",
        ),
        (
            "{{ (query \"missing\").banana }}",
            "error executing template test: template: test:1:122: executing \"test\" at <\"missing\">: \
             can't evaluate field banana in type template.queryResult",
        ),
        (
            "{{ humanize \"one\" }}",
            "error executing template test: template: test:1:115: executing \"test\" at <humanize \"one\">: \
             error calling humanize: strconv.ParseFloat: parsing \"one\": invalid syntax",
        ),
        (
            "{{ humanizeTimestamp 9223372036854775807 }}",
            "error executing template test: template: test:1:115: executing \"test\" at \
             <humanizeTimestamp 9223372036854775807>: error calling humanizeTimestamp: 9.223372036854776e+18 \
             cannot be represented as a nanoseconds timestamp since it overflows int64",
        ),
        (
            "{{ query \"bad\" }}",
            "error executing template test: template: test:1:115: executing \"test\" at <query \"bad\">: \
             error calling query: no such metric",
        ),
        (
            "\n {{ .Foo }}",
            "error executing template test: template: test:2:4: executing \"test\" at <.Foo>: can't evaluate field \
             Foo in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; \
             Value interface {} }",
        ),
        (
            "{{ eq 1 \"a\" }}",
            "error executing template test: template: test:1:115: executing \"test\" at <eq 1 \"a\">: \
             error calling eq: incompatible types for comparison: int and string",
        ),
        (
            "{{ reReplaceAll \"(\" \"\" \"a\" }}",
            "error executing template test: template: test:1:115: executing \"test\" at <reReplaceAll \"(\" \"\" \"a\">: \
             error calling reReplaceAll: regexp: Compile(`(`): error parsing regexp: missing closing ): `(`",
        ),
        (
            "{{ toUpper 1 }}",
            "error executing template test: template: test:1:123: executing \"test\" at <1>: expected string; found 1",
        ),
        (
            "{{ (now | toTime).Weekday }}",
            "error executing template test: template: test:1:122: executing \"test\" at <toTime>: \
             not supported yet: time.Time.Weekday",
        ),
    ];
    for (text, message) in table {
        match expand_with(text, 1.0) {
            Ok(output) => panic!("{text:?} gave {output:?}"),
            Err(error) => assert_eq!(error.to_string(), message, "{text:?}"),
        }
    }
}

#[test]
fn errors_point_into_the_text_as_written() {
    let span = |text: &str| {
        let error = expand_with(text, 1.0).unwrap_err();
        text[error.span()].to_owned()
    };
    assert_eq!(span("ab {{ nosuch 1 }}"), "nosuch");
    assert_eq!(span("ab {{ humanize \"one\" }}"), "humanize \"one\"");
    assert_eq!(span("{{ $labels.job.x }}"), "$labels.job.x");
    let error = Template::parse("a", "x {{").unwrap_err();
    assert_eq!((error.kind(), error.detail()), (ErrorKind::Parse, "template: a:1: unclosed action"));
}

#[test]
fn expansions_are_bounded() {
    let kind = |text: &str| expand_with(text, 1.0).unwrap_err().kind();
    assert_eq!(kind("{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}"), ErrorKind::Limit);
    assert_eq!(
        kind(
            "{{ define \"x\" }}{{ if true }}{{ template \"x\" (printf \"%v\" (print 1)) }}{{ end }}{{ end }}{{ template \"x\" }}"
        ),
        ErrorKind::Limit
    );
    assert_eq!(kind("{{ range 9223372036854775807 }}{{ end }}"), ErrorKind::Limit);
    assert_eq!(kind("{{ range 2000000 }}0123456789abcdef{{ end }}"), ErrorKind::Limit);
    assert_eq!(
        kind("{{ range 100 }}{{ range 100 }}{{ printf \"%999999d\" 1 }}{{ end }}{{ end }}"),
        ErrorKind::Limit
    );
    let doubling = "{{ $x := \"0123456789\" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}";
    assert!(expand_with(doubling, 1.0).unwrap_err().detail().contains("longer than"));
    let nested = "{{ $x := args }}{{ range 100 }}{{ $x = args $x $x }}{{ end }}";
    assert!(expand_with(nested, 1.0).unwrap_err().detail().contains("nested deeper"));
    let wide = "{{ $x := args }}{{ range 40 }}{{ $x = args $x $x }}{{ end }}{{ $x }}";
    assert!(expand_with(wide, 1.0).is_err());
    assert!(Template::parse("x", &format!("{{{{ {}1{} }}}}", "(".repeat(90), ")".repeat(90))).is_ok());
    assert!(Template::parse("x", &format!("{{{{ {}1", "(".repeat(100_000))).is_err());
    assert!(Template::parse("x", &"{{ if 1 }}".repeat(50_000)).is_err());
    assert!(Template::parse("x", &" ".repeat(OUTPUT_BYTES_MAX + 1)).is_err());
    let chain = format!("{{{{ if 0 }}}}{}{{{{ end }}}}", "{{ else if 0 }}".repeat(10_000));
    assert_eq!(expand_with(&chain, 1.0).as_deref(), Ok(""));
}

#[test]
fn deepest_allowed_parentheses_evaluate() {
    let text = format!("{{{{ {}print 1{} }}}}", "print (".repeat(90), ")".repeat(90));
    assert_eq!(expand_with(&text, 1.0).as_deref(), Ok("1"));
}

#[test]
fn label_refs_lists_the_labels_a_template_names() {
    let text = "{{ $labels.job }} {{ if .Labels.a }}{{ index $labels \"b\" }}{{ end }}{{ $.Labels.c | title }} \
                {{ printf \"%s\" (index .Labels \"d\") }} {{ range query \"x\" }}{{ .Value }}{{ end }} {{ $externalLabels.e }}";
    let refs = Template::parse("x", text).unwrap().label_refs();
    assert_eq!(refs, ["a", "b", "c", "d", "job"]);
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}") {
        let _ = expand_with(&text, 1.5);
    }

    #[test]
    fn pieces_of_templates_never_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "{{", "}}", "{{-", "-}}", " ", "if", "else", "end", "range", "with", "define", "template", "block",
                "break", "continue", "nil", "true", "1", "-1.5", "0x", "'a'", "'", "\"a\"", "`b`", "\"", "(", ")",
                "|", ",", ":=", "=", "$x", "$labels", ".Labels", ".", ".job", "$", "printf", "\"%5.2f%[1]d\"",
                "index", "slice", "args", "query", "first", "value", "humanize", "toTime", "eq", "and", "/*", "*/",
                "{{ end }}", "{{ if . }}", "{{ range . }}", "é", "\n", "match", "reReplaceAll", "$value",
            ]),
            0..30,
        ),
    ) {
        if let Err(error) = expand_with(&pieces.concat(), 1.5) {
            prop_assert!(pieces.concat().get(error.span()).is_some(), "{:?}", error);
        }
        let spaced = format!("{{{{ {} }}}}", pieces.join(" "));
        let _ = expand_with(&spaced, 1.5);
    }
}

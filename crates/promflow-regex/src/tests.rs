use proptest::prelude::*;

use crate::{ErrorKind, Regex};

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).unwrap_or_else(|e| panic!("{pattern:?}: {e}")).is_match(text)
}

fn error(pattern: &str) -> String {
    match Regex::new(pattern) {
        Ok(_) => format!("{pattern:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

/// Pattern, texts that match it, texts that do not; what the `regex` crate would answer otherwise is marked.
const DIALECT: &[(&str, &[&str], &[&str])] = &[
    // Differ from the regex crate.
    (r"\d", &["7"], &["\u{663}"]),
    (r"[^\d]", &["\u{663}", "a"], &["7"]),
    (r"\w", &["a", "_"], &["é"]),
    (r"\W", &["é", "-"], &["a"]),
    (r"\s", &[" ", "\t"], &["\u{a0}", "\x0b"]),
    (r"\Qa.b\E", &["a.b"], &["axb"]),
    (r"\Qa.b", &["a.b"], &["axb"]),
    ("[[]", &["["], &["]"]),
    ("[a&&b]", &["a", "b", "&"], &["c"]),
    ("[a~~b]", &["a", "~"], &["c"]),
    ("a{", &["a{"], &["a"]),
    ("a{,2}", &["a{,2}"], &["aa", ""]),
    ("{foo}", &["{foo}"], &["foo"]),
    (r"\<", &["<"], &[""]),
    (r"\123", &["S"], &["123"]),
    (r"\0", &["\0"], &["0"]),
    (r"[\08]", &["\0", "8"], &["0"]),
    // The same in both.
    (r"\pN", &["7", "\u{663}"], &["a"]),
    (r"\p{Greek}", &["α"], &["a"]),
    (r"\p{^Greek}", &["a"], &["α"]),
    (r"\P{Greek}", &["a"], &["α"]),
    (r"\p{Letter}", &["a", "α"], &["1"]),
    (r"\p{Thai}", &["ก"], &["a"]),
    (r"[[:alpha:]]", &["a"], &["1", ":"]),
    (r"[[:^alpha:][:blank:]]", &["1", " "], &["a"]),
    (r"[[:word:]]+", &["a_1"], &["a-1"]),
    (r"(?P<x>a)(?<y>b)", &["ab"], &["a"]),
    (r"\x{3b1}\x41", &["αA"], &["aA"]),
    (r"\Aab\z", &["ab"], &["ab\n"]),
    ("^ab$", &["ab"], &["ab\n"]),
    ("(?i)straSSe", &["STRASSE", "straſse"], &["straße"]),
    ("(?i)k", &["k", "K", "\u{212a}"], &["c"]),
    ("(?i)[^k]", &["c"], &["k", "K", "\u{212a}"]),
    ("a(?i)b|c", &["ab", "aB", "C"], &["Ab"]),
    ("a(?i:b)c", &["aBc"], &["abC"]),
    ("(?U)a+b", &["aab"], &["b"]),
    ("a.b", &["a\nb"], &["ab"]),
    ("(?-s)a.b", &["axb"], &["a\nb"]),
    ("(?m)a$\n^b", &["a\nb"], &["ab"]),
    (r"a\b.b", &["a-b"], &["axb"]),
    (r"é\B-", &["é-"], &["e-"]),
    ("[]a]", &["]", "a"], &["b"]),
    ("[^]a]", &["b"], &["]", "a"]),
    ("[a-]", &["a", "-"], &["b"]),
    ("[^a]", &["\n", "b"], &["a"]),
    ("x{2}{", &["xx{"], &["x"]),
    ("x{0}", &[""], &["x"]),
    ("a||b", &["a", "", "b"], &["c"]),
    (r"[\d-z]", &["1", "-", "z"], &["a"]),
    (r"\x{d800}", &[], &["\u{fffd}", ""]),
];

#[test]
fn patterns_are_read_in_gos_dialect() {
    for (pattern, good, bad) in DIALECT {
        for text in *good {
            assert!(matches(pattern, text), "{pattern:?} has to match {text:?}");
        }
        for text in *bad {
            assert!(!matches(pattern, text), "{pattern:?} must not match {text:?}");
        }
    }
}

#[test]
fn refused_patterns_have_gos_error_text() {
    let table = [
        ("(a", "missing closing ): `(a`"),
        ("a)", "unexpected ): `a)`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a+?{2}", "invalid nested repetition operator: `+?{2}`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|*?", "missing argument to repetition operator: `*?`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{3,2}", "invalid repeat count: `{3,2}`"),
        ("(a{100}){100}", "invalid repeat count: `{100}`"),
        ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
        ("[a", "missing closing ]: `[a`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[a--b]", "invalid character class range: `a--`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
        (r"\p{Alphabetic}", r"invalid character class range: `\p{Alphabetic}`"),
        (r"\p{Grek}", r"invalid character class range: `\p{Grek}`"),
        (r"\p{Greek", r"invalid character class range: `\p{Greek`"),
        (r"a\", "trailing backslash at end of expression: ``"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\Z", r"invalid escape sequence: `\Z`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?u)a", "invalid or unsupported Perl syntax: `(?u`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
        ("(?P<a-b>x)", "invalid named capture: `(?P<a-b>`"),
        ("(?<>x)", "invalid named capture: `(?<>`"),
        ("(?P<a", "invalid named capture: `(?P<a`"),
    ];
    for (pattern, text) in table {
        assert_eq!(error(pattern), format!("error parsing regexp: {text}"));
    }
    assert!(error(r"\b{start}x{start}").contains("accepted"));
}

#[test]
fn deep_nesting_is_an_error_and_the_deepest_allowed_compiles() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), "b?)".repeat(depth));
    assert!(matches(&nested(100), &format!("a{}", "b".repeat(100))));
    assert_eq!(Regex::new(&nested(100_000)).unwrap_err().kind(), ErrorKind::NestingDepth);
    let stars = format!("{}a{}", "(?:".repeat(399), ")*".repeat(399));
    assert!(matches(&stars, "aaa"));
}

#[test]
fn a_pattern_that_would_eat_memory_is_an_error() {
    for pattern in [r"((\pL{30}){30}){1,1}(\pL{900})", r"(?i)(.{0,1000}|\pL{1000}|\w{1000})(\PL{1000})"] {
        assert_eq!(Regex::new(pattern).unwrap_err().kind(), ErrorKind::TooLarge);
    }
    let many = "(?:||||||||||||||||||||||||||||||||){1000}".repeat(200);
    assert_eq!(Regex::new(&many).unwrap_err().kind(), ErrorKind::TooLarge);
}

fn sets(pattern: &str) -> Option<String> {
    Regex::new(pattern).unwrap().set_matches().map(|set| set.join(","))
}

#[test]
fn finite_patterns_tell_their_set() {
    let table = [
        ("foo", Some("foo")),
        ("", Some("")),
        ("a|b|c", Some("a,b,c")),
        ("foo|bar|foo", Some("foo,bar")),
        ("(foo|bar)baz", Some("foobaz,barbaz")),
        ("ab[cd]", Some("abc,abd")),
        ("^(?:200|40[0-3])$", Some("200,400,401,402,403")),
        ("xy?", Some("x,xy")),
        ("a{2,3}", Some("aa,aaa")),
        ("a|", Some("a,")),
        (r"a\.b", Some("a.b")),
        ("(?i)ab", Some("AB,Ab,aB,ab")),
        ("a.*", None),
        (r"\d\d\d", None),
        ("a.", None),
        (r"a\bb", None),
    ];
    for (pattern, set) in table {
        assert_eq!(sets(pattern).as_deref(), set, "{pattern:?}");
    }
    assert_eq!(Regex::unanchored("a|b").unwrap().set_matches(), None);
}

#[test]
fn long_lists_of_words_match_by_lookup_but_tell_no_set() {
    let words: Vec<String> = (0..5000).map(|i| format!("instance-{i}")).collect();
    let regex = Regex::new(&words.join("|")).unwrap();
    assert!(regex.is_match("instance-4999") && !regex.is_match("instance-5000"));
    assert_eq!(regex.set_matches(), None);
}

#[test]
fn prefixes_are_found() {
    let table =
        [("foo.*", "foo"), ("^foo.+bar", "foo"), ("(foo)(?:b)[0-9]+", "foob"), ("(?i)foo.*", ""), (".*", "")];
    for (pattern, prefix) in table {
        assert_eq!(Regex::new(pattern).unwrap().prefix(), prefix, "{pattern:?}");
    }
}

#[test]
fn globs_match_as_the_automaton_does() {
    let texts = ["", "foo", "xfoo", "foox", "xfoox", "foobar", "foo\nbar", "foofoo", "barfoo", "fo", "é"];
    let patterns = [
        ".*",
        ".+",
        ".*foo",
        ".+foo",
        "foo.*",
        "foo.+",
        ".*foo.*",
        ".+foo.+",
        "foo.*bar",
        ".*foo.*bar.*",
        "foo.+foo",
        "foo.*foo",
        "fo.*o",
        ".+.+",
        ".*.+",
        "(?-s).*",
        ".*?foo",
        "(.*)foo",
    ];
    for pattern in patterns {
        let regex = Regex::new(pattern).unwrap();
        for text in texts {
            assert_eq!(regex.is_match(text), regex.captures(text).is_some(), "{pattern:?} on {text:?}");
        }
    }
}

#[test]
fn matches_empty_tells_whether_a_missing_label_is_selected() {
    for (pattern, expected) in
        [("", true), (".*", true), ("a|", true), (".+", false), ("a?", true), ("a", false)]
    {
        assert_eq!(Regex::new(pattern).unwrap().matches_empty(), expected, "{pattern:?}");
    }
}

fn expand(pattern: &str, text: &str, template: &str) -> String {
    let regex = Regex::new(pattern).unwrap();
    let mut out = String::new();
    regex.expand(template, &regex.captures(text).unwrap(), &mut out);
    out
}

#[test]
fn templates_expand_as_gos_do() {
    let table = [
        ("$1", "a"),
        ("${1}b", "ab"),
        ("$1b", ""),
        ("$word-$2", "b-b"),
        ("${word}", "b"),
        ("$$1", "$1"),
        ("$", "$"),
        ("${1", "${1"),
        ("${}", "${}"),
        ("$-", "$-"),
        ("$01", ""),
        ("$9", ""),
        ("$0", "a-b"),
        ("x$éy", "x"),
    ];
    for (template, expected) in table {
        assert_eq!(expand(r"(\w)-(?P<word>\w)", "a-b", template), expected, "{template:?}");
    }
    assert_eq!(expand("(?P<x>a)|(?P<x>b)", "b", "<$x>"), "<b>");
}

#[test]
fn replace_all_replaces_as_go_does() {
    let replace = |pattern, text, template| Regex::unanchored(pattern).unwrap().replace_all(text, template);
    assert_eq!(replace("a(x*)b", "-ab-axxb-", "$1"), "--xx-");
    assert_eq!(replace("a(x*)b", "-ab-axxb-", "${1}W"), "-W-xxW-");
    assert_eq!(replace("", "abé", "-"), "-a-b-é-");
    assert_eq!(replace("a*", "baac", "X"), "XbXcX");
    assert_eq!(replace("^a", "aaa", "b"), "baa");
    assert_eq!(replace(".", "a\nb", "x"), "x\nx");
    let regex = Regex::unanchored(".").unwrap();
    assert_eq!(regex.replace_all_bounded(&"a".repeat(100), &"b".repeat(100), 9_999), None);
}

#[test]
fn unanchored_patterns_match_anywhere() {
    assert!(Regex::unanchored("b").unwrap().is_match("abc"));
    assert!(!Regex::new("b").unwrap().is_match("abc"));
    assert_ne!(Regex::unanchored("b").unwrap(), Regex::new("b").unwrap());
    assert_eq!(Regex::new("b").unwrap(), Regex::new("b").unwrap());
}

proptest! {
    #[test]
    fn arbitrary_patterns_never_panic(pattern in "\\PC{0,40}", text in "\\PC{0,20}") {
        if let Ok(regex) = Regex::new(&pattern) {
            prop_assert_eq!(regex.is_match(&text), regex.captures(&text).is_some());
        }
    }

    #[test]
    fn patterns_of_metacharacters_never_panic(
        pattern in r"([()\[\]{}|*+?^$.\\a-c0-9,:<>PpQEdwsxbBiUms&~-]|\\[pPQEdDwWsSbBxC]|\(\?|\[\[:){0,24}",
        text in "[a-c0-9\n-]{0,8}",
    ) {
        if let Ok(regex) = Regex::new(&pattern) {
            prop_assert_eq!(regex.is_match(&text), regex.captures(&text).is_some());
            prop_assert!(!regex.is_match(&text) || text.starts_with(regex.prefix()));
            let _ = regex.replace_all(&text, "$1-$0");
        }
    }

    #[test]
    fn literals_match_themselves_only(a in "[a-z.*()]{0,8}", b in "[a-z.*()]{0,8}") {
        let regex = Regex::new(&format!("\\Q{a}\\E")).unwrap();
        prop_assert_eq!(regex.is_match(&b), a == b);
    }
}

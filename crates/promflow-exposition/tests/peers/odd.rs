//! Pages at the edges of the formats: `prometheus` mode takes and refuses what stock Prometheus does.

use std::collections::BTreeMap;

use promflow_exposition::{Format, Mode};

use crate::pages;
use crate::stock::{Page, Scraped};

/// Text pages that both take (version 2.42 of Prometheus) in `prometheus` mode, and whether strict mode takes them too.
const TEXT_TAKEN: &[(&str, bool)] = &[
    ("a 1", false),
    ("a 1\n\n \n\t\n", true),
    ("a 1 \n", true),
    ("a 1 5 \n", true),
    ("a\t1\t2\n", true),
    ("a{b=\"c\"}1\n", true),
    ("a {b=\"c\"} 1\n", true),
    ("a{ b = \"c\" , d = \"e\" } 1\n", true),
    ("a{b=\"c\",} 1\n", true),
    ("a{} 1\n", true),
    ("a{b=\"\"} 1\n", true),
    ("# TYPE a gauge\na 1\nb 2\n# TYPE a gauge\na{x=\"1\"} 3\n", false),
    ("a 1\n# TYPE a gauge\n# HELP a Late.\n", false),
    ("# TYPE a gauge\n# TYPE a counter\n# HELP a A.\n# HELP a B.\na 1\n", false),
    ("a 1\na 1\n", false),
    ("a 1\na 2\n", false),
    ("a{b=\"c\nd\"} 1\n", false),
    ("a{b=\"\\x\"} 1\n", false),
    ("# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 5\n", true),
    ("# TYPE h histogram\nh_bucket 1\nh_sum 1\n", false),
    ("# TYPE s summary\ns{quantile=\"x\"} 1\n", false),
    ("# TYPE a counter\na -1\n", true),
    ("a +1\nb .5\nc 5.\nd 1e5\ne inf\nf +Inf\ng -Infinity\nh nan\ni 1E-3\n", true),
    ("# HELP a\na 1\n# HELP\n# TYPE\n#\n#x\n# EOF\n", true),
    ("# TYPE c counter\nc_total 1\nc_created 1.5\n", true),
    ("a{b=\"c\"d=\"e\" f=\"g\"} 1\n", false),
    ("a:b 1\n:c 2\n", true),
];

/// Text pages that both refuse in every mode.
const TEXT_REFUSED: &[&str] = &[
    "a\n",
    "a 1 2 3\n",
    "a 1 2.5\n",
    "a b\n",
    "a 0x1p-2\n",
    "a 1_000\n",
    "a 1e309\n",
    "a 1\r\n",
    "a{b='c'} 1\n",
    "a{b=\"c\",,d=\"e\"} 1\n",
    "a{,} 1\n",
    "a{b:c=\"d\"} 1\n",
    "a{1b=\"d\"} 1\n",
    "a{b=\"c} 1\n",
    "a{b=\"c\", b=\"d\"} 1\n",
    "{b=\"c\"} 1\n",
    "1a 1\n",
    "a.b 1\n",
    "\u{feff}a 1\n",
    "# TYPE a meh\na 1\n",
    "# TYPE a info\na 1\n",
    "a 1 # {b=\"c\"} 1\n",
    "<html>\n",
];

const OPENMETRICS_TAKEN: &[(&str, bool)] = &[
    ("# EOF\n", true),
    ("a 1\n# EOF", true),
    ("a{} 1\n# EOF\n", true),
    ("a 1 1.5\n# EOF\n", true),
    ("a 1 1.5e3\n# EOF\n", true),
    ("# TYPE a counter\na 1\n# EOF\n", false),
    ("# TYPE a counter\na_total -1\n# EOF\n", false),
    ("# TYPE a counter\na_total 1\na_created 1\n# EOF\n", true),
    ("a 1\n# TYPE a gauge\n# EOF\n", false),
    ("# TYPE a gauge\na 1\nb 2\n# TYPE a gauge\na{x=\"1\"} 3\n# EOF\n", false),
    ("a 1\na 1\n# EOF\n", false),
    ("# TYPE i info\ni_info 2\n# EOF\n", false),
    ("# TYPE s stateset\ns 3\n# EOF\n", false),
    ("# TYPE h histogram\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 5\n# EOF\n", false),
    ("a 1 -1.5\n# EOF\n", true),
    ("a{b=\"\\x\"} 1\n# EOF\n", true),
];

const OPENMETRICS_REFUSED: &[&str] = &[
    "",
    "a 1\n",
    "a 1\n# EOF\na 1\n",
    "a 1\n\n# EOF\n",
    "a  1\n# EOF\n",
    "a 1 \n# EOF\n",
    " a 1\n# EOF\n",
    "a 1 NaN\n# EOF\n",
    "# comment\na 1\n# EOF\n",
    "# TYPE a untyped\na 1\n# EOF\n",
    "# TYPE a_bytes gauge\n# UNIT a_bytes seconds\na_bytes 1\n# EOF\n",
    "a{b=\"c\nd\"} 1\n# EOF\n",
    "a{b=\"c\", d=\"e\"} 1\n# EOF\n",
    "a 1\r\n# EOF\n",
];

struct Case {
    page: Page,
    taken: bool,
    strict: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (format, taken, refused) in [
        (Format::Text, TEXT_TAKEN, TEXT_REFUSED),
        (Format::OpenMetrics, OPENMETRICS_TAKEN, OPENMETRICS_REFUSED),
    ] {
        let all = taken.iter().map(|(page, strict)| (*page, true, *strict));
        let all = all.chain(refused.iter().map(|page| (*page, false, false)));
        for (i, (page, taken, strict)) in all.enumerate() {
            cases.push(Case { page: Page::new(format!("{format:?}-{i}"), format, page), taken, strict });
        }
    }
    cases
}

#[test]
fn odd_pages_are_taken_or_refused_as_stock_prometheus_does() {
    let cases = cases();
    let pages: Vec<_> = cases.iter().map(|case| case.page.clone()).collect();
    let scraped = Scraped::start(&pages, cases.iter().filter(|case| case.taken).count(), &[]);
    let mut differences = BTreeMap::new();
    for case in &cases {
        let Page { name, format, body } = &case.page;
        let text = String::from_utf8_lossy(body).into_owned();
        let ours = pages::samples(body, *format, Mode::Prometheus);
        let strict = pages::samples(body, *format, Mode::Strict);
        let stock = scraped.is_up(name);
        if (ours.is_ok(), strict.is_ok(), stock) != (case.taken, case.strict, case.taken) {
            differences.insert(text, format!("stock {stock}, ours {ours:?}, strict {strict:?}"));
        } else if let Ok(samples) = ours {
            let (expected, found) = (scraped.expected(&case.page, samples), scraped.series(name));
            if expected != found {
                differences.insert(text, format!("expected {expected:?}, found {found:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

//! The application's own metrics: define one here, count where it happens, and it is on the page.

use std::sync::LazyLock;

use promflow::CounterFamily;

/// Exports that were written.
pub static EXPORTS: LazyLock<CounterFamily> =
    LazyLock::new(|| promflow::counter("exports_total", "Exports written, by format.", &["format"]));

/// Credits that were bought.
pub static TOPUPS: LazyLock<CounterFamily> = LazyLock::new(|| {
    promflow::counter("account_topups_total", "Times that credits were bought, by type.", &["type"])
});

/// Events that the full queue of their topic refused.
pub static EVENTS_DROPPED: LazyLock<CounterFamily> = LazyLock::new(|| {
    promflow::counter("events_dropped_total", "Events that found the queue of their topic full.", &["topic"])
});

/// Puts the metrics on the page, at zero, before the first of these things happens.
pub fn init() {
    EXPORTS.init(&[["csv"], ["json"]]);
    for kind in crate::accounts::CREDIT_KINDS {
        TOPUPS.with(&[kind.name]);
    }
    EVENTS_DROPPED.init(&[[crate::consumer::TOPIC]]);
}

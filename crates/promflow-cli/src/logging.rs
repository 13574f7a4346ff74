//! Logs, on standard error: standard output is for data.

use tracing::Level;
use tracing_subscriber::fmt;

use crate::args::LogLevel;

/// Starts logging at a level.
pub(crate) fn start(level: LogLevel) {
    let level = match level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warn => Level::WARN,
        LogLevel::Error => Level::ERROR,
    };
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(colours).with_target(false).init();
}

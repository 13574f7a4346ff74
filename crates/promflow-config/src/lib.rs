//! `prometheus.yml`, rule files and their tests, `alertmanager.yml`, target files and relabelling: strict, every error
//! with file, line and column.
//!
//! The problem: a monitoring setup is a handful of YAML files in which a misspelt key must not pass in silence, and a
//! reader wants all mistakes at once, each at its place. The model: serde-saphyr turns the text into a tree of nodes
//! that know where they stand, and each type reads its own keys out of a mapping, noting what it asked for. What
//! nobody asked for is an unknown key (with the nearest known one as a hint), what Prometheus knows and promflow does
//! not have yet is `not supported yet: NAME`, and all of it is reported together. Rejected: derived deserialization
//! into the public types, which stops at the first error, loses positions inside flattened parts, and cannot tell the
//! two kinds of unknown key apart.
//!
//! Files are read through [`FileSystem`], so that nothing here does hidden input or output.

mod alerting;
pub mod alertmanager;
mod config;
mod error;
mod fs;
mod hint;
mod http;
mod load;
mod node;
mod reader;
mod redact;
pub mod relabel;
mod rules;
mod scrape;
mod secret;
mod size;
pub mod unittest;
mod yaml;

pub use alerting::{Alerting, AlertmanagerConfig};
pub use config::read::EnvLookup;
pub use config::{Config, Global, Retention, Runtime, Storage};
pub use error::{ConfigError, Position, SourceText};
pub use fs::{FILE_SIZE_BYTES_MAX, FileSystem, OsFileSystem};
pub use http::{Authorization, BasicAuth, HttpClientConfig, HttpHeader, TlsConfig, TlsVersion};
pub use load::{LoadedConfig, load};
pub use relabel::{RelabelAction, RelabelConfig};
pub use rules::{Rule, RuleFile, RuleGroup, RuleKind, RuleText};
pub use scrape::read::parse_target_groups;
pub use scrape::{EscapingScheme, FileSdConfig, ScrapeConfig, ScrapeProtocol, TargetGroup, ValidationScheme};
pub use secret::Secret;

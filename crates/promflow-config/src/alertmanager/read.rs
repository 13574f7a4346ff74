//! Reads `alertmanager.yml`.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use promflow_model::quote::quote;
use promflow_model::{MatchOp, Matcher};

use super::matcher::parse_matchers;
use super::{AlertmanagerFile, InhibitRule, Integration, Receiver, Route, TimeInterval};
use crate::load::read_file;
use crate::node::{Node, Place};
use crate::reader::{Fields, Reader};
use crate::{ConfigError, FileSystem, ValidationScheme};

/// The `global` keys; their values belong to channels that promflow does not drive.
const GLOBAL_KEYS: [&str; 42] = [
    "http_config",
    "jira_api_url",
    "smtp_from",
    "smtp_hello",
    "smtp_smarthost",
    "smtp_auth_username",
    "smtp_auth_password",
    "smtp_auth_password_file",
    "smtp_auth_secret",
    "smtp_auth_secret_file",
    "smtp_auth_identity",
    "smtp_require_tls",
    "smtp_tls_config",
    "smtp_force_implicit_tls",
    "slack_api_url",
    "slack_api_url_file",
    "slack_app_token",
    "slack_app_token_file",
    "slack_app_url",
    "pagerduty_url",
    "opsgenie_api_url",
    "opsgenie_api_key",
    "opsgenie_api_key_file",
    "wechat_api_url",
    "wechat_api_secret",
    "wechat_api_secret_file",
    "wechat_api_corp_id",
    "victorops_api_url",
    "victorops_api_key",
    "victorops_api_key_file",
    "telegram_api_url",
    "telegram_bot_token",
    "telegram_bot_token_file",
    "webex_api_url",
    "rocketchat_api_url",
    "rocketchat_token",
    "rocketchat_token_file",
    "rocketchat_token_id",
    "rocketchat_token_id_file",
    "mattermost_webhook_url",
    "mattermost_webhook_url_file",
    "incidentio_url",
];

/// The channels, and whether they are told of resolved alerts unless they say otherwise.
///
/// Source: Alertmanager config/notifiers.go.
const CHANNELS: [(&str, bool); 18] = [
    ("discord_configs", true),
    ("email_configs", false),
    ("incidentio_configs", true),
    ("jira_configs", true),
    ("mattermost_configs", true),
    ("msteams_configs", true),
    ("msteamsv2_configs", true),
    ("opsgenie_configs", true),
    ("pagerduty_configs", true),
    ("pushover_configs", true),
    ("rocketchat_configs", false),
    ("slack_configs", false),
    ("sns_configs", true),
    ("telegram_configs", true),
    ("victorops_configs", true),
    ("webex_configs", true),
    ("webhook_configs", true),
    ("wechat_configs", false),
];

impl AlertmanagerFile {
    /// Reads `alertmanager.yml`.
    ///
    /// Errors: as [`AlertmanagerFile::parse`], and the file cannot be read.
    pub fn load(path: &Path, fs: &dyn FileSystem) -> Result<AlertmanagerFile, Vec<ConfigError>> {
        let text = read_file(fs, path).map_err(|err| vec![err])?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads the text of `alertmanager.yml`; the settings of channels are not looked into.
    ///
    /// Errors: every mistake at its place; Alertmanager's texts.
    /// Source: Alertmanager config.Config.UnmarshalYAML.
    pub fn parse(path: &str, text: &str) -> Result<AlertmanagerFile, Vec<ConfigError>> {
        let reader = Reader::new(path, text);
        let root = reader.root();
        let mut fields = reader.fields(&root, "config.plain");
        if let Some(node) = fields.node("global") {
            let mut global = reader.fields(node, "config.plain");
            global.duration_ms("resolve_timeout");
            global.ignore(&GLOBAL_KEYS);
            global.finish();
        }
        fields.ignore(&["tracing"]);
        let templates = fields.plain_strings("templates");
        let mut time_intervals = read_time_intervals(&mut fields, "time_intervals");
        time_intervals.extend(read_time_intervals(&mut fields, "mute_time_intervals"));
        let receivers = read_receivers(&mut fields);
        let names = Names {
            receivers: receivers.iter().map(|receiver| receiver.name.as_str()).collect(),
            intervals: time_intervals.iter().map(|interval| interval.name.as_str()).collect(),
        };
        let route = match fields.node("route") {
            Some(node) => read_route(&reader, node, None, &names),
            None => {
                if !reader.has_errors() {
                    reader.error(root.place, "no routes provided");
                }
                Route::default()
            }
        };
        let inhibit_rules = fields
            .items("inhibit_rules", "[]config.InhibitRule")
            .iter()
            .map(|item| read_inhibit_rule(&reader, item))
            .collect();
        fields.finish();
        let path = path.to_owned();
        let file = AlertmanagerFile { path, route, receivers, inhibit_rules, time_intervals, templates };
        reader.finish(file)
    }
}

/// What routes may name.
struct Names<'a> {
    receivers: HashSet<&'a str>,
    intervals: HashSet<&'a str>,
}

fn read_receivers(fields: &mut Fields<'_, '_>) -> Vec<Receiver> {
    let reader = fields.reader;
    let mut receivers = Vec::new();
    let mut names = HashSet::new();
    for item in fields.items("receivers", "[]config.Receiver") {
        let mut receiver = reader.fields(item, "config.plain");
        let name = receiver.string_or_empty("name");
        if name.is_empty() {
            reader.error(item.place, "missing name in receiver");
        } else if !names.insert(name.clone()) {
            let message = format!("notification config name {} is not unique", quote(&name));
            reader.error(receiver.value_place("name"), message);
        }
        let mut integrations = Vec::new();
        for (key, resolved) in CHANNELS {
            for channel in receiver.items(key, "[]config.NotifierConfig") {
                let mut settings = reader.fields(channel, "config.plain");
                integrations.push(Integration {
                    kind: key.trim_end_matches("_configs").to_owned(),
                    send_resolved: settings.bool("send_resolved").unwrap_or(resolved),
                    position: reader.position(channel.place),
                });
            }
        }
        receiver.finish();
        integrations.sort_by(|a, b| a.position.cmp(&b.position));
        receivers.push(Receiver { name, integrations, position: reader.position(item.place) });
    }
    receivers
}

fn read_time_intervals(fields: &mut Fields<'_, '_>, key: &'static str) -> Vec<TimeInterval> {
    let reader = fields.reader;
    let mut intervals: Vec<TimeInterval> = Vec::new();
    for item in fields.items(key, "[]config.TimeInterval") {
        let mut interval = reader.fields(item, "config.plain");
        let name = interval.string_or_empty("name");
        if name.is_empty() {
            reader.error(item.place, "missing name in time interval");
        } else if intervals.iter().any(|other| other.name == name) {
            let message = format!("time interval {} is not unique", quote(&name));
            reader.error(interval.value_place("name"), message);
        }
        for range in interval.items("time_intervals", "[]timeinterval.TimeInterval") {
            let mut range = reader.fields(range, "timeinterval.TimeInterval");
            range.ignore(&["times", "weekdays", "days_of_month", "months", "years", "location"]);
            range.finish();
        }
        interval.finish();
        intervals.push(TimeInterval { name, position: reader.position(item.place) });
    }
    intervals
}

/// Reads a route and its children; what is not set comes from the parent.
fn read_route(reader: &Reader<'_>, node: &Node, parent: Option<&Route>, names: &Names<'_>) -> Route {
    let mut fields = reader.fields(node, "config.plain");
    let receiver = fields.string_or_empty("receiver");
    if receiver.is_empty() && parent.is_none() {
        reader.error(node.place, "root route must specify a default receiver");
    } else if !receiver.is_empty() && !names.receivers.contains(receiver.as_str()) {
        let near = crate::hint::nearest(&receiver, names.receivers.iter().copied());
        reader.error_with_hint(
            fields.value_place("receiver"),
            format!("undefined receiver {} used in route", quote(&receiver)),
            near.map(|name| format!("did you mean \"{name}\"?")),
        );
    }
    let (group_by, group_by_all) = read_group_by(&mut fields, parent);
    let inherited = |get: fn(&Route) -> i64, default| parent.map_or(default, get);
    let group_wait_ms = fields.duration_ms("group_wait");
    let mut route = Route {
        receiver: match parent {
            Some(parent) if receiver.is_empty() => parent.receiver.clone(),
            _ => receiver,
        },
        matchers: read_matchers(&mut fields, ["match", "match_re", "matchers"]),
        group_by,
        group_by_all,
        group_wait_ms: group_wait_ms.unwrap_or(inherited(|r| r.group_wait_ms, 30_000)),
        group_interval_ms: positive(&mut fields, "group_interval")
            .unwrap_or(inherited(|r| r.group_interval_ms, 300_000)),
        repeat_interval_ms: positive(&mut fields, "repeat_interval")
            .unwrap_or(inherited(|r| r.repeat_interval_ms, 14_400_000)),
        continues: fields.bool("continue").unwrap_or(false),
        mute_time_intervals: read_interval_names(&mut fields, "mute_time_intervals", names),
        active_time_intervals: read_interval_names(&mut fields, "active_time_intervals", names),
        routes: Vec::new(),
        position: reader.position(node.place),
    };
    if parent.is_none() {
        let place = node.place;
        if !route.matchers.is_empty() {
            reader.error(place, "root route must not have any matchers");
        }
        if !route.mute_time_intervals.is_empty() {
            reader.error(place, "root route must not have any mute time intervals");
        }
        if !route.active_time_intervals.is_empty() {
            reader.error(place, "root route must not have any active time intervals");
        }
    }
    let children = fields.items("routes", "[]config.Route");
    route.routes = children.iter().map(|child| read_route(reader, child, Some(&route), names)).collect();
    fields.finish();
    route
}

fn positive(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<i64> {
    let ms = fields.duration_ms(key)?;
    if ms == 0 {
        fields.error(key, format!("{key} cannot be zero"));
    }
    Some(ms)
}

fn read_group_by(fields: &mut Fields<'_, '_>, parent: Option<&Route>) -> (Vec<String>, bool) {
    if !fields.has("group_by") {
        fields.ignore(&["group_by"]);
        return parent.map(|parent| (parent.group_by.clone(), parent.group_by_all)).unwrap_or_default();
    }
    let (mut labels, mut all) = (Vec::new(), false);
    for (name, place) in fields.strings("group_by") {
        if name == "..." {
            all = true;
        } else if !ValidationScheme::Utf8.is_label_name(&name) {
            let message = format!("invalid label name {} in group_by list", quote(&name));
            fields.reader.error(place, message);
        } else if labels.contains(&name) {
            fields.reader.error(place, format!("duplicated label {} in group_by", quote(&name)));
        } else {
            labels.push(name);
        }
    }
    if all && !labels.is_empty() {
        fields.error(
            "group_by",
            "cannot have wildcard group_by (`...`) and other other labels at the same time",
        );
    }
    labels.sort();
    (labels, all)
}

/// Reads the three ways of writing matchers: a mapping of values, one of patterns, and a list of matchers.
fn read_matchers(fields: &mut Fields<'_, '_>, keys: [&'static str; 3]) -> Vec<Matcher> {
    let reader = fields.reader;
    let mut matchers = Vec::new();
    for (key, op) in [(keys[0], MatchOp::Equal), (keys[1], MatchOp::Regex)] {
        let Some(node) = fields.node(key) else { continue };
        let entries = reader.string_map(node);
        let by_name: BTreeMap<&str, (&str, Place, Place)> = entries
            .iter()
            .map(|(key, value, node)| (key.text.as_str(), (value.as_str(), key.place, node.place)))
            .collect();
        for (name, (value, key_place, place)) in by_name {
            if !ValidationScheme::Utf8.is_label_name(name) {
                reader.error(key_place, format!("invalid label name {}", quote(name)));
            }
            match Matcher::new(op, name, value) {
                Ok(matcher) => matchers.push(matcher),
                Err(err) => reader.error(place, err.to_string()),
            }
        }
    }
    for (text, place) in fields.strings(keys[2]) {
        match parse_matchers(&text) {
            Ok(parsed) => matchers.extend(parsed),
            Err(message) => reader.error(place, message),
        }
    }
    matchers
}

fn read_interval_names(fields: &mut Fields<'_, '_>, key: &'static str, names: &Names<'_>) -> Vec<String> {
    let found = fields.strings(key);
    for (name, place) in &found {
        if !names.intervals.contains(name.as_str()) {
            let message = format!("undefined time interval {} used in route", quote(name));
            fields.reader.error(*place, message);
        }
    }
    found.into_iter().map(|(name, _)| name).collect()
}

fn read_inhibit_rule(reader: &Reader<'_>, node: &Node) -> InhibitRule {
    let mut fields = reader.fields(node, "config.plain");
    fields.ignore(&["name"]);
    let rule = InhibitRule {
        source_matchers: read_matchers(&mut fields, ["source_match", "source_match_re", "source_matchers"]),
        target_matchers: read_matchers(&mut fields, ["target_match", "target_match_re", "target_matchers"]),
        equal: fields.plain_strings("equal"),
        position: reader.position(node.place),
    };
    fields.finish();
    rule
}

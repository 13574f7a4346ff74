//! What is drawn of a graph: targets folded into their jobs, parallel edges joined, and large systems folded by package
//! and group around what is wrong.

mod fold;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{AlertState, DefinitionFacts, Details, Existence, Graph, Lane, Node, NodeKind, State};

/// How much is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewOptions {
    /// How many nodes are drawn before fine ones are folded together.
    pub nodes_max: usize,
    /// How many edges are drawn before nodes are folded further.
    pub edges_max: usize,
    /// How many nodes a lane has before fine ones are folded further.
    pub lane_max: usize,
    /// Whether dashboards and runbooks are drawn.
    pub sinks: bool,
}

impl Default for ViewOptions {
    fn default() -> Self {
        Self { nodes_max: 80, edges_max: 480, lane_max: 48, sinks: false }
    }
}

/// How a node looks beside its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// As its kind does.
    #[default]
    Plain,
    /// Seen and well.
    Good,
    /// Its code is not here.
    Foreign,
    /// Stands for many.
    Wildcard,
    /// Pending, or partly down.
    Warning,
    /// Firing, down, or known from nowhere.
    Bad,
}

/// A node as it is drawn: one node of the graph, or many folded into one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewNode {
    /// The id of the node, or of the fold.
    pub id: String,
    /// The kind; that of its members for a fold.
    pub kind: Option<NodeKind>,
    /// The lane it is drawn in.
    pub lane: Option<Lane>,
    /// The first line.
    pub title: String,
    /// The second line.
    pub subtitle: String,
    /// The full text, for who points at it.
    pub tooltip: String,
    /// One or two letters for its kind or type.
    pub icon: &'static str,
    /// How it looks.
    pub tone: Tone,
    /// The box it is drawn in.
    pub group: Option<String>,
    /// Where a click leads.
    pub href: Option<String>,
    /// How many nodes it stands for.
    pub count: usize,
    /// The names of what is folded into it.
    pub members: Vec<String>,
}

/// An edge as it is drawn: all edges of the graph between two nodes that are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewEdge {
    /// The place of the node upstream.
    pub from: usize,
    /// The place of the node downstream.
    pub to: usize,
    /// The worst state among them; alive when all are fine and one is.
    pub state: State,
    /// What flows, for who points at it.
    pub tooltip: String,
    /// Samples a second.
    pub samples_per_second: Option<f64>,
    /// The number of the fault in [`View::faults`], counted from 1.
    pub fault: Option<usize>,
    /// How many edges it stands for.
    pub count: usize,
}

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// The nodes, sorted by lane, kind, group and id, numbers by their value.
    pub nodes: Vec<ViewNode>,
    /// The edges, sorted by their ends.
    pub edges: Vec<ViewEdge>,
    /// What is broken, in words; an edge names one by its number.
    pub faults: Vec<String>,
    /// How many nodes the graph has.
    pub total: usize,
}

impl View {
    /// Chooses what is drawn of a graph.
    pub fn of(graph: &Graph, options: &ViewOptions) -> Self {
        let facts = Facts::of(graph);
        let mut view = Self::default();
        for level in 0..=fold::LEVEL_MAX {
            view = facts.view(level, options);
            let is_small = view.nodes.len() <= options.nodes_max && view.edges.len() <= options.edges_max;
            // What is wrong may make a lane high.
            let is_low = || level + 1 >= fold::LEVEL_NOTABLE || view.highest_lane() <= options.lane_max;
            if is_small && is_low() {
                break;
            }
        }
        view
    }

    /// Returns how many nodes the lane has that has most.
    fn highest_lane(&self) -> usize {
        let count = |lane: Lane| self.nodes.iter().filter(|node| node.lane == Some(lane)).count();
        Lane::ALL.into_iter().map(count).max().unwrap_or(0)
    }
}

/// What folding asks about a graph.
struct Facts<'a> {
    graph: &'a Graph,
    /// Nodes at which something is wrong or fires: these are folded last.
    notable: BTreeSet<&'a str>,
    /// The names of the routes that each alert takes.
    routes: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Facts<'a> {
    fn of(graph: &'a Graph) -> Self {
        let mut notable = BTreeSet::new();
        for edge in graph.edges.iter().filter(|edge| edge.state.is_broken()) {
            notable.extend([edge.from.as_str(), edge.to.as_str()]);
        }
        let is_notable = |node: &&Node| tone(node) >= Tone::Warning;
        notable.extend(graph.nodes.iter().filter(is_notable).map(|node| node.id.as_str()));
        let names: BTreeMap<&str, &str> = graph
            .nodes
            .iter()
            .filter(|node| node.kind == NodeKind::Route)
            .map(|node| (node.id.as_str(), node.name.as_str()))
            .collect();
        let mut routes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for edge in &graph.edges {
            if let Some(name) = names.get(edge.to.as_str()) {
                routes.entry(&edge.from).or_default().insert(name);
            }
        }
        Self { graph, notable, routes }
    }

    /// Returns the job of each target.
    fn jobs_of_targets(&self) -> BTreeMap<&'a str, &'a Node> {
        let named = |kind: NodeKind| self.graph.nodes.iter().filter(move |node| node.kind == kind);
        let jobs: BTreeMap<&str, &Node> = named(NodeKind::Job).map(|job| (job.name.as_str(), job)).collect();
        named(NodeKind::Target)
            .filter_map(|target| Some((target.id.as_str(), *jobs.get(target.group.as_deref()?)?)))
            .collect()
    }

    fn view(&self, level: usize, options: &ViewOptions) -> View {
        let jobs = self.jobs_of_targets();
        let mut folds: BTreeMap<String, Vec<&Node>> = BTreeMap::new();
        let mut place_of: BTreeMap<&str, String> = BTreeMap::new();
        for node in &self.graph.nodes {
            if !options.sinks && matches!(node.kind, NodeKind::Dashboard | NodeKind::Runbook) {
                continue;
            }
            // A target is drawn as part of its job, wherever that is.
            let drawn = jobs.get(node.id.as_str()).copied().unwrap_or(node);
            let id = self.fold(drawn, level).unwrap_or_else(|| drawn.id.clone());
            place_of.insert(&node.id, id.clone());
            folds.entry(id).or_default().push(node);
        }
        let mut nodes: Vec<ViewNode> = folds.iter().map(|(id, members)| draw(id, members)).collect();
        nodes.sort_by_cached_key(|node| {
            let group = node.group.as_deref().map(natural);
            (node.lane, node.kind, group, natural(&node.id), node.id.clone())
        });
        let places: BTreeMap<&str, usize> =
            nodes.iter().enumerate().map(|(place, node)| (node.id.as_str(), place)).collect();
        let mut view = View { total: self.graph.nodes.len(), ..View::default() };
        let place = |id: &str| place_of.get(id).and_then(|fold| places.get(fold.as_str())).copied();
        let mut joined: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (index, edge) in self.graph.edges.iter().enumerate() {
            if let (Some(from), Some(to)) = (place(&edge.from), place(&edge.to))
                && from != to
            {
                joined.entry((from, to)).or_default().push(index);
            }
        }
        for ((from, to), indices) in joined {
            let edges: Vec<_> = indices.iter().map(|index| &self.graph.edges[*index]).collect();
            let worst = edges.iter().map(|edge| edge.state).max().unwrap_or(State::Defined);
            let is_alive = worst.is_fine() && edges.iter().any(|edge| edge.state == State::Alive);
            let state = if is_alive { State::Alive } else { worst };
            let fault = edges.iter().find(|edge| edge.state == worst && worst.is_broken()).map(|edge| {
                let reader = self.graph.node(&edge.to).map_or(edge.to.as_str(), |node| &node.name);
                let reason = edge.reason.as_deref().unwrap_or(worst.as_str());
                let text = format!("{reader}: {reason}");
                view.faults.iter().position(|known| *known == text).unwrap_or_else(|| {
                    view.faults.push(text);
                    view.faults.len() - 1
                }) + 1
            });
            let rates: Vec<f64> = edges.iter().filter_map(|edge| edge.samples_per_second).collect();
            view.edges.push(ViewEdge {
                from,
                to,
                state,
                tooltip: words::edges(&edges),
                samples_per_second: (!rates.is_empty()).then(|| rates.iter().sum()),
                fault,
                count: edges.len(),
            });
        }
        view.nodes = nodes;
        view
    }
}

/// Returns a key by which `g2` comes before `g10`: the text in runs of digits and of others.
fn natural(text: &str) -> Vec<(String, u64)> {
    let mut runs: Vec<(String, u64)> = vec![(String::new(), 0)];
    let mut after_digit = false;
    for c in text.chars() {
        let run = runs.last_mut().expect("BUG: there is always a run");
        match (c.to_digit(10), after_digit) {
            (Some(digit), _) => run.1 = run.1.saturating_mul(10).saturating_add(u64::from(digit)),
            (None, true) => runs.push((c.to_string(), 0)),
            (None, false) => run.0.push(c),
        }
        after_digit = c.is_ascii_digit();
    }
    runs
}

/// Returns how a node looks.
fn tone(node: &Node) -> Tone {
    match &node.details {
        Details::Definition(DefinitionFacts { existence, series, .. }) => match existence {
            Existence::Nowhere => Tone::Bad,
            Existence::Unjudged => Tone::Foreign,
            Existence::Wildcard => Tone::Wildcard,
            Existence::Code if series.is_some() => Tone::Good,
            Existence::Code => Tone::Plain,
        },
        Details::Exporter { .. } => Tone::Foreign,
        Details::Endpoint { package: None, .. } => Tone::Foreign,
        Details::Job(job) => match job.up {
            Some(0) if job.targets > 0 => Tone::Bad,
            Some(up) if up < job.targets => Tone::Warning,
            Some(_) => Tone::Good,
            None => Tone::Plain,
        },
        Details::Rule(rule) => match (rule.healthy, rule.alert_state) {
            (Some(false), _) => Tone::Bad,
            _ if rule.is_alarming() => Tone::Bad,
            (_, Some(AlertState::Pending)) => Tone::Warning,
            (Some(true), _) => Tone::Good,
            _ => Tone::Plain,
        },
        Details::Receiver(receiver) => match (receiver.sent, receiver.failed) {
            (_, Some(failed)) if failed > 0 => Tone::Warning,
            (Some(sent), _) if sent > 0 => Tone::Good,
            _ => Tone::Plain,
        },
        _ => Tone::Plain,
    }
}

/// Returns the lane a node is drawn in: a wildcard stands before its reader, not in the code.
fn lane(node: &Node) -> Lane {
    match &node.details {
        Details::Definition(DefinitionFacts { existence: Existence::Wildcard, .. }) => Lane::Recording,
        _ => node.kind.lane(),
    }
}

fn draw(id: &str, members: &[&Node]) -> ViewNode {
    let drawn: Vec<&Node> = members.iter().copied().filter(|node| node.kind != NodeKind::Target).collect();
    let named = members.iter().find(|node| node.id == id);
    let first = named.or(drawn.first()).unwrap_or(&members[0]);
    let (title, subtitle) = if drawn.len() > 1 { words::fold(id, &drawn) } else { words::face(first) };
    let tone = members.iter().map(|node| tone(node)).max().unwrap_or_default();
    let href = match &first.details {
        Details::Runbook { url } => Some(url.clone()),
        Details::Rule(rule) => rule.annotations.get("runbook_url").filter(|url| !url.contains("{{")).cloned(),
        _ => None,
    };
    ViewNode {
        id: id.to_owned(),
        kind: Some(first.kind),
        lane: Some(lane(first)),
        title,
        subtitle,
        tooltip: words::tooltip(first, &drawn),
        icon: if drawn.len() > 1 && first.kind == NodeKind::Definition { "M" } else { words::icon(first) },
        tone,
        group: first.group.clone().filter(|_| drawn.len() == 1),
        href: href
            .filter(|url| drawn.len() < 2 && (url.starts_with("https://") || url.starts_with("http://"))),
        count: drawn.len().max(1),
        members: drawn.iter().filter(|_| drawn.len() > 1).map(|node| node.name.clone()).collect(),
    }
}

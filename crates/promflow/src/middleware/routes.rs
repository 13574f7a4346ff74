//! The series of every method and route, resolved once.
//!
//! A row of buckets, each a list that only grows: a lookup takes no lock and allocates nothing, and so no request
//! waits for another. A map under a lock was rejected, as all threads would write to the lock's own cache line.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use http::Method;
use promflow_registry::{Gauge, Metric};

use super::families::{Ended, EndedRequest, Families, Label, Values};

const BUCKETS: usize = 512;
/// As many methods and routes as a family has series by default; more are looked up anew at each request, and stand
/// in the overflow series.
const ROUTES_MAX: usize = promflow_registry::DEFAULT_SERIES_LIMIT;
/// How many statuses of a route are remembered; more are looked up at each request.
const STATUSES: usize = 8;

/// A method as a label; clients may invent others than these, which share one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MethodLabel(Option<&'static str>);

impl MethodLabel {
    pub(super) fn of(method: &Method) -> Self {
        Self(match *method {
            Method::GET => Some("GET"),
            Method::HEAD => Some("HEAD"),
            Method::POST => Some("POST"),
            Method::PUT => Some("PUT"),
            Method::PATCH => Some("PATCH"),
            Method::DELETE => Some("DELETE"),
            Method::OPTIONS => Some("OPTIONS"),
            Method::CONNECT => Some("CONNECT"),
            Method::TRACE => Some("TRACE"),
            _ => None,
        })
    }
}

/// The series of one method and route. A series that was removed from its family or has expired comes back with the next
/// request.
#[derive(Debug)]
pub(super) struct Route {
    families: Arc<Families>,
    method: &'static str,
    /// Empty when the request matched no route.
    template: Box<str>,
    https: bool,
    in_progress: Option<Gauge>,
    statuses: [OnceLock<Box<Ended>>; STATUSES],
}

/// A request that was counted as under way.
#[derive(Debug)]
pub(super) struct Entered {
    /// Where it was counted, if not in the route's own gauge.
    elsewhere: Option<Box<Gauge>>,
    born: Option<f64>,
}

impl Route {
    fn new(families: &Arc<Families>, method: MethodLabel, template: Option<&str>, https: bool) -> Self {
        let mut route = Self {
            families: families.clone(),
            method: method.0.unwrap_or(families.style.other_method),
            template: template.unwrap_or(families.style.unmatched).into(),
            https,
            in_progress: None,
            statuses: Default::default(),
        };
        route.in_progress = families.in_progress.resolve(&route.values(0));
        if let Some(requests) = &families.requests {
            // The share of errors of a new route is zero, rather than absent until its first error.
            requests.find(&route.values(500));
        }
        route
    }

    fn values(&self, status: u16) -> Values<'_> {
        values(&self.families, self.method, &self.template, self.https, status)
    }

    pub(super) fn families(&self) -> &Families {
        &self.families
    }

    /// Counts a request as under way.
    pub(super) fn enter(&self) -> Entered {
        let own = self.in_progress.as_ref().filter(|gauge| gauge.is_on_page());
        let elsewhere = match own {
            Some(_) => None,
            None => Some(Box::new(self.families.in_progress.find(&self.values(0)).clone())),
        };
        let gauge = own.or(elsewhere.as_deref());
        gauge.into_iter().for_each(Gauge::inc);
        let born = gauge.and_then(Metric::born);
        Entered { elsewhere, born }
    }

    /// Counts a request as under way no more.
    pub(super) fn leave(&self, entered: &Entered) {
        let gauge = entered.elsewhere.as_deref().or(self.in_progress.as_ref());
        // A series that was removed meanwhile has begun at zero again, without this request.
        gauge.into_iter().filter(|gauge| gauge.born() == entered.born).for_each(Gauge::dec);
    }

    /// Counts an ended request.
    pub(super) fn count(&self, status: u16, request: &EndedRequest<'_>) {
        let values = self.values(status);
        for slot in &self.statuses {
            // Another thread may have filled the slot with another status.
            let ended = slot.get_or_init(|| Box::new(self.families.resolve(&values)));
            if ended.status == status {
                return self.families.count(ended, &values, request);
            }
        }
        self.families.count(&self.families.resolve(&values), &values, request);
    }
}

fn values<'a>(
    families: &'a Families,
    method: &'a str,
    route: &'a str,
    https: bool,
    status: u16,
) -> Values<'a> {
    let scheme = if https { "https" } else { "http" };
    let group_status = families.style.group_status;
    Values { method, route, scheme, status, app: &families.app_name, group_status }
}

struct Node {
    hash: u64,
    method: MethodLabel,
    https: bool,
    template: Option<Box<str>>,
    /// Absent when the route is excluded.
    route: Option<Arc<Route>>,
    next: OnceLock<Box<Node>>,
}

/// The routes seen so far.
pub(super) struct Routes {
    families: Arc<Families>,
    exclude: Exclude,
    buckets: Box<[OnceLock<Box<Node>>]>,
    hasher: RandomState,
    len: AtomicUsize,
}

impl Routes {
    pub(super) fn new(families: Families, exclude: Exclude) -> Self {
        Self {
            families: Arc::new(families),
            exclude,
            buckets: (0..BUCKETS).map(|_| OnceLock::new()).collect(),
            hasher: RandomState::default(),
            len: AtomicUsize::new(0),
        }
    }

    /// Makes sure that the requests under way of a method exist, at zero, where they are not counted by route.
    pub(super) fn init(&self, method: MethodLabel) {
        if !self.families.in_progress.has(Label::Route) {
            let method = method.0.unwrap_or(self.families.style.other_method);
            self.families.in_progress.find(&values(&self.families, method, "", false, 0));
        }
    }

    /// Finds the series of a request; none when it is excluded.
    pub(super) fn find(
        &self,
        method: MethodLabel,
        template: Option<&str>,
        https: bool,
        path: &str,
    ) -> Option<Arc<Route>> {
        if template.is_none() && self.exclude.matches(path) {
            return None;
        }
        let hash = self.hasher.hash_one((method, https, template));
        let mut slot = &self.buckets[hash as usize % BUCKETS];
        loop {
            let Some(node) = slot.get() else {
                if self.len.fetch_add(1, Ordering::Relaxed) >= ROUTES_MAX {
                    self.len.fetch_sub(1, Ordering::Relaxed);
                    return self.make(method, template, https);
                }
                let mut made = false;
                slot.get_or_init(|| {
                    made = true;
                    let route = self.make(method, template, https);
                    let template = template.map(Box::from);
                    Box::new(Node { hash, method, https, template, route, next: OnceLock::new() })
                });
                if !made {
                    // Another thread filled the slot, perhaps with this very route.
                    self.len.fetch_sub(1, Ordering::Relaxed);
                }
                continue;
            };
            let same = node.hash == hash
                && node.method == method
                && node.template.as_deref() == template
                && node.https == https;
            if same {
                return node.route.clone();
            }
            slot = &node.next;
        }
    }

    fn make(&self, method: MethodLabel, template: Option<&str>, https: bool) -> Option<Arc<Route>> {
        let excluded = template.is_some_and(|template| self.exclude.matches(template));
        (!excluded).then(|| Arc::new(Route::new(&self.families, method, template, https)))
    }
}

/// Routes that are not measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Exclude(Vec<Pattern>);

#[derive(Clone, Debug)]
enum Pattern {
    Exact(String),
    Prefix(String),
}

impl Exclude {
    /// Adds a route template or path; a `*` at its end stands for everything that begins like it.
    pub(super) fn add(&mut self, pattern: &str) {
        self.0.push(match pattern.strip_suffix('*') {
            Some(prefix) => Pattern::Prefix(prefix.to_owned()),
            None => Pattern::Exact(pattern.to_owned()),
        });
    }

    fn matches(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::Exact(exact) => exact == path,
            Pattern::Prefix(prefix) => path.starts_with(prefix.as_str()),
        })
    }
}

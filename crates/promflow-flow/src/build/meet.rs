//! Which package's code is behind a job: by the port and path of its settings, else by a comment above the job, else
//! by a live page.

use std::collections::{BTreeMap, BTreeSet};

use promflow_source::{Package, Scan, Settings};

use super::Builder;
use super::jobs::JobView;
use crate::exporters;
use crate::graph::MetBy;

impl<'a> Builder<'a> {
    /// Finds the packages behind a job, and the families that they expose.
    pub(super) fn meet(&self, job: &mut JobView<'a>) {
        let Some(scan) = self.inputs.source else { return };
        let by_settings = by_settings(scan, job);
        let by_comment = by_comment(scan, job);
        // The comment also decides between programs that have the same port.
        let both: Vec<String> = by_settings.iter().filter(|p| by_comment.contains(p)).cloned().collect();
        let candidates = [
            (both, MetBy::Settings),
            (by_settings, MetBy::Settings),
            (by_comment, MetBy::Comment),
            (self.by_page(scan, job), MetBy::Page),
        ];
        let Some((packages, met_by)) = candidates.into_iter().find(|(packages, _)| !packages.is_empty())
        else {
            return;
        };
        let mut families: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
        let exposed: BTreeSet<String> = packages.iter().flat_map(|package| scan.closure(package)).collect();
        for (index, definition) in scan.definitions.iter().enumerate() {
            let dir = job.config.source_dir.as_deref().filter(|_| definition.package.is_empty());
            let loose = dir.is_some_and(|dir| is_within(&definition.file, &clean(dir)));
            if loose || exposed.contains(&definition.package) {
                families.entry(&definition.name).or_default().push(index);
            }
        }
        let used = scan.packages.iter().filter(|package| exposed.contains(&package.name));
        let used: BTreeSet<&String> = used.flat_map(|package| &package.uses).collect();
        let elsewhere = used.into_iter().filter(|name| scan.package(name).is_none());
        job.linked = elsewhere.filter_map(|name| exporters::linked(name)).collect();
        (job.packages, job.met_by, job.families) = (packages, Some(met_by), families);
    }

    fn by_page(&self, scan: &Scan, job: &JobView<'a>) -> Vec<String> {
        let Some(page) = self.live().and_then(|live| live.metrics.get(&job.config.job_name)) else {
            return Vec::new();
        };
        let shown: BTreeSet<&str> = page
            .keys()
            .filter_map(|series| self.catalogue.series(series))
            .map(|series| series.family)
            .collect();
        let score = |package: &&Package| {
            scan.exposed_by(&package.name).iter().filter(|d| shown.contains(d.name.as_str())).count()
        };
        let best = scan.packages.iter().map(|package| score(&package)).max().unwrap_or(0);
        programs(scan.packages.iter().filter(|package| best > 0 && score(package) == best))
    }
}

fn by_settings(scan: &Scan, job: &JobView<'_>) -> Vec<String> {
    let fits = |settings: &&Settings| {
        let path = settings.metrics_path.as_deref();
        let same_path = path
            .is_none_or(|path| path.trim_end_matches('/') == job.config.metrics_path.trim_end_matches('/'));
        job.ports.contains(&settings.port) && same_path
    };
    let own: Vec<&Package> =
        scan.packages.iter().filter(|package| package.settings.iter().any(|s| fits(&s))).collect();
    let with_program = own.iter().any(|package| package.is_program);
    if with_program {
        return programs(own.into_iter());
    }
    // A program without settings of its own has those of the library that it is built on.
    let inherits = |package: &&Package| {
        package.settings.is_empty()
            && package.is_program
            && scan.closure(&package.name).iter().any(|name| own.iter().any(|library| &library.name == name))
    };
    let inheriting: Vec<String> =
        scan.packages.iter().filter(inherits).map(|package| package.name.clone()).collect();
    if inheriting.is_empty() { programs(own.into_iter()) } else { inheriting }
}

fn by_comment(scan: &Scan, job: &JobView<'_>) -> Vec<String> {
    let Some(dir) = job.config.source_dir.as_deref().map(clean) else { return Vec::new() };
    let inside: Vec<&Package> =
        scan.packages.iter().filter(|package| is_within(&package.dir, &dir)).collect();
    if inside.is_empty() {
        // A directory inside a package, or one without packages.
        let around = scan.packages.iter().filter(|package| package.holds(&dir));
        return around.max_by_key(|package| package.dir.len()).map(|p| p.name.clone()).into_iter().collect();
    }
    programs(inside.into_iter())
}

/// Returns the names of those that build a program, or of all when none does.
fn programs<'p>(packages: impl Iterator<Item = &'p Package> + Clone) -> Vec<String> {
    let any = packages.clone().any(|package| package.is_program);
    packages.filter(|package| package.is_program || !any).map(|package| package.name.clone()).collect()
}

fn clean(dir: &str) -> String {
    let parts = dir.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

fn is_within(path: &str, dir: &str) -> bool {
    dir.is_empty() || path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

//! The loop that evaluates every group at its time.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use promflow_config::RuleFile;
use promflow_model::Clock;

use crate::{Group, GroupSnapshot, RuleContext};

/// How the loop runs.
#[derive(Clone, Copy, Debug)]
pub struct ManagerOptions {
    /// How many groups may be evaluated at once.
    pub concurrency_max: usize,
}

impl Default for ManagerOptions {
    fn default() -> Self {
        Self { concurrency_max: 4 }
    }
}

/// What stands in for what groups leave out.
#[derive(Clone, Copy, Debug)]
pub struct GroupDefaults {
    /// `global.evaluation_interval`, in milliseconds.
    pub interval_ms: i64,
    /// `global.rule_query_offset`, in milliseconds.
    pub query_offset_ms: i64,
}

/// File and name: what a group is known by across a reload.
type GroupKey = (String, String);

/// Evaluates groups on a few threads; dropping it ends them.
pub struct Manager {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    context: RuleContext,
    groups: BTreeMap<GroupKey, Entry>,
    stopping: bool,
}

struct Entry {
    /// Taken by the worker that evaluates it.
    group: Option<Group>,
    snapshot: Arc<GroupSnapshot>,
    due_ms: i64,
    /// What the group becomes once the evaluation that runs is over.
    next: Next,
}

enum Next {
    Same,
    Replaced(Box<Group>),
    Removed,
}

impl Manager {
    /// Starts the loop without groups.
    pub fn start(context: RuleContext, clock: Arc<dyn Clock>, options: ManagerOptions) -> Self {
        let state = State { context, groups: BTreeMap::new(), stopping: false };
        let shared = Arc::new(Shared { clock, state: Mutex::new(state), changed: Condvar::new() });
        let workers = (0..options.concurrency_max.max(1))
            .map(|i| {
                let shared = shared.clone();
                std::thread::Builder::new()
                    .name(format!("rules-{i}"))
                    .spawn(move || shared.work())
                    .expect("cannot start a thread for the rules")
            })
            .collect();
        Self { shared, workers: Mutex::new(workers) }
    }

    /// Replaces the groups: what did not change goes on, what changed keeps the state of its rules, what is gone has
    /// its series marked stale.
    ///
    /// `change` adjusts the context that later evaluations use (external labels and address).
    pub fn apply(&self, files: &[RuleFile], defaults: GroupDefaults, change: impl FnOnce(&mut RuleContext)) {
        let now_ms = self.shared.clock.now_ms();
        let mut state = self.shared.lock();
        change(&mut state.context);
        let mut wanted: BTreeMap<GroupKey, Group> = BTreeMap::new();
        for file in files {
            for definition in &file.groups {
                let group = Group::new(
                    &file.path,
                    Arc::new(definition.clone()),
                    defaults.interval_ms,
                    defaults.query_offset_ms,
                );
                wanted.insert((file.path.clone(), group.name.clone()), group);
            }
        }
        let gone: Vec<GroupKey> =
            state.groups.keys().filter(|key| !wanted.contains_key(*key)).cloned().collect();
        for key in gone {
            state.remove(&key, now_ms);
        }
        for (key, group) in wanted {
            state.put(key, group, now_ms);
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Looks at the clock again, for those who move it.
    pub fn wake(&self) {
        self.shared.changed.notify_all();
    }

    /// Ends the loop; evaluations under way are waited for.
    pub fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        let workers =
            std::mem::take(&mut *self.workers.lock().expect("BUG: a thread panicked while it stopped"));
        for worker in workers {
            if worker.join().is_err() {
                tracing::error!("a rule thread panicked");
            }
        }
    }

    /// Returns every group as it was after its last evaluation, sorted by file and name.
    pub fn groups(&self) -> Vec<Arc<GroupSnapshot>> {
        self.shared.lock().groups.values().map(|entry| entry.snapshot.clone()).collect()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    fn remove(&mut self, key: &GroupKey, now_ms: i64) {
        let Some(entry) = self.groups.get_mut(key) else { return };
        match entry.group.take() {
            Some(mut group) => {
                group.end(&self.context, now_ms);
                self.context.metrics.group_removed(&group.key());
                self.groups.remove(key);
            }
            None => entry.next = Next::Removed,
        }
    }

    fn put(&mut self, key: GroupKey, mut group: Group, now_ms: i64) {
        let due_ms = group.due_at_or_before(now_ms) + group.interval_ms;
        match self.groups.get_mut(&key) {
            None => {
                self.context.metrics.group_added(&group.key());
                let snapshot = Arc::new(group.snapshot());
                self.groups.insert(key, Entry { group: Some(group), snapshot, due_ms, next: Next::Same });
            }
            Some(entry) => match entry.group.take() {
                Some(same) if same.is_same_as(&group) => entry.group = Some(same),
                Some(before) => {
                    group.take_state(before);
                    entry.snapshot = Arc::new(group.snapshot());
                    entry.due_ms = due_ms;
                    entry.group = Some(group);
                }
                None => entry.next = Next::Replaced(Box::new(group)),
            },
        }
    }

    /// Takes the group that has been due the longest, or says how long until one is.
    fn take_due(&mut self, now_ms: i64) -> Result<(GroupKey, Group, i64), Duration> {
        let idle = self.groups.iter_mut().filter(|(_, entry)| entry.group.is_some());
        let Some((key, entry)) = idle.min_by_key(|(_, entry)| entry.due_ms) else {
            return Err(Duration::from_secs(3600));
        };
        if entry.due_ms > now_ms {
            return Err(Duration::from_millis((entry.due_ms - now_ms) as u64));
        }
        let group = entry.group.take().expect("BUG: an idle group has its body");
        Ok((key.clone(), group, entry.due_ms))
    }

    /// Puts a group back after an evaluation.
    fn give_back(&mut self, key: &GroupKey, group: Group, t_ms: i64, now_ms: i64) {
        let Some(entry) = self.groups.get_mut(key) else { return };
        match std::mem::replace(&mut entry.next, Next::Same) {
            Next::Same => {
                // Evaluations that could not start in time are left out, not made up for.
                let missed = ((now_ms - t_ms) / group.interval_ms - 1).max(0);
                self.context.metrics.missed(&group.key(), missed);
                entry.due_ms = t_ms + (missed + 1) * group.interval_ms;
                entry.snapshot = Arc::new(group.snapshot());
                entry.group = Some(group);
            }
            Next::Replaced(mut new) => {
                new.take_state(group);
                entry.due_ms = new.due_at_or_before(now_ms) + new.interval_ms;
                entry.snapshot = Arc::new(new.snapshot());
                entry.group = Some(*new);
            }
            Next::Removed => {
                entry.group = Some(group);
                self.remove(key, now_ms);
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("BUG: a thread panicked while it held the rule groups")
    }

    fn work(&self) {
        let mut state = self.lock();
        while !state.stopping {
            let now_ms = self.clock.now_ms();
            match state.take_due(now_ms) {
                Err(wait) => {
                    state = self
                        .changed
                        .wait_timeout(state, wait)
                        .expect("BUG: a thread panicked while it held the rule groups")
                        .0;
                }
                Ok((key, mut group, due_ms)) => {
                    let context = state.context.clone();
                    drop(state);
                    eval_guarded(&mut group, &context, due_ms);
                    let now_ms = self.clock.now_ms();
                    state = self.lock();
                    state.give_back(&key, group, due_ms, now_ms);
                    self.changed.notify_one();
                }
            }
        }
    }
}

/// Evaluates a group; a bug in one rule ends that evaluation, not the loop.
fn eval_guarded(group: &mut Group, context: &RuleContext, t_ms: i64) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| group.eval(context, t_ms)));
    if outcome.is_err() {
        tracing::error!(group = group.name(), file = group.file(), "evaluating the group panicked");
    }
}

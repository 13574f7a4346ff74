//! Runs the binary as its user does.
#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use promflow_testkit::{free_port, http_get, wait_until};
use serde_json::Value;

pub(crate) const START: Duration = Duration::from_secs(30);

/// Returns the repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crate is two levels down").to_owned()
}

/// Returns the binary with arguments.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_promflow"));
    command.args(arguments);
    command
}

/// Runs the binary to its end in the repository's root.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments).current_dir(root()).output().expect("cannot start promflow")
}

/// Runs a program to its end and returns what it printed.
///
/// Panics: it fails.
pub(crate) fn succeed(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output().expect("cannot start");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {arguments:?} failed:\n{text}", program.display());
    text
}

/// A promflow that runs until the test ends.
pub(crate) struct Promflow {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    pub(crate) url: String,
}

impl Promflow {
    /// Starts `promflow up` in a tree.
    pub(crate) fn up(tree: &Path, arguments: &[&str]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = command(&["up", "--web.listen-address", &address]);
        command.args(arguments).current_dir(tree);
        Self::start(command, &address)
    }

    /// Starts `promflow serve` on a configuration file.
    pub(crate) fn serve(config: &Path, arguments: &[&str]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = command(&["serve", "--web.listen-address", &address]);
        command.arg("--config.file").arg(config).args(arguments);
        Self::start(command, &address)
    }

    fn start(mut command: Command, address: &str) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cannot start promflow");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        collect(out, lines.clone());
        collect(err, lines.clone());
        let promflow = Self { child, lines, url: format!("http://{address}") };
        wait_until("promflow to be ready", START, || {
            http_get(&promflow.path("/-/ready")).is_ok_and(|(status, _)| status == 200) || {
                assert!(
                    std::thread::panicking() || promflow.is_running(),
                    "promflow ended:\n{}",
                    promflow.log()
                );
                false
            }
        });
        promflow
    }

    fn is_running(&self) -> bool {
        Path::new(&format!("/proc/{}/stat", self.child.id()))
            .exists()
            .then(|| std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default())
            .is_some_and(|stat| !stat.contains(") Z "))
    }

    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Returns everything printed so far, both streams.
    pub(crate) fn log(&self) -> String {
        self.lines.lock().expect("no test panicked here").join("\n")
    }

    /// Fetches JSON.
    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = http_get(&self.path(path)).expect("promflow does not answer");
        serde_json::from_str(&body)
            .unwrap_or_else(|e| panic!("{path} answered {status}, no JSON ({e}): {body}"))
    }

    /// Runs an instant query and returns its result.
    pub(crate) fn query(&self, expr: &str) -> Vec<Value> {
        query(&self.url, expr)
    }

    /// Returns the first URL on the line of the output that begins with a word.
    pub(crate) fn printed_url(&self, word: &str) -> String {
        let mut found = None;
        wait_until(&format!("the line {word:?}"), START, || {
            found = self.log().lines().find_map(|line| {
                let rest = line.trim_start().strip_prefix(word)?;
                rest.split_whitespace().find(|w| w.starts_with("http://")).map(str::to_owned)
            });
            found.is_some()
        });
        found.expect("waited for it")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("cannot start kill").success());
    }

    /// Waits until the process has ended, and returns its exit code.
    pub(crate) fn wait(&mut self, within: Duration) -> Option<i32> {
        let mut code = None;
        wait_until("promflow to end", within, || {
            code = self.child.try_wait().expect("cannot wait");
            code.is_some()
        });
        code.and_then(|c| c.code())
    }
}

impl Drop for Promflow {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("promflow printed:\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl std::io::Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.lock().expect("no test panicked here").push(line);
        }
    });
}

/// Runs an instant query on any server and returns its result.
pub(crate) fn query(server: &str, expr: &str) -> Vec<Value> {
    let encoded: String = url::form_urlencoded::byte_serialize(expr.as_bytes()).collect();
    let (_, body) = http_get(&format!("{server}/api/v1/query?query={encoded}")).expect("no answer");
    let answer: Value = serde_json::from_str(&body).expect("no JSON");
    assert_eq!(answer["status"], "success", "{expr}: {body}");
    answer["data"]["result"].as_array().cloned().unwrap_or_default()
}

/// Copies a folder, without what git would not keep.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("cannot create the folder");
    for entry in std::fs::read_dir(from).expect("cannot read the folder") {
        let entry = entry.expect("cannot read the entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("entry has a type").is_dir() {
            if entry.file_name() != "target" {
                copy_tree(&entry.path(), &target);
            }
        } else {
            std::fs::copy(entry.path(), &target).expect("cannot copy");
        }
    }
}

/// Copies what `promflow up` reads in the repository.
pub(crate) fn copy_repository(to: &Path) {
    for folder in ["monitoring", "examples", "crates/promflow", "crates/promflow-registry"] {
        copy_tree(&root().join(folder), &to.join(folder));
    }
    std::fs::copy(root().join("Cargo.toml"), to.join("Cargo.toml")).expect("cannot copy");
}

/// Copies what the chart is drawn from.
fn copy_sources(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory can be made");
    for entry in std::fs::read_dir(from).expect("the tree is readable") {
        let path = entry.expect("the tree is readable").path();
        let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.')
                && !matches!(name.as_str(), "target" | "node_modules" | "dist" | "tests" | "docs")
            {
                copy_sources(&path, &to.join(name));
            }
        } else if [".rs", ".toml", ".yml", ".py", ".json"].iter().any(|end| name.ends_with(end)) {
            std::fs::copy(&path, to.join(name)).expect("a file can be copied");
        }
    }
}

/// A copy of the shipped setup and its code.
pub(crate) fn copied() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for part in ["monitoring", "examples", "crates"] {
        copy_sources(&root().join(part), &dir.path().join(part));
    }
    std::fs::copy(root().join("Cargo.toml"), dir.path().join("Cargo.toml"))
        .expect("the manifest can be copied");
    dir
}

/// Replaces a text in a file of a tree.
///
/// Panics: the file does not have it.
pub(crate) fn change(tree: &Path, file: &str, from: &str, to: &str) {
    let path = tree.join(file);
    let text = std::fs::read_to_string(&path).expect("the file is there");
    assert!(text.contains(from), "{file} has no {from:?}");
    std::fs::write(path, text.replace(from, to)).expect("the file can be written");
}

//! Real programs as peers.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Returns a loopback port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("no loopback port is free");
    listener.local_addr().expect("a bound listener has an address").port()
}

/// Returns the path of an installed program.
///
/// Panics: the program is not installed; the message names Debian's package.
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/bin"), PathBuf::from("/usr/sbin")])
        .map(|dir| dir.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is not installed: run `cargo xtask test`, or install {}", package(name))
        })
}

fn package(program: &str) -> &str {
    match program {
        "promtool" => "prometheus",
        "amtool" => "prometheus-alertmanager",
        other => other,
    }
}

/// Waits until the condition holds.
///
/// Panics: it does not within the time.
pub fn wait_until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < within, "waited {within:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program that runs for one test: its directory and log go with it, and it is killed at the end.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    dir: TempDir,
    /// The port it listens on.
    pub port: u16,
}

impl Peer {
    /// Starts a program with a directory and a port of its own; the closure adds the arguments.
    pub fn start(name: &str, arguments: impl FnOnce(&mut Command, &Path, u16)) -> Self {
        let dir = tempfile::tempdir().expect("no temporary directory");
        let port = free_port();
        let log = File::create(dir.path().join("log")).expect("cannot create the log");
        let mut command = Command::new(program(name));
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("cannot share the log")).stderr(log);
        arguments(&mut command, dir.path(), port);
        let child = command.spawn().unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        Self { child, dir, port }
    }

    /// Starts Prometheus on a configuration file.
    pub fn prometheus(config: &Path) -> Self {
        let peer = Self::start("prometheus", |command, dir, port| {
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--web.enable-lifecycle");
        });
        peer.wait_ready("/-/ready");
        peer
    }

    /// Starts Alertmanager on a configuration file, without clustering.
    pub fn alertmanager(config: &Path) -> Self {
        let peer = Self::start("prometheus-alertmanager", |command, dir, port| {
            command
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.path={}", dir.join("data").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--cluster.listen-address=");
        });
        peer.wait_ready("/-/ready");
        peer
    }

    /// Starts node_exporter.
    pub fn node_exporter() -> Self {
        let peer = Self::start("prometheus-node-exporter", |command, _, port| {
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        });
        peer.wait_ready("/metrics");
        peer
    }

    /// Starts a Redis server without persistence.
    pub fn redis() -> Self {
        let peer = Self::start("redis-server", |command, dir, port| {
            command
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
                .arg(dir);
        });
        wait_until("redis-server to listen", Duration::from_secs(30), || {
            std::net::TcpStream::connect(("127.0.0.1", peer.port)).is_ok()
        });
        peer
    }

    /// Starts redis_exporter for a Redis server.
    pub fn redis_exporter(redis_port: u16) -> Self {
        let peer = Self::start("prometheus-redis-exporter", |command, _, port| {
            command
                .arg(format!("--redis.addr=redis://127.0.0.1:{redis_port}"))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        });
        peer.wait_ready("/metrics");
        peer
    }

    /// Returns the peer's address, `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the peer's URL for a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Returns the peer's directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns what the peer has printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_ready(&self, path: &str) {
        let start = Instant::now();
        loop {
            if crate::http_get(&self.url(path)).is_ok_and(|(status, _)| status == 200) {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "peer is not ready; its log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The test may have ended the child itself; nothing is left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

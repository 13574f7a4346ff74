//! A flood over real HTTP: a hundred thousand paths that nobody has, and as many users, leave memory and series bounded.
//!
//! It has a process of its own, as it measures the memory of the process.

use std::ops::Range;

use promflow::config::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const USERS: usize = 100_000;
/// Connections, each kept alive to its end.
const CLIENTS: usize = 4;
/// Requests that are sent before the answers are read.
const BATCH: usize = 500;
/// What the second to the tenth tenth of the flood may add to the memory.
const GROWTH_BYTES_MAX: f64 = 16.0 * 1024.0 * 1024.0;

const ANSWER: &[u8] = b"HTTP/1.1 ";

/// A connection that is kept.
struct Client {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Client {
    async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        // The last part of a batch must not wait until the first was acknowledged.
        stream.set_nodelay(true).unwrap();
        Self { stream, seen: Vec::new() }
    }

    /// Sends requests and counts the answers that have the status.
    async fn send(&mut self, requests: &str, count: usize, status: &str) -> usize {
        self.stream.write_all(requests.as_bytes()).await.unwrap();
        self.seen.clear();
        let (mut answers, mut right, mut at) = (0, 0, 0);
        while answers < count {
            assert_ne!(self.stream.read_buf(&mut self.seen).await.unwrap(), 0, "the connection was closed");
            // The status stands behind the version: both must have come.
            while let Some(found) =
                self.seen[at..].windows(ANSWER.len() + 3).position(|w| w.starts_with(ANSWER))
            {
                let start = at + found + ANSWER.len();
                right += usize::from(&self.seen[start..start + 3] == status.as_bytes());
                answers += 1;
                at = start;
            }
            at = at.max(self.seen.len().saturating_sub(ANSWER.len() + 2));
        }
        right
    }
}

/// Asks for a path that nobody has, and uses a credit, once for each user.
async fn flood(port: u16, users: Range<usize>) {
    let mut client = Client::connect(port).await;
    let (mut missing, mut sent) = (0, 0);
    for first in users.clone().step_by(BATCH) {
        let batch = first..(first + BATCH).min(users.end);
        let mut gets = String::new();
        let mut posts = String::new();
        for user in batch.clone() {
            // Spread as a scanner's guesses are, and none twice.
            let path = (user as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            gets.push_str(&format!("GET /{path:016x}/{user}.php HTTP/1.1\r\nHost: x\r\n\r\n"));
            let body = format!(r#"{{"account":{},"text":"hello"}}"#, user + 1);
            let length = body.len();
            posts.push_str(&format!(
                "POST /messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            ));
        }
        missing += client.send(&gets, batch.len(), "404").await;
        sent += client.send(&posts, batch.len(), "201").await;
    }
    assert_eq!((missing, sent), (users.len(), users.len()));
}

async fn flood_by_all(port: u16, users: Range<usize>) {
    let share = users.len() / CLIENTS;
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let first = users.start + client * share;
        clients.spawn(flood(port, first..first + share));
    }
    clients.join_all().await;
}

async fn page(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Lists the values of the series that begin so.
fn values(page: &str, beginning: &str) -> Vec<f64> {
    let lines = page.lines().filter(|line| line.starts_with(beginning));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_paths_and_users_leave_memory_and_series_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = backend::Options { accounts: USERS, ..backend::Options::default() };
    tokio::spawn(backend::serve(Settings::default(), listener, options, std::future::pending()));

    flood_by_all(port, 0..USERS / 10).await;
    let before = page(port).await;
    flood_by_all(port, USERS / 10..USERS).await;
    let after = page(port).await;

    let memory = |page: &str| values(page, "process_resident_memory_bytes ")[0];
    let growth = memory(&after) - memory(&before);
    assert!(growth < GROWTH_BYTES_MAX, "{} grew by {growth}", memory(&before));
    let series = |page: &str| page.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series(&after) < 1200, "{} series", series(&after));
    assert!(series(&after) <= series(&before) + 50, "{} after {}", series(&after), series(&before));

    // What has no series of its own is seen.
    let unmatched =
        values(&after, r#"http_requests_total{method="GET",endpoint="__unmatched__",status="404"}"#);
    assert_eq!(unmatched, [USERS as f64]);
    assert!(!after.contains(".php"), "{after}");
    let sent = values(&after, r#"http_requests_total{method="POST",endpoint="/messages",status="201"}"#);
    assert_eq!(sent, [USERS as f64]);
    let api: Vec<_> = after.lines().filter(|line| line.contains(r#"type="api""#)).collect();
    let api = api.join("\n");
    let used = values(&api, "credits_used_total{");
    assert!(used.len() <= promflow::credits::USERS_SHOWN + 1, "{} users", used.len());
    assert_eq!(used.iter().sum::<f64>(), USERS as f64);
    let others = values(&api, r#"credits_used_total{user="__other__""#);
    assert!(others[0] > USERS as f64 * 0.9, "{others:?}");
    assert!(values(&api, "credits_remaining{").len() <= promflow::credits::USERS_SHOWN);
    assert_eq!(values(&api, "credits_accounts{").iter().sum::<f64>(), USERS as f64);
}

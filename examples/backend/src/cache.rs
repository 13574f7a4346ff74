//! A cache in Redis, measured: accounts are looked up there first. Without Redis there is no cache.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use promflow::Registry;
use promflow::redis::{Command, Pool};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

const CONNECTIONS_MAX: usize = 8;
const TIMEOUT: Duration = Duration::from_millis(500);
const TTL_SECONDS: &str = "10";
const REPLY_BYTES_MAX: usize = 1 << 20;

/// A client with a pool of connections.
pub(crate) struct Cache {
    address: String,
    permits: Semaphore,
    idle: Mutex<Vec<BufReader<TcpStream>>>,
    in_use: AtomicUsize,
    pool: Pool,
    get: Command,
    set: Command,
}

impl Cache {
    /// Makes a client for the Redis at an address, `HOST:PORT`; it connects when it is first used.
    pub(crate) fn new(registry: &Registry, address: &str) -> Self {
        Self {
            address: address.trim_start_matches("redis://").to_owned(),
            permits: Semaphore::new(CONNECTIONS_MAX),
            idle: Mutex::default(),
            in_use: AtomicUsize::new(0),
            pool: Pool::new(registry),
            get: Command::new(registry, "get"),
            set: Command::new(registry, "set"),
        }
    }

    /// Returns a cached value; a Redis that does not answer has none.
    pub(crate) async fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.run(&self.get, &["GET", key]).await.ok().flatten()
    }

    /// Caches a value for a few seconds; a Redis that does not answer is left alone.
    pub(crate) async fn set(&self, key: &str, value: &str) {
        // The failure is counted; whoever reads next asks the store itself.
        let _ = self.run(&self.set, &["SET", key, value, "EX", TTL_SECONDS]).await;
    }

    async fn run(&self, measured: &Command, words: &[&str]) -> io::Result<Option<Vec<u8>>> {
        let start = Instant::now();
        let reply = tokio::time::timeout(TIMEOUT, self.exchange(words)).await;
        let reply = reply.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        measured.observe(start.elapsed(), reply.is_ok());
        reply
    }

    async fn exchange(&self, words: &[&str]) -> io::Result<Option<Vec<u8>>> {
        let _permit = self.permits.acquire().await.map_err(io::Error::other)?;
        let _in_use = InUse::new(self);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect(&self.address).await?),
        };
        connection.write_all(request(words).as_bytes()).await?;
        let reply = read_reply(&mut connection).await?;
        // Only a connection whose reply was read to its end goes back: any other would answer the wrong question.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(reply)
    }

    fn show_pool(&self) {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.pool.set(self.in_use.load(Ordering::Relaxed), idle);
    }
}

/// Counts a connection as in use until it is dropped, by a timeout too.
struct InUse<'c>(&'c Cache);

impl<'c> InUse<'c> {
    fn new(cache: &'c Cache) -> Self {
        cache.in_use.fetch_add(1, Ordering::Relaxed);
        Self(cache)
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.in_use.fetch_sub(1, Ordering::Relaxed);
        self.0.show_pool();
    }
}

/// Writes a command in Redis's protocol.
fn request(words: &[&str]) -> String {
    let mut out = format!("*{}\r\n", words.len());
    for word in words {
        out.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    out
}

/// Reads a simple or bulk reply.
///
/// Errors: Redis's own error, or a reply of another kind.
async fn read_reply(connection: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "unexpected reply of redis");
    let mut line = String::new();
    (&mut *connection).take(1024).read_line(&mut line).await?;
    let line = line.strip_suffix("\r\n").ok_or_else(invalid)?;
    match line.split_at_checked(1).ok_or_else(invalid)? {
        ("+", text) => Ok(Some(text.as_bytes().to_vec())),
        ("-", error) => Err(io::Error::other(error.to_owned())),
        ("$", "-1") => Ok(None),
        ("$", length) => {
            let length: usize = length.parse().map_err(|_| invalid())?;
            if length > REPLY_BYTES_MAX {
                return Err(invalid());
            }
            let mut body = vec![0; length + 2];
            connection.read_exact(&mut body).await?;
            body.truncate(length);
            Ok(Some(body))
        }
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_written_in_the_protocol() {
        assert_eq!(request(&["GET", "né"]), "*2\r\n$3\r\nGET\r\n$3\r\nné\r\n");
    }
}

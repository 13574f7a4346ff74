//! The socket of the API: connections are limited in number, and a client has to send its request in time.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

/// How many connections may be open at once, as Prometheus has it.
const CONNECTIONS_MAX: usize = 512;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests under way may take once the server ends.
const END_GRACE: Duration = Duration::from_secs(2);

/// Serves the routes until `ending` is notified; further connections wait while there are too many.
///
/// Errors: the socket cannot be used.
pub(crate) fn serve(listener: TcpListener, router: Router, ending: Arc<Notify>) -> Result<JoinHandle<()>> {
    listener.set_nonblocking(true).context("cannot use the listening socket")?;
    let listener = tokio::net::TcpListener::from_std(listener).context("cannot use the listening socket")?;
    Ok(tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        let ended = ending.notified();
        tokio::pin!(ended);
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            tokio::select! {
                () = &mut ended => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let router = router.clone();
                        connections.spawn(async move {
                            serve_connection(stream, router).await;
                            drop(place);
                        });
                    }
                    Err(e) => {
                        tracing::warn!(error = %e, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
            while connections.try_join_next().is_some() {}
        }
        drop(listener);
        let _ =
            tokio::time::timeout(END_GRACE, async { while connections.join_next().await.is_some() {} }).await;
    }))
}

async fn serve_connection(stream: TcpStream, router: Router) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(e) = connection.await {
        tracing::debug!(error = %e, "a connection ended early");
    }
}

//! The accept loop: bounded connections, bounded heads, and an end that lets requests finish.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::Config;
use crate::access::Peer;

/// How long to wait when the system has no more file descriptors or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` changes, then closes the listener and waits for the requests under way.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    config: Config,
    mut stop: watch::Receiver<bool>,
) {
    let connections = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(config.max_connections));
    let http = http_builder(&config);
    loop {
        let (stream, peer, permit) = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let service = TowerToHyperService::new(routes.clone().layer(Extension(Peer(peer))));
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "http connection ended with an error");
            }
            drop(permit);
        });
    }
    drop(listener);
    if timeout(config.shutdown_grace, connections.shutdown()).await.is_err() {
        tracing::warn!("http requests were still under way when their time to finish was over");
    }
}

fn http_builder(config: &Config) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.head_timeout)
        .max_buf_size(config.max_head_bytes);
    http
}

/// The next connection. Cancel safe: nothing is lost when it is dropped while it waits.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            Err(error) => {
                tracing::warn!(%error, "http connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

//! Build, run, shut down.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use admin_api::Backend;
use axum::Router;
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::routes::routes;
use crate::shared::Shared;
use crate::sign_in::SignIn;
use crate::{AdminToken, Config, connections};

/// A server that has its address and does not serve yet.
pub struct Server {
    config: Config,
    routes: Router,
    runtime: Runtime,
    listener: tokio::net::TcpListener,
    local_addr: SocketAddr,
}

/// A server that serves. Dropped, it ends at once; [`Running::shutdown`] lets requests finish.
pub struct Running {
    runtime: Runtime,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    local_addr: SocketAddr,
}

/// Why a server could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be had.
    #[error("http listener cannot bind {address}{}", next_step(source))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The runtime could not be started.
    #[error("http runtime cannot start")]
    Runtime(#[source] io::Error),
}

fn next_step(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another program has it, set http.bind to another address",
        _ => "",
    }
}

/// Binds the address and makes everything ready, so that what can fail fails here.
///
/// # Errors
/// The address cannot be had, or the runtime not started.
pub fn build(
    config: Config,
    admin_token: AdminToken,
    users: policy_backends::SignIn,
    backend: Arc<dyn Backend>,
) -> Result<Server, Error> {
    let bind_error = |source| Error::Bind { address: config.bind, source };
    let listener = TcpListener::bind(config.bind).map_err(bind_error)?;
    listener.set_nonblocking(true).map_err(bind_error)?;
    let local_addr = listener.local_addr().map_err(bind_error)?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(config.worker_threads)
        .max_blocking_threads(1)
        .thread_name("admin")
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener).map_err(bind_error)?
    };
    let sign_in = SignIn::new(admin_token, users, config.token_lifetime, config.max_tokens);
    let sign_in = Arc::new(sign_in);
    let routes = routes(Arc::new(Shared { config: config.clone(), sign_in, backend }));
    Ok(Server { config, routes, runtime, listener, local_addr })
}

impl Server {
    /// The address it listens on, with the port that the system chose when 0 was asked for.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Starts to serve, on the server's own threads.
    #[must_use]
    pub fn run(self) -> Running {
        let (stop, stopped) = watch::channel(false);
        let serving = self.runtime.spawn(connections::serve(
            self.listener,
            self.routes,
            self.config,
            stopped,
        ));
        Running { runtime: self.runtime, stop, serving, local_addr: self.local_addr }
    }
}

impl Running {
    /// The address it listens on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Stops accepting, waits for the requests under way within [`Config::shutdown_grace`], and ends the threads.
    /// Blocks; call it outside any async runtime.
    pub fn shutdown(self) {
        let Self { runtime, stop, serving, .. } = self;
        stop.send_replace(true);
        if let Err(error) = runtime.block_on(serving) {
            tracing::error!(%error, "http server ended badly");
        }
        runtime.shutdown_background();
    }
}

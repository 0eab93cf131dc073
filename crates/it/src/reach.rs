//! How a client of others reaches the broker, as their common command line says it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A transport with all that it needs.
#[derive(Clone, Debug)]
pub struct Reach {
    pub(crate) arguments: Vec<String>,
}

impl Reach {
    /// By one of `tcp`, `tls`, `ws`, `wss`; over TLS the CA to trust is given.
    #[must_use]
    pub fn new(transport: &str, to: SocketAddr, ca: Option<&Path>) -> Self {
        let port = to.port().to_string();
        let mut arguments = vec!["--transport".to_owned(), transport.to_owned()];
        arguments.extend(["--port".to_owned(), port]);
        if let Some(ca) = ca {
            arguments.extend(["--cafile".to_owned(), ca.display().to_string()]);
        }
        Self { arguments }
    }

    /// The same as that user.
    #[must_use]
    pub fn user(mut self, username: &str, password: &str) -> Self {
        let arguments = ["--username", username, "--password", password];
        self.arguments.extend(arguments.map(str::to_owned));
        self
    }

    /// The same, proving the password by SCRAM-SHA-256 without sending it.
    #[must_use]
    pub fn scram(mut self) -> Self {
        self.arguments.push("--scram".to_owned());
        self
    }

    /// The same with a client's certificate and key.
    #[must_use]
    pub fn certificate(mut self, (cert, key): &(PathBuf, PathBuf)) -> Self {
        let (cert, key) = (cert.display().to_string(), key.display().to_string());
        let arguments = ["--cert".to_owned(), cert, "--key".to_owned(), key];
        self.arguments.extend(arguments);
        self
    }

    /// By a Unix socket.
    #[must_use]
    pub fn unix(path: &Path) -> Self {
        let path = path.display().to_string();
        Self { arguments: ["--transport", "unix", "--socket", &path].map(str::to_owned).to_vec() }
    }
}

impl From<SocketAddr> for Reach {
    fn from(to: SocketAddr) -> Self {
        Self::new("tcp", to, None)
    }
}

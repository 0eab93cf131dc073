//! A proxy that sends a PROXY header; see `tests/clients/proxy.py`.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running proxy; dropped, it is ended.
pub struct Proxy {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Proxy {
    /// Passes connections on to the broker at `to`, with a header of version `1` or `2`, or with `none`, in which the
    /// client is at `source`.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(to: SocketAddr, header: &str, source: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients");
        let mut child = Command::new(folder.join("../../.venv/bin/python"))
            .arg(folder.join("proxy.py"))
            .args(["--to", &to.port().to_string(), "--header", header, "--source", source])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/setup-test.sh installs Python");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let port = said["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

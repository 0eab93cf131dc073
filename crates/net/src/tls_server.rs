//! A TLS listener's certificates, keys and rules, which can be read again while it serves. It must not know sockets.

mod files;
mod resolver;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;

pub use files::{Identity, TlsFileError, TlsFiles};

/// How long before its end a certificate is a concern.
const CONCERN_SECONDS: i64 = 30 * DAY_SECONDS;
/// How long before its end it is an alarm.
const URGENT_SECONDS: i64 = 14 * DAY_SECONDS;
const DAY_SECONDS: i64 = 24 * 3600;

/// A TLS listener's certificates, keys and rules. Clones are the same one.
#[derive(Clone)]
pub struct TlsServer {
    files: TlsFiles,
    loaded: Arc<ArcSwap<Loaded>>,
}

/// What the files came to.
struct Loaded {
    config: Arc<ServerConfig>,
    ends: Vec<End>,
}

/// When a file is of no use any more.
struct End {
    what: &'static str,
    path: PathBuf,
    /// In seconds since 1970.
    at: i64,
    is_certificate: bool,
}

impl TlsServer {
    /// Reads the files again, for the connections to come. When one is of no use, all stays as it was.
    ///
    /// # Errors
    /// As for [`TlsFiles::load`].
    pub fn reload(&self) -> Result<(), TlsFileError> {
        self.loaded.store(Arc::new(self.files.read()?));
        Ok(())
    }

    /// When the first of the certificates ends, with those between it and its root, in seconds since 1970.
    #[must_use]
    pub fn certificate_expiry(&self) -> Option<i64> {
        let loaded = self.loaded.load();
        loaded.ends.iter().filter(|end| end.is_certificate).map(|end| end.at).min()
    }

    /// What somebody should do something about, in words: what ends soon, or has ended.
    #[must_use]
    pub fn concerns(&self, unix_seconds: i64) -> Vec<String> {
        let loaded = self.loaded.load();
        loaded.ends.iter().filter_map(|end| end.concern(unix_seconds, CONCERN_SECONDS)).collect()
    }

    /// The same, but only what has ended or is about to.
    pub(crate) fn urgent_concerns(&self, unix_seconds: i64) -> Vec<String> {
        let loaded = self.loaded.load();
        loaded.ends.iter().filter_map(|end| end.concern(unix_seconds, URGENT_SECONDS)).collect()
    }

    /// What a new connection is served with.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.loaded.load().config)
    }
}

impl End {
    fn concern(&self, now: i64, ahead: i64) -> Option<String> {
        let Self { what, path, at, is_certificate } = self;
        let (path, left) = (path.display(), at - now);
        let next = "put a new one in its place and send SIGHUP";
        match (left, is_certificate) {
            (..0, true) => Some(format!("{what} {path} has expired: {next}")),
            (..0, false) => Some(format!("{what} {path} is out of date: {next}")),
            (0.., true) if left < ahead => {
                let days = left / DAY_SECONDS;
                Some(format!("{what} {path} expires in {days} days: {next}"))
            }
            _ => None,
        }
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsServer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_a_concern_before_they_come() {
        let at = 1_000 * DAY_SECONDS;
        let certificate = |now| {
            let end =
                End { what: "the certificate", path: "a.pem".into(), at, is_certificate: true };
            end.concern(now, CONCERN_SECONDS)
        };
        assert_eq!(certificate(at - 31 * DAY_SECONDS), None);
        let soon = certificate(at - 29 * DAY_SECONDS).expect("soon");
        assert!(soon.starts_with("the certificate a.pem expires in 29 days: "), "{soon}");
        let over = certificate(at + 1).expect("over");
        assert!(over.starts_with("the certificate a.pem has expired: "), "{over}");
        let list = |now| {
            let end = End { what: "the list", path: "a.crl".into(), at, is_certificate: false };
            end.concern(now, CONCERN_SECONDS)
        };
        // Lists are short-lived as a rule: that the next one is due soon is no news.
        assert_eq!(list(at - 1), None);
        assert!(list(at + 1).expect("over").starts_with("the list a.crl is out of date: "));
    }
}

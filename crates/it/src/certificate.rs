//! A certificate for this machine, of an authority made for one test.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// The files of a server's certificate.
pub struct Certificate {
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority that clients are to trust.
    pub ca: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Certificate {
    /// A new one, with a new authority.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn new() -> Self {
        Self::ending(365)
    }

    /// One that ends in so many days and an hour.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn ending(days: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
            .expect("signed");
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names).expect("names");
        // One of the authority's name would pass for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, "a broker");
        params.not_after = (SystemTime::now() + Duration::from_secs(days * 86_400 + 3_600)).into();
        let cert = params.signed_by(&key, &authority).expect("signed");
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        Self {
            cert: write("server.pem", cert.pem()),
            key: write("server.key", key.serialize_pem()),
            ca: write("ca.pem", authority.pem()),
            authority,
            folder,
        }
    }

    /// The files of a client's certificate and key of the same authority, with that common name.
    ///
    /// # Panics
    /// They cannot be made.
    #[must_use]
    pub fn client(&self, common_name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, common_name);
        let cert = params.signed_by(&key, &self.authority).expect("signed");
        let write = |name: String, text: String| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let cert = write(format!("{common_name}.pem"), cert.pem());
        (cert, write(format!("{common_name}.key"), key.serialize_pem()))
    }
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}

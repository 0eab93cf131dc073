//! Certificates for this machine and for clients, of an authority made for one test.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};
use tempfile::TempDir;

/// The files of a server's certificate, and the authority that signed it.
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
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, authority.pem()).expect("written");
        let mut this = Self { cert: PathBuf::new(), key: PathBuf::new(), ca, authority, folder };
        // One of the authority's name would pass for one that signed itself.
        (this.cert, this.key) = this.issue("a broker", &["localhost", "127.0.0.1"], days);
        this
    }

    /// A client's certificate with that common name, and its key.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn client(&self, name: &str) -> (PathBuf, PathBuf) {
        self.issue(name, &[], 365)
    }

    /// The list of revoked clients; each call replaces it.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn revoke(&self, names: &[&str]) -> PathBuf {
        let now = SystemTime::now();
        let revoked = |name: &&str| RevokedCertParams {
            serial_number: serial(name),
            revocation_time: now.into(),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now.into(),
            next_update: (now + Duration::from_secs(86_400)).into(),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: names.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.authority).expect("signed").pem().expect("PEM");
        let path = self.folder.path().join("revoked.crl");
        std::fs::write(&path, list).expect("written");
        path
    }

    fn issue(&self, name: &str, names: &[&str], days: u64) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|name| String::from(*name)).collect();
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(serial(name));
        params.not_after = (SystemTime::now() + Duration::from_secs(days * 86_400 + 3_600)).into();
        let cert = params.signed_by(&key, &self.authority).expect("signed");
        let write = |ending: &str, text: String| {
            let path = self.folder.path().join(format!("{name}.{ending}"));
            std::fs::write(&path, text).expect("written");
            path
        };
        (write("pem", cert.pem()), write("key", key.serialize_pem()))
    }
}

/// By which a certificate of that name is revoked.
fn serial(name: &str) -> SerialNumber {
    SerialNumber::from_slice(&[&[1], name.as_bytes()].concat())
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}

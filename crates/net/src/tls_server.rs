//! Certificates and keys from files to what a TLS listener needs. It must not know sockets.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

/// The files of a TLS listener, all PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate, and those between it and its root.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// Roots that clients' certificates are checked against; none: no certificate is asked for.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is refused.
    pub require_client_cert: bool,
}

/// A TLS listener's certificate, key and rules. Clones are the same one.
#[derive(Clone)]
pub struct TlsServer {
    files: TlsFiles,
    config: Arc<ArcSwap<ServerConfig>>,
}

impl TlsServer {
    /// Reads the files again, for the connections to come. When one is of no use, all stays as it was.
    ///
    /// # Errors
    /// As for [`TlsFiles::load`].
    pub fn reload(&self) -> Result<(), TlsFileError> {
        self.config.store(self.files.read()?);
        Ok(())
    }

    /// What a new connection is served with.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsServer")
    }
}

/// A file that a TLS listener cannot work with.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {what} {}: {why}", path.display())]
pub struct TlsFileError {
    /// What the file is for: the certificate, the key, the client CA.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl TlsFiles {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// A file cannot be read or is not what it should be, or key and certificate do not belong together.
    pub fn load(&self) -> Result<TlsServer, TlsFileError> {
        let config = Arc::new(ArcSwap::new(self.read()?));
        Ok(TlsServer { files: self.clone(), config })
    }

    fn read(&self) -> Result<Arc<ServerConfig>, TlsFileError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates("the certificate", &self.cert)?;
        let key_error = |why| TlsFileError { what: "the key", path: self.key.clone(), why };
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|error| key_error(words(&error)))?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| key_error(error.to_string()))?;
        let builder = match &self.client_ca {
            Some(path) => builder.with_client_cert_verifier(self.verifier(path, provider)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            key_error(format!("with the certificate {}: {error}", self.cert.display()))
        })?;
        // Sessions are resumed without keeping anything for each of them.
        config.ticketer =
            aws_lc_rs::Ticketer::new().map_err(|error| key_error(error.to_string()))?;
        Ok(Arc::new(config))
    }

    fn verifier(
        &self,
        path: &Path,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsFileError> {
        let what = "the client CA";
        let bad = |why| TlsFileError { what, path: path.to_owned(), why };
        let mut roots = RootCertStore::empty();
        for root in certificates(what, path)? {
            roots.add(root).map_err(|error| bad(error.to_string()))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder =
            if self.require_client_cert { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|error| bad(error.to_string()))
    }
}

/// All certificates of a file, one at least.
fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let bad = |why| TlsFileError { what, path: path.to_owned(), why };
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| bad(words(&error)))?.collect();
    let found = found.map_err(|error| bad(words(&error)))?;
    if found.is_empty() {
        return Err(bad("there is no certificate in it, PEM expected".to_owned()));
    }
    Ok(found)
}

/// The library's error in words for who wrote the config.
fn words(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "there is nothing of that kind in it, PEM expected".to_owned(),
        other => other.to_string(),
    }
}

//! Certificates, keys and revocation lists from files. It must not know who connects.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};

use super::resolver::ByServerName;
use super::{End, Loaded, TlsServer};
use crate::certificate;

/// The files of a TLS listener, all PEM; a revocation list may be DER too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// Certificates with their keys, at least one. A client is shown the one of the server name it asks for, the first
    /// when there is none of that name.
    pub identities: Vec<Identity>,
    /// Roots that clients' certificates are checked against; none: no certificate is asked for.
    pub client_ca: Option<PathBuf>,
    /// Lists of revoked certificates of clients. When there is one, each authority of a client's chain needs one.
    pub client_crl: Vec<PathBuf>,
    /// Whether a client without a certificate is refused.
    pub require_client_cert: bool,
}

/// A certificate and its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The certificate, and those between it and its root.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// A file that a TLS listener cannot work with.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {what} {}: {why}", path.display())]
pub struct TlsFileError {
    /// What the file is for: the certificate, the key, the client CA, the revocation list.
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
        let loaded = Arc::new(ArcSwap::from_pointee(self.read()?));
        Ok(TlsServer { files: self.clone(), loaded })
    }

    pub(super) fn read(&self) -> Result<Loaded, TlsFileError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut ends = Vec::new();
        let identities = self.identities.iter().map(|identity| identity.read(&provider, &mut ends));
        let keys = identities.collect::<Result<Vec<_>, _>>()?;
        let path = self.identities.first().map(|first| first.key.clone()).unwrap_or_default();
        let key_error = |error: rustls::Error| TlsFileError {
            what: "the key",
            path: path.clone(),
            why: error.to_string(),
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(key_error)?;
        let builder = match &self.client_ca {
            Some(path) => {
                builder.with_client_cert_verifier(self.verifier(path, provider, &mut ends)?)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(ByServerName(keys)));
        // Sessions are resumed without keeping anything for each of them. A ticket is good until the files are read
        // again: who is revoked then cannot come in by it.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(key_error)?;
        Ok(Loaded { config: Arc::new(config), ends })
    }

    fn verifier(
        &self,
        path: &Path,
        provider: Arc<CryptoProvider>,
        ends: &mut Vec<End>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsFileError> {
        let what = "the client CA";
        let bad = |why| TlsFileError { what, path: path.to_owned(), why };
        let mut roots = RootCertStore::empty();
        for root in certificates(what, path)? {
            roots.add(root).map_err(|error| bad(error.to_string()))?;
        }
        let mut lists = Vec::new();
        for path in &self.client_crl {
            lists.extend(revocation_lists(path, ends)?);
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = builder.with_crls(lists);
        let builder =
            if self.require_client_cert { builder } else { builder.allow_unauthenticated() };
        builder.build().map_err(|error| bad(error.to_string()))
    }
}

impl Identity {
    fn read(
        &self,
        provider: &CryptoProvider,
        ends: &mut Vec<End>,
    ) -> Result<Arc<CertifiedKey>, TlsFileError> {
        let what = "the certificate";
        let chain = certificates(what, &self.cert)?;
        let bad = |why| TlsFileError { what: "the key", path: self.key.clone(), why };
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| bad(words(&error)))?;
        let end = chain.iter().filter_map(certificate::not_after).min();
        let path = || self.cert.clone();
        ends.extend(end.map(|at| End { what, path: path(), at, is_certificate: true }));
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            bad(format!("with the certificate {}: {error}", self.cert.display()))
        })?;
        Ok(Arc::new(key))
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

/// All revocation lists of a file, one at least. Authorities publish them in DER, tools write PEM.
fn revocation_lists(
    path: &Path,
    ends: &mut Vec<End>,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsFileError> {
    let what = "the revocation list";
    let bad = |why| TlsFileError { what, path: path.to_owned(), why };
    let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let is_pem = bytes.windows(10).any(|window| window == b"-----BEGIN");
    let found = if is_pem {
        let found: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
        found.map_err(|error| bad(words(&error)))?
    } else {
        vec![bytes.into()]
    };
    if found.is_empty() {
        return Err(bad("there is no revocation list in it".to_owned()));
    }
    for list in &found {
        let next = certificate::next_update(list);
        let next = next.ok_or_else(|| bad("it is no revocation list".to_owned()))?;
        let path = || path.to_owned();
        ends.extend(next.map(|at| End { what, path: path(), at, is_certificate: false }));
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

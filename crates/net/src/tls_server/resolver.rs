//! Which certificate a client is shown: by the server name it asks for (SNI). It must not know files.

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Several certificates, of which the first is for whom none fits.
#[derive(Debug)]
pub(super) struct ByServerName(pub(super) Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByServerName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let of_name = |key: &&Arc<CertifiedKey>| name.as_ref().is_some_and(|name| fits(key, name));
        // There may be two of a name with different kinds of keys.
        let can_sign = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let Self(keys) = self;
        let best =
            keys.iter().filter(can_sign).find(of_name).or_else(|| keys.iter().find(can_sign));
        best.or(keys.first()).cloned()
    }
}

fn fits(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = key.end_entity_cert().and_then(ParsedCertificate::try_from);
    parsed.and_then(|certificate| verify_server_name(&certificate, name)).is_ok()
}

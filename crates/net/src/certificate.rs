//! What a certificate or a revocation list says. It must not know files or sockets.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// The common name of its subject, the first if there are several; none when there is none that is plain text.
pub(crate) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?;
    // A name that does not look like what it is must not pass for another.
    let is_plain = !name.is_empty() && !name.chars().any(char::is_control);
    is_plain.then(|| name.to_owned())
}

/// When it ends, in seconds since 1970.
pub(crate) fn not_after(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}

/// When the next list is due, in seconds since 1970, if the list says so. None at all when it is no list.
pub(crate) fn next_update(list: &[u8]) -> Option<Option<i64>> {
    let (_, parsed) = CertificateRevocationList::from_der(list).ok()?;
    Some(parsed.next_update().map(|time| time.timestamp()))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(names: &[&str]) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "plant");
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("signed").der().clone()
    }

    #[test]
    fn names_and_ends_are_read() {
        let found = certificate(&["device-1"]);
        assert_eq!(common_name(&found).as_deref(), Some("device-1"));
        assert_eq!(not_after(&found), Some(1_927_843_200));
        assert_eq!(common_name(&certificate(&[])), None);
        assert_eq!(common_name(&certificate(&["a\0b"])), None);
        assert_eq!(common_name(&certificate(&[""])), None);
    }

    #[test]
    fn what_is_none_is_none() {
        for bytes in [&b""[..], b"0", b"\x30\x82\xFF\xFF", &[0x30; 300]] {
            let bytes = CertificateDer::from(bytes);
            assert_eq!((common_name(&bytes), not_after(&bytes)), (None, None));
            assert_eq!(next_update(&bytes), None);
        }
    }
}

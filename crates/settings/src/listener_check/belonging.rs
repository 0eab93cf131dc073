//! Keys that belong together, and keys that the kind of a listener has no use for.

use super::ListenerCheck;
use crate::error::ConfigError;
use crate::listener::{
    Draft, ListenAddress, ListenerIdentity, ListenerKind, ProxySettings, TlsSettings,
};

impl ListenerCheck<'_> {
    /// Keys that the listener's kind has no use for are slips that must not pass: a certificate on a plain listener.
    pub(super) fn refuse_useless_keys(
        &self,
        draft: &Draft,
        kind: ListenerKind,
        bind: &ListenAddress,
    ) -> Result<(), ConfigError> {
        let is_ipv6 = matches!(bind, ListenAddress::Ip(address) if address.is_ipv6());
        let (tls, web, proxied) = (kind.is_tls(), kind.is_websocket(), kind.may_be_proxied());
        let with_tls = "the kinds tls, wss and quic speak TLS";
        let with_proxy = "the kinds tcp, tls, ws and wss may have a proxy before them";
        let keys = [
            ("cert", !draft.certs.is_empty(), tls, with_tls),
            ("key", !draft.keys.is_empty(), tls, with_tls),
            ("client_ca", draft.client_ca.is_some(), tls, with_tls),
            ("client_crl", !draft.client_crl.is_empty(), tls, with_tls),
            ("require_client_cert", draft.require_client_cert, tls, with_tls),
            ("identity", draft.identity == ListenerIdentity::Certificate, tls, with_tls),
            ("path", draft.path.is_some(), web, "the kinds ws and wss have a path"),
            ("proxy_protocol", draft.proxy_protocol, proxied, with_proxy),
            ("proxy_trusted", !draft.proxy_trusted.is_empty(), proxied, with_proxy),
            ("dual_stack", draft.dual_stack, is_ipv6, "it is for bind = \"[::]:1883\""),
        ];
        let useless = |(_, is_given, is_of_use, _): &&(_, bool, bool, _)| *is_given && !is_of_use;
        let Some((key, _, _, help)) = keys.iter().find(useless) else { return Ok(()) };
        let what = match *key {
            "dual_stack" => format!("is bound to {bind}"),
            _ => format!("is of kind {}", kind.as_str()),
        };
        let message = format!("the listener `{}` {what}, which has no use for `{key}`", draft.name);
        let error = ConfigError::new(message);
        Err(self.point(error, draft, key, "of no use here").help(Some((*help).to_owned())))
    }

    pub(super) fn tls(&self, draft: &Draft) -> Result<TlsSettings, ConfigError> {
        let name = &draft.name;
        let fault = |key: &str, what: &str, label: &str, help: &str| {
            let error = ConfigError::new(format!("the listener `{name}` {what}"));
            Err(self.point(error, draft, key, label).help(Some(help.to_owned())))
        };
        let both = "add cert = \"server.pem\" and key = \"server.key\", both PEM";
        if draft.certs.is_empty() {
            return fault("cert", "needs a certificate", "speaks TLS", both);
        }
        if draft.keys.is_empty() {
            return fault("key", "needs a private key", "speaks TLS", both);
        }
        let (certs, keys) = (draft.certs.len(), draft.keys.len());
        if certs != keys {
            let what = format!("has {certs} of `cert` and {keys} of `key`");
            return fault("key", &what, "one for each `cert`", "give both as lists of one order");
        }
        let add_ca = "add client_ca = \"clients-ca.pem\"";
        if draft.require_client_cert && draft.client_ca.is_none() {
            let what = "requires certificates that nothing can prove";
            return fault("require_client_cert", what, "needs client_ca", add_ca);
        }
        if draft.identity == ListenerIdentity::Certificate && draft.client_ca.is_none() {
            let what = "takes names from certificates that nothing can prove";
            return fault("identity", what, "needs client_ca", add_ca);
        }
        if !draft.client_crl.is_empty() && draft.client_ca.is_none() {
            let what = "asks no client for a certificate that could be revoked";
            return fault("client_crl", what, "needs client_ca", add_ca);
        }
        Ok(TlsSettings {
            certs: draft.certs.clone(),
            keys: draft.keys.clone(),
            client_ca: draft.client_ca.clone(),
            client_crl: draft.client_crl.clone(),
            require_client_cert: draft.require_client_cert,
        })
    }

    pub(super) fn proxy(&self, draft: &Draft) -> Result<Option<ProxySettings>, ConfigError> {
        let Draft { name, proxy_protocol, proxy_trusted, .. } = draft;
        match (proxy_protocol, proxy_trusted.is_empty()) {
            (true, true) => {
                let message = format!("the listener `{name}` takes the word of no proxy");
                let help = "add proxy_trusted = [\"10.0.0.0/8\"], where the proxies are";
                let error = ConfigError::new(message);
                let label = "needs proxy_trusted";
                Err(self.point(error, draft, "proxy_protocol", label).help(Some(help.to_owned())))
            }
            (true, false) => {
                let (trusted, timeout) = (proxy_trusted.clone(), draft.proxy_timeout);
                Ok(Some(ProxySettings { trusted, timeout }))
            }
            (false, false) => {
                let message = format!("the listener `{name}` trusts proxies and takes no header");
                let help = "add proxy_protocol = true";
                let error = ConfigError::new(message);
                let label = "needs proxy_protocol";
                Err(self.point(error, draft, "proxy_trusted", label).help(Some(help.to_owned())))
            }
            (false, true) => Ok(None),
        }
    }
}

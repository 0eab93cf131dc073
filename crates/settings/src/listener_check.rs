//! Drafts of listeners into listeners that can be served, or faults.
//! It must not know how sources are read.

mod belonging;

use std::collections::BTreeMap;

use crate::error::ConfigError;
use crate::listener::{Draft, ListenAddress, ListenerConfig, ListenerKind, UNIX, WEBSOCKET_PATH};
use crate::settings::HttpSettings;
use crate::source::Place;
use crate::value::{self, BadValue};

/// Where keys and listeners stand, for the faults to point at.
pub(crate) struct ListenerCheck<'a> {
    pub(crate) given: &'a BTreeMap<String, (String, Place)>,
    pub(crate) named: &'a BTreeMap<String, Place>,
}

/// An address that is taken.
struct Taken {
    name: String,
    bind: ListenAddress,
    is_udp: bool,
}

impl ListenerCheck<'_> {
    /// The listeners, and what is wrong with the others.
    pub(crate) fn run(
        &self,
        drafts: &BTreeMap<String, Draft>,
        http: &HttpSettings,
    ) -> (Vec<ListenerConfig>, Vec<ConfigError>) {
        let mut listeners = Vec::new();
        let mut errors = Vec::new();
        let mut taken: Vec<Taken> = Vec::new();
        if http.enabled {
            let bind = ListenAddress::Ip(http.bind);
            taken.push(Taken { name: "http".to_owned(), bind, is_udp: false });
        }
        for draft in drafts.values() {
            match self.build(draft) {
                Ok(listener) => {
                    errors.extend(self.clash(&listener, &taken));
                    if listener.enabled {
                        taken.push(Taken {
                            name: format!("listeners.{}", listener.name),
                            bind: listener.bind.clone(),
                            is_udp: listener.kind.is_udp(),
                        });
                    }
                    listeners.push(listener);
                }
                Err(error) => errors.push(error),
            }
        }
        (listeners, errors)
    }

    fn build(&self, draft: &Draft) -> Result<ListenerConfig, ConfigError> {
        let Draft { name, enabled, .. } = draft;
        let Some(kind) = draft.kind() else {
            let error = ConfigError::new(format!("the listener `{name}` needs a kind"));
            let help = format!("`{name}` is no well-known name; add kind = \"tcp\"");
            return Err(self.point(error, draft, "kind", "which kind?").help(Some(help)));
        };
        let Some(bind) = draft.bind() else {
            let error = ConfigError::new(format!("the listener `{name}` needs an address"));
            let help = match kind {
                ListenerKind::Unix => "add bind = \"unix:/run/weir/mqtt.sock\"",
                _ => "add bind = \"127.0.0.1:1883\"",
            };
            return Err(self
                .point(error, draft, "bind", "bound to what?")
                .help(Some(help.to_owned())));
        };
        let bind = address(kind, bind).map_err(|bad| {
            let error = ConfigError::new(format!("bad value for `listeners.{name}.bind`"));
            self.point(error, draft, "bind", &bad.message).help(bad.help)
        })?;
        self.refuse_useless_keys(draft, kind, &bind)?;
        let tls = if kind.is_tls() && *enabled { Some(self.tls(draft)?) } else { None };
        Ok(ListenerConfig {
            name: name.clone(),
            kind,
            bind,
            enabled: *enabled,
            tls,
            path: draft.path.as_deref().unwrap_or(WEBSOCKET_PATH).to_owned(),
            identity: draft.identity,
            dual_stack: draft.dual_stack,
            proxy: self.proxy(draft)?,
            limits: draft.limits.clone(),
        })
    }

    fn clash(&self, listener: &ListenerConfig, taken: &[Taken]) -> Option<ConfigError> {
        let ListenerConfig { name, bind, enabled, kind, .. } = listener;
        let is_any = matches!(bind, ListenAddress::Ip(address) if address.port() == 0);
        let same = |other: &&Taken| {
            *enabled && !is_any && other.bind == *bind && other.is_udp == kind.is_udp()
        };
        let other = &taken.iter().find(same)?.name;
        let error =
            ConfigError::new(format!("`{other}` and `listeners.{name}` are both bound to {bind}"));
        let places = [format!("listeners.{name}.bind"), format!("{other}.bind")];
        let given = places.iter().find_map(|key| self.given.get(key));
        Some(match given {
            Some((_, place)) => error.at(place, "taken"),
            None => error,
        })
    }

    /// Marks the key when it was given, else the place that names the listener, if any does.
    fn point(&self, error: ConfigError, draft: &Draft, key: &str, label: &str) -> ConfigError {
        let full = format!("listeners.{}.{key}", draft.name);
        let given = self.given.get(&full).map(|(_, place)| place);
        match given.or_else(|| self.named.get(&draft.name)) {
            Some(place) => error.at(place, label),
            None => error,
        }
    }
}

/// The address of a listener of that kind.
fn address(kind: ListenerKind, text: &str) -> Result<ListenAddress, BadValue> {
    match (kind, text.strip_prefix(UNIX)) {
        (ListenerKind::Unix, Some(path)) => value::path(path).map(ListenAddress::Unix),
        (ListenerKind::Unix, None) => Err(BadValue {
            message: format!("'{text}' is no Unix socket"),
            help: Some("write it as unix:/run/weir/mqtt.sock".to_owned()),
        }),
        _ => value::address(text).map(ListenAddress::Ip),
    }
}

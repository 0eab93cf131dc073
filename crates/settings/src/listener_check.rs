//! Drafts of listeners into listeners that can be served, or faults.
//! It must not know how sources are read.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::error::ConfigError;
use crate::listener::{Draft, ListenerConfig};
use crate::settings::HttpSettings;
use crate::source::Place;
use crate::value::address;

/// Where keys and listeners stand, for the faults to point at.
pub(crate) struct ListenerCheck<'a> {
    pub(crate) given: &'a BTreeMap<String, (String, Place)>,
    pub(crate) named: &'a BTreeMap<String, Place>,
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
        let mut taken: Vec<(String, SocketAddr)> = Vec::new();
        if http.enabled {
            taken.push(("http".to_owned(), http.bind));
        }
        for draft in drafts.values() {
            match self.build(draft) {
                Ok(Some(listener)) => {
                    errors.extend(self.clash(&listener, &taken));
                    if listener.enabled {
                        taken.push((format!("listeners.{}", listener.name), listener.bind));
                    }
                    listeners.push(listener);
                }
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        (listeners, errors)
    }

    /// The listener; none when it is switched off and of a kind that is not served.
    fn build(&self, draft: &Draft) -> Result<Option<ListenerConfig>, ConfigError> {
        let Draft { name, enabled, .. } = draft;
        let Some(kind) = draft.kind() else {
            let error = ConfigError::new(format!("the listener `{name}` needs a kind"));
            let help = format!("`{name}` is no well-known name; add kind = \"tcp\"");
            return Err(self.point(error, draft, "kind", "which kind?").help(Some(help)));
        };
        if !kind.is_served() {
            if !enabled {
                return Ok(None);
            }
            let message = format!(
                "the listener `{name}` is of kind {}, and this version serves only tcp",
                kind.as_str()
            );
            let help = format!("set listeners.{name}.enabled = false, or leave it out");
            let error = ConfigError::new(message);
            return Err(self.point(error, draft, "kind", "not served yet").help(Some(help)));
        }
        let Some(bind) = draft.bind() else {
            let error = ConfigError::new(format!("the listener `{name}` needs an address"));
            let help = "add bind = \"127.0.0.1:1883\"".to_owned();
            return Err(self.point(error, draft, "bind", "bound to what?").help(Some(help)));
        };
        let bind = address(bind).map_err(|bad| {
            let error = ConfigError::new(format!("bad value for `listeners.{name}.bind`"));
            self.point(error, draft, "bind", &bad.message).help(bad.help)
        })?;
        Ok(Some(ListenerConfig { name: name.clone(), kind, bind, enabled: *enabled }))
    }

    fn clash(
        &self,
        listener: &ListenerConfig,
        taken: &[(String, SocketAddr)],
    ) -> Option<ConfigError> {
        let ListenerConfig { name, bind, enabled, .. } = listener;
        let same =
            |(_, other): &&(String, SocketAddr)| *enabled && bind.port() != 0 && other == bind;
        let (other, _) = taken.iter().find(same)?;
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

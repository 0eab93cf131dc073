//! The key table: TOML file, environment and flags in, plain typed settings out.
//! It must not know what the components do with their settings.
//!
//! Every key is a row of the table in `keys`: its name, its type, its default, one sentence, and the field
//! it fills. The rows read the sources, fill the structs and write `docs/configuration.md`.

mod auth;
mod environment;
mod error;
mod file;
mod flag;
mod key;
mod keys;
mod listener;
mod listener_check;
mod loader;
mod loading;
mod queue_defaults;
mod reference;
mod secret;
mod settings;
mod shared_subscriptions;
mod source;
mod stream_defaults;
mod suggestion;
mod value;

#[cfg(test)]
mod tests;

pub use auth::{AnonymousAccess, AuthSettings};
pub use error::{ConfigError, ConfigErrors};
pub use listener::{
    ListenAddress, ListenerConfig, ListenerIdentity, ListenerKind, ListenerLimits, ProxySettings,
    TlsSettings,
};
pub use loading::{EffectiveValue, Loaded, Sources};
pub use queue_defaults::{DeadLetter, DispatchStrategy, Durability, Overflow, QueueDefaults};
pub use reference::reference;
pub use secret::{Secret, SecretError};
pub use settings::{
    AutoCreateSettings, HttpSettings, LogFormat, LogLevel, LogSettings, LoggingSettings,
    MqttSettings, OtlpSettings, QueueSettings, ServerSettings, Settings, StreamSettings,
};
pub use shared_subscriptions::{SharedStrategy, SharedSubscriptionSettings};
pub use source::Origin;
pub use stream_defaults::StreamDefaults;

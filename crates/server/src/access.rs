//! What the log says at the start about who may connect.

use settings::{AnonymousAccess, ListenerIdentity, Settings};

/// Says what holds, and warns of addresses where it is not what one would expect.
pub(crate) fn say(settings: &Settings, addresses: &[(String, net::Address)], has_users: bool) {
    let anonymous = settings.auth.anonymous;
    say_rule(anonymous, has_users);
    for (name, address) in addresses {
        let is_open = address.ip().is_some_and(|address| !address.ip().is_loopback());
        let by_certificate = settings.listeners.iter().any(|listener| {
            listener.name == *name && listener.identity == ListenerIdentity::Certificate
        });
        if name == "http" || !is_open || by_certificate {
            continue;
        }
        match (anonymous, has_users) {
            (AnonymousAccess::Always, _) => tracing::warn!(
                listener = %name, %address,
                "whoever reaches this listener may publish, subscribe and consume: auth.anonymous is always"
            ),
            (_, false) => tracing::warn!(
                listener = %name, %address,
                "nobody but admin can sign in here: there are no users yet; add one with `weir users add`"
            ),
            (_, true) => {}
        }
    }
}

/// Says who may connect.
pub(crate) fn say_rule(anonymous: AnonymousAccess, has_users: bool) {
    tracing::info!("who may connect: {}", rule(anonymous, has_users));
}

const fn rule(anonymous: AnonymousAccess, has_users: bool) -> &'static str {
    match (anonymous, has_users) {
        (AnonymousAccess::Never, _) => "users only (auth.anonymous is never)",
        (AnonymousAccess::Always, _) => "everybody (auth.anonymous is always)",
        (AnonymousAccess::Loopback, true) => "users only, because there are some",
        (AnonymousAccess::Loopback, false) => {
            "anybody over loopback or a Unix socket, until there are users beside admin; from elsewhere only users"
        }
    }
}

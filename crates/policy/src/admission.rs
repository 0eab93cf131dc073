//! What a CONNECT leads to: how the client has to prove who it is, or that it need not. It must not know users'
//! passwords.

use std::net::IpAddr;

use crate::refusal::Refusal;

/// The authentication method of enhanced authentication that is offered (RFC 7677).
pub const SCRAM_SHA_256: &str = "SCRAM-SHA-256";

/// Who may connect without saying who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Anonymous {
    /// Nobody.
    Never,
    /// Who comes over a loopback address or a Unix socket, as long as no users are set up.
    #[default]
    Loopback,
    /// Everybody.
    Always,
}

/// What holds for sign-in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// Who may be anonymous.
    pub anonymous: Anonymous,
    /// The listeners where a client's certificate says who it is.
    pub certificate_listeners: Vec<String>,
}

/// What a client brings along.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempt<'a> {
    /// Where it comes from; none over a Unix socket.
    pub address: Option<IpAddr>,
    /// The common name in its certificate, which was checked.
    pub certificate_common_name: Option<&'a str>,
    /// The listener that it came through.
    pub listener: &'a str,
    /// The user name.
    pub username: Option<&'a str>,
    /// The password.
    pub password: Option<&'a [u8]>,
    /// The authentication method.
    pub method: Option<&'a str>,
    /// The authentication data.
    pub data: &'a [u8],
}

/// How the client may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission<'a> {
    /// In, as nobody in particular.
    Anonymous,
    /// In, as the name in its certificate.
    Certificate(&'a str),
    /// If that is the user's password.
    Password {
        /// The user.
        username: &'a str,
        /// The password.
        password: &'a [u8],
    },
    /// If it gets through an exchange of SCRAM.
    Scram,
    /// Not at all.
    Refused(Refusal),
}

/// Decides. `has_users` says that sign-in is set up: there are users beside the one of the first start.
///
/// | the client brings | it goes on by |
/// |---|---|
/// | an authentication method | that exchange, whatever else it brings |
/// | a certificate, where the listener goes by it | the certificate |
/// | a user name | the password |
/// | nothing | being anonymous, if it may |
#[must_use]
pub fn admit<'a>(rules: &Rules, has_users: bool, attempt: &Attempt<'a>) -> Admission<'a> {
    match attempt.method {
        Some(SCRAM_SHA_256) => return Admission::Scram,
        Some(_) => return Admission::Refused(Refusal::UnknownMethod),
        None => {}
    }
    if let Some(name) = attempt.certificate_common_name.filter(|name| !name.is_empty())
        && rules.certificate_listeners.iter().any(|listener| listener == attempt.listener)
    {
        return Admission::Certificate(name);
    }
    match (attempt.username, attempt.password) {
        (Some(username), Some(password)) => Admission::Password { username, password },
        (None, None) if may_be_anonymous(rules.anonymous, has_users, attempt.address) => {
            Admission::Anonymous
        }
        (None, None) => Admission::Refused(Refusal::AnonymousNotAllowed),
        // Half of it proves nothing.
        (Some(_), None) | (None, Some(_)) => Admission::Refused(Refusal::WrongCredentials),
    }
}

fn may_be_anonymous(anonymous: Anonymous, has_users: bool, address: Option<IpAddr>) -> bool {
    match anonymous {
        Anonymous::Never => false,
        Anonymous::Always => true,
        Anonymous::Loopback => {
            !has_users && address.is_none_or(|address| address.to_canonical().is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_be_anonymous() {
        let (here, mapped, there) = ("127.0.0.1", "::ffff:127.0.0.9", "10.0.0.1");
        for (anonymous, has_users, address, expected) in [
            (Anonymous::Loopback, false, Some(here), true),
            (Anonymous::Loopback, false, Some("::1"), true),
            (Anonymous::Loopback, false, Some(mapped), true),
            (Anonymous::Loopback, false, None, true),
            (Anonymous::Loopback, false, Some(there), false),
            (Anonymous::Loopback, true, Some(here), false),
            (Anonymous::Loopback, true, None, false),
            (Anonymous::Never, false, Some(here), false),
            (Anonymous::Never, false, None, false),
            (Anonymous::Always, true, Some(there), true),
        ] {
            let rules = Rules { anonymous, ..Rules::default() };
            let address = address.map(|text| text.parse().expect("an address"));
            let attempt = Attempt { address, ..Attempt::default() };
            let expected = match expected {
                true => Admission::Anonymous,
                false => Admission::Refused(Refusal::AnonymousNotAllowed),
            };
            assert_eq!(
                admit(&rules, has_users, &attempt),
                expected,
                "{anonymous:?} {has_users} {address:?}"
            );
        }
    }

    #[test]
    fn what_a_client_brings_decides_how_it_signs_in() {
        let rules = Rules {
            anonymous: Anonymous::Always,
            certificate_listeners: vec!["devices".to_owned()],
        };
        let none = Attempt { listener: "devices", ..Attempt::default() };
        let password = Attempt { username: Some("ada"), password: Some(b"x"), ..none };
        let by_password = Admission::Password { username: "ada", password: b"x" };
        let certificate = Attempt { certificate_common_name: Some("pump-7"), ..password };
        let wrong = Admission::Refused(Refusal::WrongCredentials);
        for (attempt, expected) in [
            (none, Admission::Anonymous),
            (password, by_password),
            (certificate, Admission::Certificate("pump-7")),
            (
                Attempt { username: None, password: None, ..certificate },
                Admission::Certificate("pump-7"),
            ),
            (Attempt { certificate_common_name: Some(""), ..certificate }, by_password),
            (Attempt { listener: "mqtts", ..certificate }, by_password),
            (Attempt { method: Some(SCRAM_SHA_256), ..certificate }, Admission::Scram),
            (
                Attempt { method: Some("scram-sha-256"), ..password },
                Admission::Refused(Refusal::UnknownMethod),
            ),
            (Attempt { method: Some("PLAIN"), ..none }, Admission::Refused(Refusal::UnknownMethod)),
            (Attempt { password: None, ..password }, wrong),
            (Attempt { username: None, ..password }, wrong),
        ] {
            assert_eq!(admit(&rules, true, &attempt), expected, "{attempt:?}");
        }
    }
}

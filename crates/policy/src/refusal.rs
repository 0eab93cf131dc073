//! Why a client may not connect. It must not know in which packet that is said.

/// Why a client may not connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// No such user, or not its password; the two are not told apart.
    #[error("no such user and password")]
    WrongCredentials,
    /// It says not who it is, and has to.
    #[error("anonymous clients are not allowed here")]
    AnonymousNotAllowed,
    /// There is no such authentication method.
    #[error("the authentication method is not SCRAM-SHA-256")]
    UnknownMethod,
    /// Its part of an exchange is not what the method says.
    #[error("the authentication data breaks the rules of SCRAM-SHA-256")]
    BadExchange,
    /// As many sign-ins wait as may.
    #[error("too many sign-ins wait")]
    Busy,
    /// Too many have failed from there.
    #[error("too many sign-ins from this address have failed")]
    TooManyFailures,
    /// It took too long, or could not be checked.
    #[error("the sign-in came to no end")]
    Unfinished,
}

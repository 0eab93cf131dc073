//! Who may see what: every route needs a sign-in but for a short list.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::failure::Failure;
use crate::sign_in::SignIn;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Lets a request through when its route is open or it bears a valid token, with the [`crate::sign_in::Identity`]
/// attached.
pub async fn require_sign_in(
    State(sign_in): State<Arc<SignIn>>,
    mut request: Request,
    next: Next,
) -> Response {
    if is_open(&request) {
        return next.run(request).await;
    }
    let Some(token) = bearer_token(request.headers()) else {
        return Failure::unauthorized(
            "sign in: POST /api/v1/login, or the admin token as Authorization: Bearer",
        )
        .into_response();
    };
    match sign_in.identify(token, Instant::now()) {
        Some(identity) => {
            request.extensions_mut().insert(identity);
            next.run(request).await
        }
        None => {
            Failure::unauthorized("token is unknown or has ended; sign in again").into_response()
        }
    }
}

/// New routes are closed unless they are named here. Unknown paths outside the API say 404 to anyone.
fn is_open(request: &Request) -> bool {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    match route {
        Some("/" | "/healthz" | "/readyz" | "/api/v1/login") => true,
        Some("/metrics") => {
            request.extensions().get::<Peer>().is_some_and(|peer| is_loopback(peer.0))
        }
        Some(_) => false,
        None => !request.uri().path().starts_with("/api"),
    }
}

fn is_loopback(peer: SocketAddr) -> bool {
    peer.ip().to_canonical().is_loopback()
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_peers_are_local() {
        for (peer, expected) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("[::ffff:10.0.0.1]:1", false),
            ("0.0.0.0:1", false),
        ] {
            assert_eq!(is_loopback(peer.parse().expect("an address")), expected, "{peer}");
        }
    }

    #[test]
    fn the_token_comes_from_a_bearer_header_only() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().expect("legal"));
            assert_eq!(bearer_token(&headers), expected, "{value}");
        }
    }
}

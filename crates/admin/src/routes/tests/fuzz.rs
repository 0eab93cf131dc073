//! Requests that are nearly right, past the HTTP parser: each is answered in time with a status of ours, an error with
//! its code and words.

use std::path::Path;

use admin_api::ErrorBody;
use axum::Router;
use axum::http::{Method, Uri};
use stdx::testing::{Dice, corpus, runs};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;

const PATHS: [&str; 15] = [
    "/api/v1/queues",
    "/api/v1/queues/a%2F%23",
    "/api/v1/queues/%FF",
    "/api/v1/streams",
    "/api/v1/streams/a/seek",
    "/api/v1/streams/a/purge",
    "/api/v1/streams/a/readers/%FF?kind=x",
    "/api/v1/users",
    "/api/v1/users/ada",
    "/api/v1/users/%00",
    "/api/v1/login",
    "/api/v1/explain?topic=%FF&offset=-1",
    "/api/v1/nothing",
    "/healthz",
    "/metrics",
];
const QUERIES: [&str; 6] =
    ["", "", "?limit=1", "?limit=x&cursor=%FF", "?cursor=", "?limit=99999999999"];

/// The routes, behind a sign-in that has one token.
struct Served {
    routes: Router,
    token: String,
    runtime: Runtime,
    _data_dir: TempDir,
}

impl Served {
    fn new() -> Self {
        let data_dir = tempfile::tempdir().expect("temporary directory");
        let (store, _) = policy_backends::UserStore::open(data_dir.path(), 4_096).expect("created");
        let users = policy_backends::SignIn::start(policy_backends::Config::default(), store);
        let admin_token = AdminToken::load_or_create(data_dir.path()).expect("created");
        let token = std::fs::read_to_string(data_dir.path().join("admin.token")).expect("made");
        let config = Config::new(([127, 0, 0, 1], 0).into(), "1");
        let sign_in = SignIn::new(admin_token, users.expect("threads"), config.token_lifetime, 10);
        let backend = Arc::new(Numbers);
        let shared = Shared { config, sign_in: Arc::new(sign_in), backend };
        let peer = Peer(([127, 0, 0, 1], 1).into());
        let routes = routes(Arc::new(shared)).layer(Extension(peer));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        Self { routes, token: format!("Bearer {}", token.trim()), runtime, _data_dir: data_dir }
    }

    /// Sends a request, and looks at the answer.
    fn ask(&self, method: &Method, uri: &Uri, authorization: &str, body: Vec<u8>) {
        let service = TowerToHyperService::new(self.routes.clone());
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("authorization", authorization).body(Body::from(body));
        let request = request.expect("a request");
        let response = self.runtime.block_on(service.call(request)).expect("an answer");
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20);
        let body = self.runtime.block_on(body).expect("a body");
        let is_known = status.is_success()
            || status.is_client_error()
            || status == StatusCode::SERVICE_UNAVAILABLE;
        assert!(is_known, "{method} {uri}: {status}");
        if status.is_client_error() && method != Method::HEAD {
            let error: ErrorBody = serde_json::from_slice(&body).expect("an error of ours");
            assert!(!error.code.is_empty() && !error.message.is_empty(), "{method} {uri}");
        }
    }
}

fn body(kept: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.one_of(kept).clone();
    if dice.one_in(4) {
        // One object's beginning with another's end.
        let other = dice.one_of(kept);
        let (head, tail) = (dice.below(bytes.len() + 1), dice.below(other.len() + 1));
        bytes = [&bytes[..head], &other[tail..]].concat();
    }
    if !dice.one_in(8) {
        dice.mutate(&mut bytes);
    }
    bytes
}

fn kept() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    corpus(&folder).into_iter().map(|(name, pieces)| (name, pieces.concat())).collect()
}

#[test]
fn each_request_is_answered() {
    let served = Served::new();
    let kept: Vec<_> = kept().into_iter().map(|(_, body)| body).collect();
    let methods =
        [Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::PUT, Method::HEAD];
    runs(300, |_, dice| {
        let mut target = format!("{}{}", dice.one_of(&PATHS), dice.one_of(&QUERIES)).into_bytes();
        if dice.one_in(5) {
            dice.mutate(&mut target);
        }
        // What is no URI the HTTP parser refuses.
        let Ok(uri) = Uri::try_from(target) else { return };
        let method = dice.one_of(&methods).clone();
        let strange = *dice.one_of(&["", "Basic YTpi", "Basic ====", "Bearer x", "\u{e4}"]);
        let authorization = if dice.one_in(5) { strange } else { &served.token };
        served.ask(&method, &uri, authorization, body(&kept, dice));
    });
}

#[test]
fn each_kept_body_is_answered() {
    let served = Served::new();
    for (name, body) in kept() {
        println!("{name}");
        for (method, path) in [
            (Method::POST, "/api/v1/queues"),
            (Method::PATCH, "/api/v1/queues/jobs"),
            (Method::POST, "/api/v1/streams"),
            (Method::PATCH, "/api/v1/streams/logs"),
            (Method::POST, "/api/v1/streams/logs/seek"),
            (Method::POST, "/api/v1/users"),
            (Method::PATCH, "/api/v1/users/ada"),
            (Method::POST, "/api/v1/login"),
        ] {
            served.ask(&method, &Uri::from_static(path), &served.token, body.clone());
        }
    }
}

//! A server on a port of the system's choice, and a client that shows what came back.

use std::net::SocketAddr;
use std::sync::Arc;

use admin::{AdminToken, Config, Running};
use policy_backends::{SignIn, UserStore};
use serde_json::Value;

use crate::fake_backend::FakeBackend;

pub struct World {
    pub backend: Arc<FakeBackend>,
    pub password: String,
    pub token: String,
    pub server: Running,
    pub data_dir: tempfile::TempDir,
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Status and, for an error, its code and field.
    pub fn outcome(&self) -> (u16, String, String) {
        let json = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (self.status, text(&json["code"]), text(&json["details"]["field"]))
    }
}

impl World {
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    pub fn start_with(adjust: impl FnOnce(&mut Config)) -> Self {
        let data_dir = tempfile::tempdir().expect("temporary directory");
        let (store, password) = UserStore::open(data_dir.path(), 4_096).expect("created");
        let admin_token = AdminToken::load_or_create(data_dir.path()).expect("created");
        let users = SignIn::start(policy_backends::Config::default(), store).expect("threads");
        let password = password.expect("first start").reveal().to_owned();
        let token = std::fs::read_to_string(data_dir.path().join("admin.token"))
            .expect("made")
            .trim()
            .to_owned();
        let mut config = Config::new(SocketAddr::from(([127, 0, 0, 1], 0)), "9.9.9");
        adjust(&mut config);
        let backend = Arc::new(FakeBackend::default());
        let seam = Arc::clone(&backend);
        let server = admin::build(config, admin_token, users, seam).expect("built").run();
        Self { backend, password, token, server, data_dir }
    }

    /// A request with that `Authorization`, or none.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        body: &str,
        authorization: Option<&str>,
    ) -> Reply {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.server.local_addr()));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let mut response =
            agent.run(request.body(body.to_owned()).expect("legal request")).expect("an answer");
        let headers = response.headers().iter().map(|(name, value)| {
            (name.as_str().to_owned(), value.to_str().expect("text").to_owned())
        });
        let headers = headers.collect();
        let text = response.body_mut().read_to_string().expect("text");
        Reply { status: response.status().as_u16(), headers, text }
    }

    /// A request with the admin token.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Reply {
        self.request(method, path, body, Some(&format!("Bearer {}", self.token)))
    }
}

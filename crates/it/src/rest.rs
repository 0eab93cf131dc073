//! REST requests with the admin's token.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

use crate::ledger::Ledger;
use crate::waiting::DEADLINE;

/// REST of one broker.
pub struct Rest {
    agent: Agent,
    address: SocketAddr,
    token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body; null when it is none or not JSON.
    pub body: Value,
}

impl Rest {
    pub(crate) fn new(address: SocketAddr, token: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        Self { agent: config.into(), address, token: token.to_owned() }
    }

    /// `GET /metrics`.
    ///
    /// # Panics
    /// The broker does not answer.
    #[must_use]
    pub fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.address);
        let mut response = self.agent.get(url).call().expect("the broker answers HTTP");
        response.body_mut().read_to_string().expect("text")
    }

    /// Where it is, and the value of `Authorization`, for programs that are not ours.
    #[must_use]
    pub fn address_and_authorization(&self) -> (String, String) {
        (format!("http://{}", self.address), self.bearer())
    }

    /// `GET /api/openapi.json`.
    ///
    /// # Panics
    /// The broker does not answer.
    #[must_use]
    pub fn openapi(&self) -> String {
        let url = format!("http://{}/api/openapi.json", self.address);
        let request = self.agent.get(url).header("Authorization", self.bearer());
        let mut response = request.call().expect("the broker answers HTTP");
        response.body_mut().read_to_string().expect("text")
    }

    /// `GET /api/v1<path>`.
    #[must_use]
    pub fn get(&self, path: &str) -> Response {
        let request = self.agent.get(self.url(path)).header("Authorization", self.bearer());
        read(request.call())
    }

    /// `DELETE /api/v1<path>`.
    #[must_use]
    pub fn delete(&self, path: &str) -> Response {
        let request = self.agent.delete(self.url(path)).header("Authorization", self.bearer());
        read(request.call())
    }

    /// `POST /api/v1<path>` with that body.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.agent.post(self.url(path)).header("Authorization", self.bearer());
        read(request.header("Content-Type", "application/json").send(body.to_string()))
    }

    /// Creates a queue named by its filter, with those properties over the defaults.
    ///
    /// # Panics
    /// The broker does not answer 201.
    pub fn create_queue(&self, filter: &str, properties: Value) {
        let mut body = json!({ "topic_filter": filter });
        if let (Some(body), Value::Object(properties)) = (body.as_object_mut(), properties) {
            body.extend(properties);
        }
        let response = self.post("/queues", &body);
        assert_eq!(response.status, 201, "creating {filter}: {response:?}");
    }

    /// The counts of a queue; none when there is no such queue.
    #[must_use]
    pub fn ledger(&self, queue: &str) -> Option<Ledger> {
        let response = self.get(&format!("/queues/{}", encode(queue)));
        (response.status == 200).then(|| Ledger::read(&response.body["stats"]))
    }

    /// Waits until the counts of a queue are as wanted, and gives them.
    ///
    /// # Panics
    /// They do not become so; the last counts are shown.
    pub fn until(&self, queue: &str, what: &str, wanted: impl Fn(&Ledger) -> bool) -> Ledger {
        let start = std::time::Instant::now();
        loop {
            let ledger = self.ledger(queue);
            match ledger {
                Some(ledger) if wanted(&ledger) => return ledger,
                _ => assert!(
                    start.elapsed() < DEADLINE,
                    "{queue}: waited for {what}, have {ledger:?}"
                ),
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1{path}", self.address)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

fn read(outcome: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Response {
    let mut response = outcome.expect("the broker answers HTTP");
    let text = response.body_mut().read_to_string().unwrap_or_default();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Response { status: response.status().as_u16(), body }
}

/// Percent-encodes one part of a path.
fn encode(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = part.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    encoded.collect()
}

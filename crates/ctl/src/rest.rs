//! Requests to the broker's REST side, with errors that say what to do.

use std::io::Read;
use std::time::Duration;

use admin_api::{ESTIMATED_BYTES, ErrorBody, Page};
use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Request, Response, StatusCode};

/// Things that are asked for at once.
const PAGE: usize = 1_000;
/// Bytes of an answer: the metrics of ten thousand queues have some ten million.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Something that comes as it is.
pub struct Download {
    /// About how many bytes it will have; 0 when that is not said.
    pub estimated_bytes: u64,
    /// Its bytes.
    pub content: Box<dyn Read>,
}

/// A client of the REST side.
pub struct Rest {
    agent: ureq::Agent,
    url: String,
    authorization: String,
}

impl Rest {
    /// A client for that address with that token.
    pub fn new(url: &str, token: &str) -> Self {
        Self::with_timeout(url, token, Some(TIMEOUT))
    }

    /// One that waits for an answer as long as the broker takes.
    pub fn patient(url: &str, token: &str) -> Self {
        Self::with_timeout(url, token, None)
    }

    fn with_timeout(url: &str, token: &str, timeout: Option<Duration>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(timeout)
            .timeout_connect(Some(TIMEOUT))
            // A proxy set for the web is not meant for the broker.
            .proxy(None);
        Self {
            agent: config.build().into(),
            url: url.to_owned(),
            authorization: format!("Bearer {token}"),
        }
    }

    /// Reads a resource.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        read(&self.request("GET", path, String::new())?)
    }

    /// Reads what is text and no JSON.
    pub fn text(&self, path: &str) -> Result<String> {
        self.request("GET", path, String::new())
    }

    /// The broker's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Reads a whole list, page after page, of the things that the query leaves.
    pub fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
    ) -> Result<Vec<T>> {
        let mut first = format!("{path}?limit={PAGE}");
        for (key, value) in query {
            if let Some(value) = value {
                first.push_str(&format!("&{key}={}", segment(value)));
            }
        }
        let mut things = Vec::new();
        let mut path = first.clone();
        loop {
            let page: Page<T> = self.get(&path)?;
            things.extend(page.data);
            match page.next {
                Some(cursor) => path = format!("{first}&cursor={cursor}"),
                None => return Ok(things),
            }
        }
    }

    /// Creates or changes a resource.
    pub fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        read(&self.request(method, path, serde_json::to_string(body)?)?)
    }

    /// Deletes a resource.
    pub fn delete(&self, path: &str) -> Result<()> {
        self.request("DELETE", path, String::new()).map(|_| ())
    }

    /// Deletes the things that the query leaves, and says what became of that.
    pub fn remove<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T> {
        let query: Vec<String> =
            query.iter().map(|(key, value)| format!("{key}={}", segment(value))).collect();
        read(&self.request("DELETE", &format!("{path}?{}", query.join("&")), String::new())?)
    }

    /// Takes a resource that is no JSON, as it comes.
    pub fn download(&self, path: &str) -> Result<Download> {
        let mut response = self.ask("GET", path, String::new())?;
        if !response.status().is_success() {
            let text = self.text_of(&mut response)?;
            return Err(refusal(response.status(), &text));
        }
        let estimate = response.headers().get(ESTIMATED_BYTES);
        let estimate = estimate.and_then(|value| value.to_str().ok()?.parse().ok());
        let content = response.into_body().into_reader();
        Ok(Download { estimated_bytes: estimate.unwrap_or_default(), content: Box::new(content) })
    }

    fn request(&self, method: &str, path: &str, body: String) -> Result<String> {
        let mut response = self.ask(method, path, body)?;
        let text = self.text_of(&mut response)?;
        if response.status().is_success() {
            Ok(text)
        } else {
            Err(refusal(response.status(), &text))
        }
    }

    fn ask(&self, method: &str, path: &str, body: String) -> Result<Response<ureq::Body>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .body(body)
            .with_context(|| format!("address '{}' makes no request", self.url))?;
        self.agent.run(request).map_err(|error| self.unreachable(&error))
    }

    fn text_of(&self, response: &mut Response<ureq::Body>) -> Result<String> {
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        body.read_to_string().map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        anyhow!(
            "broker at {} does not answer: {error}; start one with `weir serve`, or name one with --url",
            self.url
        )
    }
}

/// A name as one segment of a path (RFC 3986 §2.3).
pub fn segment(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .context("the broker's answer is not understood; is it of another version?")
}

fn refusal(status: StatusCode, text: &str) -> anyhow::Error {
    let message = match serde_json::from_str::<ErrorBody>(text) {
        Ok(body) => body.message,
        Err(_) => format!("the broker answered {status}"),
    };
    match status {
        StatusCode::UNAUTHORIZED => {
            anyhow!("not signed in: {message}; is --data-dir that of this broker?")
        }
        StatusCode::NOT_FOUND => match lister(&message) {
            Some(command) => anyhow!("{message}; `{command}` lists what is there"),
            None => anyhow!(message),
        },
        _ => anyhow!(message),
    }
}

/// The command that shows what there is of the kind that was not found.
fn lister(message: &str) -> Option<&'static str> {
    let (kind, _) = message.split_once(" '")?;
    Some(match kind {
        "queue" => "weir queue ls",
        "stream" => "weir stream ls",
        "reader" => "weir stream readers NAME",
        "client" => "weir clients ls",
        "user" => "weir users ls",
        "delayed message" => "weir delayed ls",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_segment() {
        for (name, expected) in [
            ("billing", "billing"),
            ("sensor/+/data", "sensor%2F%2B%2Fdata"),
            ("ä #", "%C3%A4%20%23"),
        ] {
            assert_eq!(segment(name), expected);
        }
    }

    #[test]
    fn refusals_speak_the_brokers_words() {
        let body = r#"{"code": "conflict", "message": "queue 'a' exists", "details": {}}"#;
        assert_eq!(refusal(StatusCode::CONFLICT, body).to_string(), "queue 'a' exists");
        let path = r#"{"code": "not_found", "message": "path '/x' does not exist", "details": {}}"#;
        assert_eq!(refusal(StatusCode::NOT_FOUND, path).to_string(), "path '/x' does not exist");
        assert_eq!(
            refusal(StatusCode::BAD_GATEWAY, "<html>").to_string(),
            "the broker answered 502 Bad Gateway"
        );
    }
}

//! The HTTP request that turns a connection into a WebSocket, and its answer (RFC 6455 section 4.2). It must not know
//! sockets.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The most headers a request may have.
const HEADERS_MAX: usize = 64;
/// What every server appends to the client's key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The sub-protocols served, the best first. `[MQTT-6.0.0-4]`; the second is what clients of MQTT 3.1 ask for.
const PROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// What a request came to.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Upgrade {
    /// More has to come.
    Partial,
    /// Send the answer; frames begin after so many bytes of the request.
    Accepted { answer: Vec<u8>, consumed: usize },
    /// Send the answer and close.
    Refused { answer: Vec<u8>, why: &'static str },
}

/// Reads a request for `path` and answers it.
pub(crate) fn answer(request: &[u8], path: &str) -> Upgrade {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let consumed = match parsed.parse(request) {
        Ok(httparse::Status::Partial) => return Upgrade::Partial,
        Ok(httparse::Status::Complete(consumed)) => consumed,
        Err(httparse::Error::TooManyHeaders) => return too_large(),
        Err(_) => return refuse("400 Bad Request", "", "no HTTP request"),
    };
    if parsed.method != Some("GET") || parsed.version != Some(1) {
        return refuse("405 Method Not Allowed", "Allow: GET\r\n", "no GET of HTTP/1.1");
    }
    let asked = parsed.path.unwrap_or_default();
    if asked.split('?').next() != Some(path) {
        return refuse("404 Not Found", "", "another path");
    }
    let headers = &*parsed.headers;
    if !has_word(headers, "connection", "upgrade") || !has_word(headers, "upgrade", "websocket") {
        return refuse("426 Upgrade Required", "Upgrade: websocket\r\n", "no request to upgrade");
    }
    if !has_word(headers, "sec-websocket-version", "13") {
        let version = "Sec-WebSocket-Version: 13\r\n";
        return refuse("426 Upgrade Required", version, "another version of WebSocket");
    }
    let Some(key) = value(headers, "sec-websocket-key").filter(|key| is_key(key)) else {
        return refuse("400 Bad Request", "", "no Sec-WebSocket-Key");
    };
    // `[MQTT-6.0.0-3]`: the client names the sub-protocol.
    let wanted = |name: &&&str| has_word(headers, "sec-websocket-protocol", name);
    let Some(protocol) = PROTOCOLS.iter().find(wanted) else {
        return refuse("400 Bad Request", "", "the sub-protocol mqtt is not asked for");
    };
    let accept = accept(key);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    );
    Upgrade::Accepted { answer: answer.into_bytes(), consumed }
}

/// The answer to a request that does not end within the limit.
pub(crate) fn too_large() -> Upgrade {
    refuse("431 Request Header Fields Too Large", "", "a request beyond the limit")
}

fn refuse(status: &str, headers: &str, why: &'static str) -> Upgrade {
    let length = why.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Type: text/plain\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{why}\n"
    );
    Upgrade::Refused { answer: answer.into_bytes(), why }
}

/// The proof that the key was read.
fn accept(key: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key);
    context.update(GUID);
    STANDARD.encode(context.finish())
}

/// Whether it is base64 of 16 bytes.
fn is_key(key: &[u8]) -> bool {
    STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16)
}

fn value<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// Whether a header of that name lists the word.
fn has_word(headers: &[httparse::Header<'_>], name: &str, word: &str) -> bool {
    let same_name = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
    let mut words =
        headers.iter().filter(same_name).flat_map(|h| h.value.split(|byte| *byte == b','));
    words.any(|found| found.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests;

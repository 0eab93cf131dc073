//! The HTTP request that turns a connection into a WebSocket (RFC 6455 section 4.1).

use std::io::{BufRead, BufReader, Write};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::websocket_halves::{Halves, split};
use super::{Incoming, Outgoing};
use crate::Error;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// The most headers an answer may have.
const HEADERS_MAX: usize = 64;
/// What every server appends to the client's key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Asks for the sub-protocol `mqtt` at `path`. `[MQTT-6.0.0-3]`
pub(super) fn handshake(
    incoming: Box<dyn Incoming>,
    mut outgoing: Box<dyn Outgoing>,
    address: &str,
    path: &str,
) -> Result<Halves, Error> {
    let failed =
        |why: String| Error::Handshake { what: "WebSocket", address: address.to_owned(), why };
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| failed(error.to_string()))?;
    let key = STANDARD.encode(nonce);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let sent = outgoing.write_all(request.as_bytes()).and_then(|()| outgoing.flush());
    sent.map_err(|error| failed(error.to_string()))?;
    let mut incoming = BufReader::with_capacity(64 << 10, incoming);
    let answer = read_answer(&mut incoming).map_err(failed)?;
    check_answer(&answer, &key).map_err(failed)?;
    Ok(split(incoming, outgoing))
}

/// Reads an HTTP answer to the end of its headers.
fn read_answer(incoming: &mut impl BufRead) -> Result<Vec<u8>, String> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let left = (ANSWER_BYTES_MAX - answer.len()) as u64;
        match std::io::Read::take(&mut *incoming, left).read_until(b'\n', &mut answer) {
            Ok(0) if left == 0 => return Err("the server's answer is too long".to_owned()),
            Ok(0) => return Err("the server closed the connection".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(answer)
}

fn check_answer(answer: &[u8], key: &str) -> Result<(), String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut headers);
    if !matches!(parsed.parse(answer), Ok(httparse::Status::Complete(_))) {
        return Err("the server does not speak HTTP".to_owned());
    }
    let code = parsed.code.unwrap_or_default();
    if code != 101 {
        return Err(format!("the server answers {code} {}", parsed.reason.unwrap_or_default()));
    }
    let header = |name: &str| {
        let mut headers = parsed.headers.iter();
        headers.find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    };
    if header("sec-websocket-accept") != Some(accept(key).as_bytes()) {
        return Err("the server's answer is to another request".to_owned());
    }
    // `[MQTT-6.0.0-4]`
    match header("sec-websocket-protocol") {
        Some(b"mqtt") => Ok(()),
        _ => Err("the server does not agree to the sub-protocol mqtt".to_owned()),
    }
}

/// The proof that the server has read the key.
fn accept(key: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key.as_bytes());
    context.update(GUID);
    STANDARD.encode(context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_checked() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
        assert_eq!(check_answer(good.as_bytes(), key), Ok(()));
        for (from, to, words) in [
            ("101 Switching Protocols", "404 Not Found", "404 Not Found"),
            ("s3pP", "xxxx", "another request"),
            ("Protocol: mqtt", "Protocol: chat", "sub-protocol"),
            ("HTTP/1.1", "SMTP", "does not speak HTTP"),
        ] {
            let error = check_answer(good.replace(from, to).as_bytes(), key).expect_err(to);
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn an_answer_has_an_end() {
        let text = b"HTTP/1.1 101 OK\r\nA: b\r\n\r\n\x82\x00";
        let mut reader = &text[..];
        assert_eq!(read_answer(&mut reader).expect("whole"), text[..25]);
        assert_eq!(reader, b"\x82\x00");
        assert!(read_answer(&mut &b"HTTP/1.1 101"[..]).is_err());
        let endless = vec![b'a'; 2 * ANSWER_BYTES_MAX];
        assert!(read_answer(&mut &endless[..]).expect_err("endless").contains("too long"));
    }
}

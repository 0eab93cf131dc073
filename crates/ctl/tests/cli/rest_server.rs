//! An HTTP server that answers what it is told to and shows what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use serde_json::Value;

/// What was asked: method and path, authorization, body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    pub line: String,
    pub authorization: String,
    pub body: String,
}

/// Answers one request after the other, each on a connection of its own. Gives the address.
pub fn serve(answers: Vec<(u16, String)>) -> (String, JoinHandle<Vec<Asked>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || {
        let answer = |(status, body): (u16, String)| {
            let (stream, _) = listener.accept().expect("a client");
            exchange(&stream, status, &body)
        };
        answers.into_iter().map(answer).collect()
    });
    (url, server)
}

/// The same with bodies of JSON; null is none.
pub fn serve_json(answers: Vec<(u16, Value)>) -> (String, JoinHandle<Vec<Asked>>) {
    let text = |(status, body): (u16, Value)| match body {
        Value::Null => (status, String::new()),
        body => (status, body.to_string()),
    };
    serve(answers.into_iter().map(text).collect())
}

fn exchange(mut stream: &TcpStream, status: u16, body: &str) -> Asked {
    let mut lines = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).expect("a request");
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let found = head.iter().find_map(|line| {
            line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name))
        });
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let mut asked = vec![0; header("content-length").parse().unwrap_or(0)];
    lines.read_exact(&mut asked).expect("a body");
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .expect("sent");
    Asked {
        line: head[0].trim_end_matches(" HTTP/1.1").to_owned(),
        authorization: header("authorization"),
        body: String::from_utf8(asked).expect("text"),
    }
}

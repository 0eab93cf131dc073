use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use admin::{AdminToken, Config, Error};
use policy_backends::{SignIn, UserStore};

use crate::client::World;
use crate::fake_backend::FakeBackend;

#[test]
fn a_body_beyond_the_limit_is_refused() {
    let world = World::start_with(|config| config.max_body_bytes = 64);
    let body = format!(r#"{{"topic_filter": "{}"}}"#, "a".repeat(64));
    let reply = world.call("POST", "/api/v1/queues", &body);
    assert_eq!(reply.outcome(), (413, "body_too_large".into(), String::new()));
}

#[test]
fn a_broker_that_does_not_answer_is_not_waited_for() {
    let world = World::start_with(|config| config.request_timeout = Duration::from_millis(20));
    *world.backend.stuck.lock().expect("not poisoned") = true;
    let reply = world.request("GET", "/metrics", "", None);
    assert_eq!(reply.outcome(), (503, "unavailable".into(), String::new()));
    assert_eq!(reply.header("retry-after"), Some("1"));
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let world = World::start_with(|config| config.head_timeout = Duration::from_millis(50));
    let mut stream = TcpStream::connect(world.server.local_addr()).expect("connected");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nx-slow: ").expect("sent");
    let mut answer = Vec::new();
    // Ends only because the server closes; a reset is as good.
    let _ = stream.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
}

#[test]
fn an_address_in_use_is_an_early_error_that_names_it() {
    let taken = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let address = taken.local_addr().expect("bound");
    let data_dir = tempfile::tempdir().expect("temporary directory");
    let (store, _) = UserStore::open(data_dir.path(), 4_096).expect("created");
    let users = SignIn::start(policy_backends::Config::default(), store).expect("threads");
    let token = AdminToken::load_or_create(data_dir.path()).expect("created");
    let backend = Arc::new(FakeBackend::default());
    let built = admin::build(Config::new(address, "1"), token, users, backend);
    let Err(error @ Error::Bind { .. }) = built else { panic!("it must not bind {address}") };
    let message = error.to_string();
    assert!(message.contains(&address.to_string()) && message.contains("http.bind"), "{message}");
}

#[test]
fn shutdown_ends_idle_connections_and_frees_the_port() {
    let world = World::start();
    let address = world.server.local_addr();
    let mut idle = TcpStream::connect(address).expect("connected");
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    let mut head = [0; 15];
    idle.read_exact(&mut head).expect("answered");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    world.server.shutdown();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).expect("closed by the server");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

//! Signing in: passwords that are checked elsewhere, exchanges, whose a session is. The exchange is the one of RFC 7677.

use std::sync::Arc;

use parking_lot::Mutex;
use policy::{
    Admission, Anonymous, Attempt, Authenticator, Begun, ClientFirst, Identity, Refusal, Reply,
    Rules, ScramKeys, ScramServer, Verdict, admit,
};

use super::check_with;
use super::world::World;
use crate::config::Config;

/// `c=biws,r=…` of the right password, and the proof of the server.
const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SALT: &[u8] = &[
    0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81,
];

/// Knows everyone whose password is `pencil`, but for who was removed. Who has the password `later` gets its verdict
/// when the test says so.
#[derive(Default)]
struct Pencils {
    waiting: Mutex<Vec<Reply>>,
    removed: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Pencils {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pencils")
    }
}

fn identity(username: &str) -> Arc<Identity> {
    Arc::new(Identity { username: username.into(), roles: [].into(), by_certificate: false })
}

impl Pencils {
    /// Gives those who wait their verdict.
    fn say(&self, verdict: &Verdict) {
        for reply in self.waiting.lock().drain(..) {
            reply(verdict.clone());
        }
    }
}

impl Authenticator for Pencils {
    fn begin(&self, attempt: &Attempt<'_>, reply: Reply) -> Begun {
        let rules = Rules { anonymous: Anonymous::Always, ..Rules::default() };
        match admit(&rules, true, attempt) {
            Admission::Refused(refusal) => Begun::Decided(Err(refusal)),
            Admission::Anonymous => Begun::Decided(Ok(None)),
            Admission::Certificate(name) => Begun::Decided(Ok(Some(identity(name)))),
            Admission::Password { password: b"later", .. } => {
                self.waiting.lock().push(reply);
                Begun::Pending
            }
            Admission::Password { password: b"busy", .. } => Begun::Decided(Err(Refusal::Busy)),
            Admission::Password { password: b"again", .. } => {
                Begun::Decided(Err(Refusal::TooManyFailures))
            }
            Admission::Password { username, password } => {
                let verdict = if password == b"pencil" {
                    Ok(Some(identity(username)))
                } else {
                    Err(Refusal::WrongCredentials)
                };
                reply(verdict);
                Begun::Pending
            }
            Admission::Scram => match ClientFirst::parse(attempt.data) {
                Ok(first) if attempt.username.is_none_or(|name| name == first.username) => {
                    let keys = ScramKeys::of(b"pencil", SALT, 4_096);
                    let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
                    let (exchange, data) = ScramServer::begin(first, keys, nonce);
                    Begun::Challenge { exchange: Box::new(exchange), data }
                }
                Ok(_) => Begun::Decided(Err(Refusal::WrongCredentials)),
                Err(_) => Begun::Decided(Err(Refusal::BadExchange)),
            },
        }
    }

    fn conclude(
        &self,
        exchange: &ScramServer,
        attempt: &Attempt<'_>,
    ) -> Result<(Arc<Identity>, Vec<u8>), Refusal> {
        let data = exchange.finish(attempt.data).map_err(|_| Refusal::WrongCredentials)?;
        Ok((identity(exchange.username()), data))
    }

    fn renewed(&self, identity: &Arc<Identity>) -> Option<Arc<Identity>> {
        let is_gone = self.removed.lock().iter().any(|name| **name == *identity.username);
        (!is_gone).then(|| Arc::clone(identity))
    }
}

fn config(pencils: Arc<Pencils>) -> Config {
    let mut config = Config { authenticator: pencils, ..Config::default() };
    config.limits.enhanced_authentication = true;
    config
}

/// Runs a transcript in which `FIRST`, `CHALLENGE`, `FINAL` and `PROOF` stand for the messages of the exchange.
fn check(transcript: &str) {
    let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    let challenge =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    let proof = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    let words = [("FIRST", first), ("CHALLENGE", challenge), ("FINAL", FINAL), ("PROOF", proof)];
    let transcript = words
        .iter()
        .fold(transcript.to_owned(), |text, (word, message)| text.replace(word, message));
    check_with(&config(Arc::default()), &transcript);
}

#[test]
fn a_password_decides_and_each_version_hears_why() {
    check(
        r#"
a connect user=ada password=pencil
  a connack 00
a disconnect
  a closed
a connect user=ada password=pen
  a connack 86 "no such user and password"
  a closed
# The words are left out where the client takes no packet of that size. [MQTT-3.2.2-19]
a connect user=ada password=pen mps=30
  a connack 86
  a closed
a connect v=3.1.1 user=ada password=pen
  a connack 86
  a closed
a connect user=ada
  a connack 86 "no such user and password"
  a closed
a connect user=ada password=busy
  a connack 89 "too many sign-ins wait"
  a closed
a connect v=3.1.1 user=ada password=busy
  a connack 88
  a closed
a connect user=ada password=again
  a connack 9f "too many sign-ins from this address have failed"
  a closed
a connect auth=PLAIN data=x
  a connack 8c "the authentication method is not SCRAM-SHA-256"
  a closed
ends
  0
"#,
    );
}

/// `[MQTT-4.12.0-2]`, `[MQTT-4.12.0-3]`, `[MQTT-4.12.0-4]`, `[MQTT-4.12.0-5]`, `[MQTT-3.1.2-30]`
#[test]
fn an_exchange_comes_before_connack() {
    check(
        r#"
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a auth 18 SCRAM-SHA-256 FINAL
  a connack 00 SCRAM-SHA-256 PROOF
a publish 1 t hello id=1
  a puback 1 10
a disconnect
  a closed
# The proof is wrong.
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a auth 18 SCRAM-SHA-256 c=biws,r=x,p=AAAA
  a connack 86 "no such user and password"
  a closed
# There is nothing to begin with.
a connect auth=SCRAM-SHA-256
  a connack 87 "the authentication data breaks the rules of SCRAM-SHA-256"
  a closed
# CONNECT says another name than the exchange.
a connect auth=SCRAM-SHA-256 data=FIRST user=ada
  a connack 86 "no such user and password"
  a closed
# An AUTH of another method, one that begins anew, and packets that may not come yet.
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a auth 18 SCRAM-SHA-1 FINAL
  a connack 82 "only AUTH and DISCONNECT may come before CONNACK"
  a closed
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a auth 19 SCRAM-SHA-256 FIRST
  a connack 82 "only AUTH and DISCONNECT may come before CONNACK"
  a closed
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a subscribe 1 t,1
  a connack 82 "only AUTH and DISCONNECT may come before CONNACK"
  a closed
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a disconnect
  a closed
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a lost
# Who does not answer is not waited for.
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
wait 9999
wait 1
  a connack 87 "the sign-in came to no end"
  a closed
ends
  0
"#,
    );
}

/// `[MQTT-3.2.2-19]`, `[MQTT-3.1.2-24]`
#[test]
fn a_refusal_says_why_where_that_fits() {
    check(
        r#"
a connect auth=OTHER mps=100
  a connack 8c "the authentication method is not SCRAM-SHA-256"
  a closed
a connect auth=OTHER mps=64
  a connack 8c "the authentication method is not SCRAM-SHA-256"
  a closed
a connect auth=OTHER mps=53
  a connack 8c
  a closed
a connect auth=OTHER mps=4
  a closed
"#,
    );
}

/// `[MQTT-4.12.1-1]`, `[MQTT-4.12.1-2]`
#[test]
fn an_exchange_again_on_a_living_connection() {
    check(
        r#"
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a auth 18 SCRAM-SHA-256 FINAL
  a connack 00 SCRAM-SHA-256 PROOF
a auth 19 SCRAM-SHA-256 FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
# Other packets go on meanwhile (§4.12.1).
a publish 1 t hello id=1
  a puback 1 10
a auth 18 SCRAM-SHA-256 FINAL
  a auth 00 SCRAM-SHA-256 PROOF
# Nothing is to be answered now.
a auth 18 SCRAM-SHA-256 FINAL
  a disconnect 82
  a closed
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a auth 18 SCRAM-SHA-256 FINAL
  a connack 00 SCRAM-SHA-256 PROOF
a auth 19 SCRAM-SHA-256 FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a auth 18 SCRAM-SHA-256 c=biws,r=x,p=AAAA
  a disconnect 87 "no such user and password"
  a closed
# As another user, or by another method.
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a auth 18 SCRAM-SHA-256 FINAL
  a connack 00 SCRAM-SHA-256 PROOF
a auth 19 SCRAM-SHA-256 n,,n=ada,r=rOprNGfwEbeRWgbNEkqO
  a disconnect 87 "no such user and password"
  a closed
a connect auth=SCRAM-SHA-256 data=FIRST
  a auth 18 SCRAM-SHA-256 CHALLENGE
a auth 18 SCRAM-SHA-256 FINAL
  a connack 00 SCRAM-SHA-256 PROOF
a auth 19 SCRAM-SHA-1 FIRST
  a disconnect 82
  a closed
"#,
    );
}

/// `[MQTT-4.12.0-6]`, `[MQTT-4.12.0-7]`
#[test]
fn who_named_no_method_has_no_exchange() {
    check(
        r#"
a connect
  a connack 00
a auth 19 SCRAM-SHA-256 FIRST
  a disconnect 82
  a closed
a connect user=ada password=pencil
  a connack 00
a auth 18 SCRAM-SHA-256 FINAL
  a disconnect 82
  a closed
"#,
    );
}

#[test]
fn a_session_is_its_users() {
    check(
        r#"
a connect user=ada password=pencil expiry=100
  a connack 00
b connect expiry=100
  b connack 00
# Nobody else takes it over, connected or not, clean start or not.
a connect keep user=bob password=pencil
  a connack 87 "the client id has a session of another user"
  a closed
a connect
  a connack 87 "the client id has a session of another user"
  a closed
a connect keep user=ada password=pencil expiry=5
  a connack 00 present
  a~1 disconnect 8e
a disconnect
  a closed
a connect v=3.1.1 user=bob password=pencil
  a connack 87
  a closed
# It ends as any session does.
wait 5000
a connect user=bob password=pencil expiry=100
  a connack 00
# What an anonymous client made is anyone's, and of the user who takes it.
b connect keep user=ada password=pencil expiry=100
  b connack 00 present
  b~2 disconnect 8e
b connect keep
  b connack 87 "the client id has a session of another user"
  b closed
# Also after a crash, from the log and from a checkpoint.
crash
b connect keep user=bob password=pencil
  b connack 87 "the client id has a session of another user"
  b closed
checkpoint
crash
b connect
  b connack 87 "the client id has a session of another user"
  b closed
b connect keep user=ada password=pencil expiry=100
  b connack 00 present
"#,
    );
}

#[test]
fn what_comes_before_the_verdict_waits() {
    let pencils = Arc::new(Pencils::default());
    let mut world = World::new(config(Arc::clone(&pencils)));
    for line in ["a connect user=ada password=later", "a subscribe 1 t,1", "a publish 1 t x id=2"] {
        assert_eq!(world.command(line), [""; 0], "{line}");
    }
    pencils.say(&Ok(Some(identity("ada"))));
    let heard = ["a connack 00", "a suback 1 01", "a publish 1 id=1 t x", "a puback 2 00"];
    assert_eq!(world.settle(), heard);
    assert_eq!(world.open_ends(), 0);
}

#[test]
fn a_verdict_that_comes_too_late_finds_nobody() {
    for (command, heard) in [
        ("a lost", vec![]),
        ("wait 10000", vec!["a connack 89 \"too many sign-ins wait\"", "a closed"]),
        ("drain", vec!["a connack 88", "a closed"]),
    ] {
        let pencils = Arc::new(Pencils::default());
        let mut world = World::new(config(Arc::clone(&pencils)));
        assert_eq!(world.command("a connect user=ada password=later"), [""; 0]);
        assert_eq!(world.command(command), heard, "{command}");
        pencils.say(&Ok(Some(identity("ada"))));
        assert_eq!(world.settle(), [""; 0], "{command}");
        assert_eq!(world.open_ends(), 0);
    }
}

#[test]
fn who_is_a_user_no_more_is_disconnected() {
    let pencils = Arc::new(Pencils::default());
    let mut world = World::new(config(Arc::clone(&pencils)));
    for name in ["ada", "bob"] {
        let line = format!("{name} connect user={name} password=pencil");
        assert_eq!(world.command(&line), [format!("{name} connack 00")]);
    }
    assert_eq!(world.command("c connect"), ["c connack 00"]);
    pencils.removed.lock().push("ada".to_owned());
    world.handle.users_changed();
    assert_eq!(world.settle(), ["ada disconnect 87 \"the user was removed\"", "ada closed"]);
    for name in ["bob", "c"] {
        assert_eq!(world.command(&format!("{name} ping")), [format!("{name} pingresp")]);
    }
}

#[test]
fn sign_ins_are_counted_by_what_they_came_to() {
    let mut world = World::new(config(Arc::default()));
    for line in [
        "a connect",
        "b connect user=ada password=pencil",
        "b connect user=bob password=pencil",
        "c connect user=ada password=pen",
        "c connect user=ada password=busy",
        "c connect user=ada password=again",
    ] {
        world.command(line);
    }
    let counts = world.handle.state().counts;
    let numbers = [
        counts.sign_ins_anonymous_total,
        counts.sign_ins_accepted_total,
        counts.sign_ins_not_allowed_total,
        counts.sign_ins_wrong_total,
        counts.sign_ins_busy_total,
        counts.sign_ins_limited_total,
    ];
    assert_eq!(numbers, [1; 6]);
}

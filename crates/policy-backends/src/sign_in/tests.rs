use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use policy::{Anonymous, FailureLimits, Rules, SCRAM_SHA_256, ScramClient};

use super::*;
use crate::{LoginRefusal, NewUser, UserChange};

struct World {
    sign_in: SignIn,
    _dir: tempfile::TempDir,
}

fn world(adjust: impl FnOnce(&mut Config)) -> World {
    let mut config = Config { scram_iterations: 4_096, ..Config::default() };
    adjust(&mut config);
    let dir = tempfile::tempdir().expect("temporary directory");
    let (store, _) = UserStore::open(dir.path(), config.scram_iterations).expect("made");
    World { sign_in: SignIn::start(config, store).expect("threads"), _dir: dir }
}

/// Waits for what a worker says.
fn wait<T: Send + 'static>(ask: impl FnOnce(Box<dyn FnOnce(T) + Send>)) -> Option<T> {
    let (said, heard) = channel();
    ask(Box::new(move |answer| drop(said.send(answer))));
    heard.recv().ok()
}

impl World {
    fn add(&self, username: &str, password: &str, roles: &[&str]) -> Result<Arc<User>, StoreError> {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let new = NewUser { username: username.to_owned(), password: password.to_owned(), roles };
        wait(|done| self.sign_in.create(new, done)).expect("not busy")
    }

    fn begin(&self, attempt: &Attempt<'_>) -> (Begun, Receiver<Verdict>) {
        let (said, heard) = channel();
        let reply = Box::new(move |verdict| drop(said.send(verdict)));
        (self.sign_in.begin(attempt, reply), heard)
    }

    /// What a sign-in comes to, and whether it took a worker.
    fn outcome(&self, attempt: &Attempt<'_>) -> (Result<Option<String>, Refusal>, bool) {
        let (begun, heard) = self.begin(attempt);
        let (verdict, was_hashed) = match begun {
            Begun::Decided(verdict) => (verdict, false),
            Begun::Pending => (heard.recv().expect("a verdict"), true),
            Begun::Challenge { .. } => panic!("no exchange was asked for"),
        };
        let name = |identity: Arc<Identity>| identity.username.to_string();
        (verdict.map(|identity| identity.map(name)), was_hashed)
    }

    fn by_scram(&self, username: &str, password: &str) -> Result<Arc<Identity>, Refusal> {
        let mut client = ScramClient::new(username, password.as_bytes(), "nonce");
        let first = client.first();
        let attempt = Attempt {
            method: Some(SCRAM_SHA_256),
            address: HERE,
            data: &first,
            ..Attempt::default()
        };
        let (exchange, challenge) = match self.begin(&attempt).0 {
            Begun::Challenge { exchange, data } => (exchange, data),
            Begun::Decided(verdict) => return Err(verdict.expect_err("it must be proved")),
            Begun::Pending => panic!("an exchange needs no worker"),
        };
        let answer = client.answer(&challenge).expect("a challenge");
        let (identity, last) =
            self.sign_in.conclude(&exchange, &Attempt { data: &answer, ..attempt })?;
        client.check(&last).expect("the server knows the password too");
        Ok(identity)
    }
}

const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

fn password<'a>(username: &'a str, password: &'a str) -> Attempt<'a> {
    Attempt {
        username: Some(username),
        password: Some(password.as_bytes()),
        address: HERE,
        ..Attempt::default()
    }
}

#[test]
fn passwords_are_hashed_once_until_they_change() {
    let world = world(|_| {});
    world.add("ada", "secret", &[]).expect("added");
    let ada = Ok(Some("ada".to_owned()));
    assert_eq!(world.outcome(&password("ada", "secret")), (ada.clone(), true));
    assert_eq!(world.outcome(&password("ada", "secret")), (ada.clone(), false), "remembered");
    assert_eq!(world.outcome(&password("ada", "Secret")), (Err(Refusal::WrongCredentials), true));
    let change = UserChange { password: Some("other".to_owned()), roles: None };
    wait(|done| world.sign_in.change("ada".to_owned(), change, done))
        .expect("not busy")
        .expect("changed");
    let old = world.outcome(&password("ada", "secret"));
    assert_eq!(old, (Err(Refusal::WrongCredentials), true));
    assert_eq!(world.outcome(&password("ada", "other")), (ada, true));
    wait(|done| world.sign_in.remove("ada".to_owned(), done)).expect("not busy").expect("removed");
    let gone = world.outcome(&password("ada", "other"));
    assert_eq!(gone, (Err(Refusal::WrongCredentials), true), "an unknown user costs the same");
}

#[test]
fn what_can_be_nobodys_password_is_not_kept_waiting() {
    let world = world(|_| {});
    let long = "x".repeat(5_000);
    for text in ["", &long] {
        let outcome = world.outcome(&password("admin", text));
        assert_eq!(outcome, (Err(Refusal::WrongCredentials), false));
    }
    let binary = Attempt { password: Some(b"\xff"), ..password("admin", "") };
    assert_eq!(world.outcome(&binary), (Err(Refusal::WrongCredentials), false));
}

#[test]
fn users_end_anonymity_on_loopback() {
    let world = world(|_| {});
    let nobody = Attempt { address: HERE, ..Attempt::default() };
    assert_eq!(world.outcome(&nobody).0, Ok(None));
    world.add("ada", "secret", &[]).expect("added");
    assert_eq!(world.outcome(&nobody).0, Err(Refusal::AnonymousNotAllowed));
}

#[test]
fn guesses_are_held_back_also_of_users_that_do_not_exist() {
    let limits = FailureLimits { per_user: 2, ..Config::default().failures };
    let world = world(|config| config.failures = limits);
    world.add("ada", "secret", &[]).expect("added");
    for username in ["ada", "nobody"] {
        for _ in 0..2 {
            let wrong = world.outcome(&password(username, "guess"));
            assert_eq!(wrong.0, Err(Refusal::WrongCredentials));
        }
        assert_eq!(
            world.outcome(&password(username, "guess")),
            (Err(Refusal::TooManyFailures), false)
        );
    }
    let right = world.outcome(&password("ada", "secret"));
    assert_eq!(right.0, Err(Refusal::TooManyFailures), "the right one would tell that it is");
    assert_eq!(world.by_scram("ada", "secret"), Err(Refusal::TooManyFailures));
    let elsewhere = Attempt { address: Some([10, 0, 0, 1].into()), ..password("ada", "secret") };
    assert_eq!(world.outcome(&elsewhere).0, Ok(Some("ada".to_owned())));
}

#[test]
fn as_many_wait_as_may() {
    let world = world(|config| (config.verification_threads, config.max_waiting) = (1, 2));
    let attempt = password("admin", "guess");
    let begun: Vec<_> = (0..20).map(|_| world.begin(&attempt)).collect();
    let is_busy = |begun: &Begun| matches!(begun, Begun::Decided(Err(Refusal::Busy)));
    let busy = begun.iter().filter(|(begun, _)| is_busy(begun)).count();
    assert!((1..20).contains(&busy), "{busy} of 20");
    for (_, heard) in begun.iter().filter(|(begun, _)| matches!(begun, Begun::Pending)) {
        let verdict = heard.recv().expect("each that waits gets a verdict");
        assert!(verdict.is_err());
    }
}

#[test]
fn who_has_waited_too_long_is_not_hashed() {
    let world = world(|config| config.wait_max = Duration::ZERO);
    assert_eq!(world.outcome(&password("admin", "guess")), (Err(Refusal::Busy), true));
}

#[test]
fn exchanges_prove_a_password_without_sending_it() {
    let world = world(|_| {});
    world.add("a=b,ä", "secret", &["ops"]).expect("added");
    let identity = world.by_scram("a=b,ä", "secret").expect("proved");
    assert_eq!((&*identity.username, identity.has_role("ops")), ("a=b,ä", true));
    for (username, password) in [("a=b,ä", "Secret"), ("nobody", "secret")] {
        let outcome = world.by_scram(username, password);
        assert_eq!(outcome, Err(Refusal::WrongCredentials), "{username}");
    }
    for (method, data, username, expected) in [
        (SCRAM_SHA_256, "", None, Refusal::BadExchange),
        (SCRAM_SHA_256, "p=tls-unique,,n=ada,r=x", None, Refusal::BadExchange),
        (SCRAM_SHA_256, "n,,n=ada,r=x", Some("bob"), Refusal::WrongCredentials),
        ("SCRAM-SHA-1", "n,,n=ada,r=x", None, Refusal::UnknownMethod),
    ] {
        let attempt =
            Attempt { method: Some(method), data: data.as_bytes(), username, ..Attempt::default() };
        let (begun, _) = world.begin(&attempt);
        assert!(matches!(begun, Begun::Decided(Err(refusal)) if refusal == expected), "{data}");
    }
}

#[test]
fn a_certificate_gives_a_name_with_the_roles_of_its_user() {
    let rules =
        Rules { anonymous: Anonymous::Never, certificate_listeners: vec!["devices".to_owned()] };
    let world = world(|config| config.rules = rules);
    world.add("pump-7", "secret", &["pumps"]).expect("added");
    for (name, roles) in [("pump-7", &["pumps"][..]), ("pump-8", &[])] {
        let attempt = Attempt {
            certificate_common_name: Some(name),
            listener: "devices",
            ..Attempt::default()
        };
        let Begun::Decided(Ok(Some(identity))) = world.begin(&attempt).0 else {
            panic!("{name} is vouched for")
        };
        let found: Vec<&str> = identity.roles.iter().map(|role| &**role).collect();
        assert_eq!((&*identity.username, &found[..]), (name, roles));
        assert_eq!(world.sign_in.renewed(&identity), Some(identity));
    }
}

#[test]
fn identities_are_renewed_while_their_users_live() {
    let world = world(|_| {});
    let (said, heard) = channel();
    world.sign_in.on_change(move |_| said.send(()).expect("somebody counts"));
    let user = world.add("ada", "secret", &["a"]).expect("added");
    let change = UserChange { password: None, roles: Some(vec!["b".to_owned()]) };
    let changed = wait(|done| world.sign_in.change("ada".to_owned(), change, done));
    let changed = changed.expect("not busy").expect("changed");
    assert_eq!(changed.password, user.password);
    let renewed = world.sign_in.renewed(&user.identity).expect("still there");
    assert!(renewed.has_role("b") && !renewed.has_role("a"));
    wait(|done| world.sign_in.remove("ada".to_owned(), done)).expect("not busy").expect("removed");
    assert_eq!(world.sign_in.renewed(&renewed), None);
    assert_eq!(heard.try_iter().count(), 3, "each change is told");
}

#[test]
fn operators_sign_in_and_are_told_what_is_wrong_with_a_user() {
    let world = world(|config| config.max_users = 2);
    world.add("ada", "secret", &["admin"]).expect("added");
    let login = |password: &str| {
        wait(|done| world.sign_in.login(HERE, "ada", password, done)).expect("not busy")
    };
    assert!(login("secret").is_ok_and(|user| user.is_admin()));
    assert_eq!(login("guess"), Err(LoginRefusal::Wrong));
    for (username, text, roles, expected) in [
        ("ada", "x", &[][..], "user 'ada' exists already"),
        ("bob", "x", &[], "there are 2 users, as many as auth.max_users allows"),
        ("", "x", &[], "username: is empty"),
        ("bob", "", &[], "password: is empty"),
        ("bob", "x", &["a b"], "roles: 'a b' is no role"),
    ] {
        let error = world.add(username, text, roles).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let nobody = wait(|done| world.sign_in.change("eve".to_owned(), UserChange::default(), done));
    let nobody = nobody.expect("not busy").expect_err("nobody").to_string();
    assert_eq!(nobody, "user 'eve' does not exist");
}

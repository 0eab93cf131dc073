use policy_backends::{Config, NewUser, UserChange, UserStore};

use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn world(config: Config) -> (SignIn, String, tempfile::TempDir) {
    let data_dir = tempfile::tempdir().expect("temporary directory");
    let (store, password) = UserStore::open(data_dir.path(), 4_096).expect("created");
    let users = policy_backends::SignIn::start(config, store).expect("threads");
    let token = AdminToken::load_or_create(data_dir.path()).expect("created");
    let password = password.expect("first start").reveal().to_owned();
    (SignIn::new(token, users, Duration::from_secs(60), 10), password, data_dir)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// Waits for a change of the users.
fn wait<T: Send + 'static>(ask: impl FnOnce(Box<dyn FnOnce(T) + Send>)) -> T {
    let (say, said) = oneshot::channel();
    ask(Box::new(move |answer| drop(say.send(answer))));
    said.blocking_recv().expect("not busy")
}

#[test]
fn a_login_beyond_those_that_may_wait_is_told_to_come_again() {
    let (sign_in, password, _dir) = world(Config { max_waiting_operators: 0, ..Config::default() });
    let login = block_on(sign_in.login(HERE, "admin", &password));
    assert_eq!(login, Err(LoginRefusal::Busy));
}

#[test]
fn a_token_ends_with_the_password_and_with_the_role() {
    let (sign_in, _, _dir) = world(Config::default());
    let admin = || vec!["admin".to_owned()];
    let new = NewUser { username: "ada".to_owned(), password: "one".to_owned(), roles: admin() };
    wait(|done| sign_in.users.create(new, done)).expect("created");
    let change = |change: UserChange| {
        wait(|done| sign_in.users.change("ada".to_owned(), change, done)).expect("changed")
    };
    let token = |password: &str| block_on(sign_in.login(HERE, "ada", password));
    let is_known = |token: &str| sign_in.identify(token, Instant::now()).is_some();
    let first = token("one").expect("an admin");
    assert!(is_known(&first));
    change(UserChange { password: Some("two".to_owned()), roles: None });
    assert!(!is_known(&first));
    let second = token("two").expect("an admin");
    change(UserChange { password: None, roles: Some(Vec::new()) });
    assert!(!is_known(&second));
    assert_eq!(token("two"), Err(LoginRefusal::NoAdmin));
    change(UserChange { password: None, roles: Some(admin()) });
    assert!(is_known(&second), "the role is looked at with each request");
    wait(|done| sign_in.users.remove("ada".to_owned(), done)).expect("removed");
    assert!(!is_known(&second));
}

#[test]
fn tokens_end_and_the_oldest_makes_room() {
    let second = Duration::from_secs(1);
    let start = Instant::now();
    let digest = |name: &str| TokenDigest::of(name);
    let user = Arc::new(User::new("admin", &[], "hash".into(), None));
    let mut tokens = Tokens::new(10 * second, 2);
    tokens.insert(digest("a"), Arc::clone(&user), start);
    tokens.insert(digest("b"), Arc::clone(&user), start + second);
    assert_eq!(tokens.find(&digest("a"), start + 9 * second), Some(Arc::clone(&user)));
    assert_eq!(tokens.find(&digest("a"), start + 10 * second), None);
    tokens.insert(digest("c"), Arc::clone(&user), start + 2 * second);
    assert_eq!(tokens.find(&digest("a"), start + 2 * second), None);
    assert_eq!(tokens.find(&digest("b"), start + 2 * second), Some(Arc::clone(&user)));
    tokens.insert(digest("d"), user, start + 100 * second);
    assert_eq!(tokens.by_digest.len(), 1);
}

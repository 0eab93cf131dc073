use crate::client::World;

#[test]
fn a_backup_comes_piece_by_piece() {
    let world = World::start();
    let pieces = [Ok(b"one ".to_vec()), Ok(b"two".to_vec())];
    world.backend.backup.lock().expect("not poisoned").extend(pieces);
    let reply = world.call("GET", "/api/v1/backup", "");
    assert_eq!((reply.status, reply.text.as_str()), (200, "one two"));
    assert_eq!(reply.header("content-type"), Some("application/x-tar"));
    assert_eq!(reply.header("x-weir-estimated-bytes"), Some("77"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));

    let reply = world.call("GET", "/api/v1/backup", "");
    assert_eq!(reply.outcome(), (409, "conflict".into(), "".into()));
    assert_eq!(world.request("GET", "/api/v1/backup", "", None).status, 401);
}

#[test]
fn a_backup_that_fails_on_its_way_does_not_come_to_its_end() {
    let world = World::start();
    let pieces = [Ok(b"one ".to_vec()), Err("damaged".to_owned())];
    world.backend.backup.lock().expect("not poisoned").extend(pieces);
    let agent = ureq::Agent::new_with_defaults();
    let url = format!("http://{}/api/v1/backup", world.server.local_addr());
    let authorization = format!("Bearer {}", world.token);
    let reply = agent.get(url).header("authorization", authorization).call();
    let read = reply.and_then(|mut reply| reply.body_mut().read_to_vec());
    assert!(read.is_err(), "{read:?}");
}

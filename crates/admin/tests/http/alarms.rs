use admin_api::{AlarmView, Timestamp};
use serde_json::json;
use stdx::UnixMillis;

use crate::client::World;

#[test]
fn alarms_are_listed_by_name_and_resource_a_page_at_a_time() {
    let world = World::start();
    let empty = world.call("GET", "/api/v1/alarms", "");
    assert_eq!((empty.status, empty.json()), (200, json!({"data": [], "next": null})));
    let alarm = |name: &str, resource: &str| AlarmView {
        name: name.to_owned(),
        resource: resource.to_owned(),
        since: Timestamp(UnixMillis(1_700_000_000_000)),
        reason: "no space".to_owned(),
    };
    *world.backend.alarms.lock().expect("not poisoned") =
        vec![alarm("session_overflow", "a"), alarm("disk_full", "log")];
    let first = world.call("GET", "/api/v1/alarms?limit=1", "").json();
    let expected = json!({
        "name": "disk_full", "resource": "log", "since": "2023-11-14T22:13:20.000Z",
        "reason": "no space",
    });
    assert_eq!(first["data"], json!([expected]));
    let cursor = first["next"].as_str().expect("there is more");
    let second = world.call("GET", &format!("/api/v1/alarms?cursor={cursor}"), "").json();
    assert_eq!(
        (second["data"][0]["resource"].as_str(), &second["next"]),
        (Some("a"), &json!(null))
    );
    assert_eq!(world.request("GET", "/api/v1/alarms", "", None).status, 401);
}

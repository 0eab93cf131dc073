//! Every client program with every other, in both versions: what any of them publishes, each of them gets, live and in
//! a session that it had left.

use std::collections::BTreeMap;
use std::thread;

use it::{Options, Program, Run, Version, Weir};

const VERSIONS: [Version; 2] = [Version::V311, Version::V5];
const COUNT: usize = 5;

fn everyone() -> impl Iterator<Item = (Program, Version)> {
    Program::ALL.into_iter().flat_map(|program| VERSIONS.map(|version| (program, version)))
}

/// Every program publishes on a topic of its own below `root`, all at the same time.
fn all_publish(weir: &Weir, root: &str, qos: u8) {
    thread::scope(|scope| {
        for (program, version) in everyone() {
            let topic = format!("{root}/{program:?}-{version:?}");
            scope.spawn(move || program.publish(weir.mqtt, version, &topic, qos, COUNT));
        }
    });
}

/// The messages of all publishers, each in its order, once and with their QoS.
fn assert_all(subscriber: &str, mut run: Run, roots: &[(&str, u8)]) {
    let total = roots.len() * everyone().count() * COUNT;
    let mut got = BTreeMap::<String, Vec<(String, u8)>>::new();
    for _ in 0..total {
        let message = run.message();
        got.entry(message.topic).or_default().push((message.payload, message.qos));
    }
    run.end();
    let mut wanted = BTreeMap::new();
    for (root, qos) in roots {
        for (program, version) in everyone() {
            let payloads = (0..COUNT).map(|number| (number.to_string(), *qos)).collect();
            wanted.insert(format!("{root}/{program:?}-{version:?}"), payloads);
        }
    }
    assert_eq!(got, wanted, "{subscriber}");
}

fn live(qos: u8) {
    let weir = Weir::start(Options::new());
    let total = everyone().count() * COUNT;
    let subscribers: Vec<_> = everyone()
        .map(|(program, version)| {
            let run = program.subscribe(weir.mqtt, version, "live/#", qos, total);
            (format!("{program:?} {version:?}"), run)
        })
        .collect();
    all_publish(&weir, "live", qos);
    for (name, run) in subscribers {
        assert_all(&name, run, &[("live", qos)]);
    }
}

#[test]
fn live_at_qos_0() {
    live(0);
}

/// None of them knows any extension of ours: `[MQTT311-7.0.0-2]`.
#[test]
fn live_at_qos_1() {
    live(1);
}

#[test]
fn live_at_qos_2() {
    live(2);
}

#[test]
fn over_resumed_sessions() {
    let weir = Weir::start(Options::new());
    for (program, version) in everyone() {
        program.begin_session(weir.mqtt, version, "kept/#", 2);
    }
    all_publish(&weir, "kept/once", 1);
    all_publish(&weir, "kept/exactly", 2);
    let roots = [("kept/once", 1), ("kept/exactly", 2)];
    for (program, version) in everyone() {
        let total = roots.len() * everyone().count() * COUNT;
        let run = program.resume_session(weir.mqtt, version, "kept/#", 2, total);
        assert_all(&format!("{program:?} {version:?}"), run, &roots);
    }
}

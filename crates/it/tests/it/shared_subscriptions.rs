//! Members of shared subscriptions that are stopped and killed in the middle of their work, and a broker that is.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use it::{Client, Connect, Event, Options, Weir, until, weir_command};
use rustix::process::{Pid, Signal, kill_process};

const ADDRESS: &str = "$share/workers/job/#";

/// A member in a process of its own.
struct Member {
    child: Child,
    got: Arc<Mutex<Vec<u32>>>,
}

impl Member {
    /// Starts it, and comes back when it is subscribed.
    fn start(weir: &Weir, client_id: &str) -> Self {
        let before = members(weir);
        let port = weir.listener("mqtt").port().to_string();
        let mut child = weir_command()
            .args(["sub", "-p", &port, "-i", client_id, "-q", "1", "-t", ADDRESS])
            .args(["-D", "connect", "receive-maximum", "5"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary is there");
        let lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        let got = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&got);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let number = line.parse().expect("a number");
                into.lock().expect("not poisoned").push(number);
            }
        });
        let member = Self { child, got };
        until("a subscription", || (members(weir) > before).then_some(()));
        member
    }

    /// The numbers that it has printed.
    fn got(&self) -> Vec<u32> {
        self.got.lock().expect("not poisoned").clone()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn metric(weir: &Weir, name: &str) -> u64 {
    let metrics = weir.rest().metrics();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

fn members(weir: &Weir) -> u64 {
    metric(weir, "weir_mqtt_subscriptions")
}

fn publish(publisher: &mut Client, numbers: std::ops::Range<u32>) {
    for number in numbers {
        assert_eq!(publisher.publish_acked("job/1", number.to_string().as_bytes()), 0);
    }
}

/// Takes so many messages and acknowledges each; gives their numbers.
fn take(client: &mut Client, count: usize) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..count)
        .map(|_| {
            let (_, payload, id) = client.message();
            client.ack(id.expect("QoS 1")).expect("it is connected");
            String::from_utf8_lossy(&payload).parse().expect("a number")
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Takes what is there, and acknowledges it.
fn take_some(client: &mut Client) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(Event::Message { payload, id, .. }) = client.next(Duration::from_millis(20)) {
        client.ack(id.expect("QoS 1")).expect("it is connected");
        numbers.push(String::from_utf8_lossy(&payload).parse().expect("a number"));
    }
    numbers
}

#[test]
fn what_a_stopped_or_killed_member_has_goes_to_another() {
    for shards in ["1", "3"] {
        let options = Options::new().set("server.shards", shards);
        let weir = Weir::start(options.set("mqtt.shared_subscriptions.stall_timeout", "1s"));
        let other = Member::start(&weir, "stopped");
        let mut client = weir.connect(&Connect::new("working"));
        assert_eq!(client.subscribe(ADDRESS, 1), 1);
        let mut publisher = weir.connect(&Connect::new("publisher"));
        other.signal(Signal::STOP);
        publish(&mut publisher, 0..20);
        assert_eq!(take(&mut client, 20), (0..20).collect::<Vec<_>>());
        // Its five, and what another shard gave it before it heard that there is no more room.
        let handed_over = metric(&weir, "weir_mqtt_shared_handed_over_total");
        assert!((1..=20).contains(&handed_over), "{handed_over}");
        // While it stalls, the other one gets all there is.
        publish(&mut publisher, 20..30);
        assert_eq!(take(&mut client, 10), (20..30).collect::<Vec<_>>());
        assert_eq!(metric(&weir, "weir_mqtt_shared_handed_over_total"), handed_over);
        // It goes on, answers late, and works like others: until it is killed.
        other.signal(Signal::CONT);
        until("its old messages", || (!other.got().is_empty()).then_some(()));
        let mut both = Vec::new();
        let mut next = 30;
        until("work for it again", || {
            publish(&mut publisher, next..next + 1);
            next += 1;
            both.extend(take_some(&mut client));
            other.got().iter().any(|number| *number >= 30).then_some(())
        });
        until("each message at one of them", || {
            both.extend(take_some(&mut client));
            let mut all = [both.clone(), other.got()].concat();
            all.retain(|number| *number >= 30);
            all.sort_unstable();
            (all == (30..next).collect::<Vec<_>>()).then_some(())
        });
        let late = other.got().iter().filter(|number| **number < 30).count();
        assert!((1..=5).contains(&late), "as many as it takes at once: {late}");
        other.signal(Signal::STOP);
        publish(&mut publisher, 1000..1010);
        other.signal(Signal::KILL);
        assert_eq!(take(&mut client, 10), (1000..1010).collect::<Vec<_>>());
    }
}

#[test]
fn with_a_durable_member_a_kill_loses_nothing() {
    for shards in ["1", "3"] {
        let mut weir = Weir::start(Options::new().set("server.shards", shards));
        let keeper = Connect { clean: false, ..Connect::new("keeper") };
        let mut durable = weir.connect(&keeper);
        let mut clean = weir.connect(&Connect::new("clean"));
        for client in [&mut durable, &mut clean] {
            assert_eq!(client.subscribe(ADDRESS, 1), 1);
        }
        let mut publisher = weir.connect(&Connect::new("publisher"));
        publish(&mut publisher, 0..60);
        // Both have messages; neither acknowledges any, and one is gone already.
        durable.message();
        clean.message();
        drop(durable);
        publish(&mut publisher, 60..100);
        weir = weir.kill().restart();
        let mut durable = weir.connect(&keeper);
        assert_eq!(take(&mut durable, 100), (0..100).collect::<Vec<_>>());
        durable.ping().expect("it is connected");
        assert_eq!(durable.next(it::DEADLINE), Some(Event::Pong), "each came once");
    }
}

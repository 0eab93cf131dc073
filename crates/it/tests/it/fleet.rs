//! A fleet: a thousand vehicles publish trips, positions and alarms; billing works on the trips in the order of each vehicle,
//! analytics reads them as a stream, a map shows positions, a dispatcher commands vehicles that sleep. Consumers crash, the
//! broker is killed twice, the disk fills for a while, one trip is poison. At the end billing and analytics are complete and
//! in order, and every account balances.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use it::{Client, Connect, DEADLINE, Event, Mount, Options, Rest, Weir, until};
use serde_json::json;

const VEHICLES: usize = 1_000;
const TRIPS: usize = 4;
const TRIP_BYTES: usize = 2_000;
/// Connections that publish for the vehicles, a part of them each.
const GATEWAYS: usize = 4;
const BILLERS: usize = 3;
/// A biller crashes over every message of that number.
const CRASH_EVERY: usize = 211;
/// The reader of the stream crashes over every message of that number.
const ANALYTICS_CRASHES_EVERY: usize = 733;
/// Behind this trip of this vehicle comes one that nobody can bill.
const POISON: (usize, usize) = (7, 2);
const SLEEPERS: usize = 10;
/// Quota exceeded: the disk is full.
const FULL: u8 = 0x97;
/// Payload format invalid: to the dead letters.
const REJECT: u8 = 0x99;

/// What all see.
struct Fleet {
    /// Where the broker is now.
    address: Mutex<SocketAddr>,
    over: AtomicBool,
    /// The next trip of each vehicle that is to be billed.
    billed: Mutex<[usize; VEHICLES]>,
    /// Trips that came to a biller, also those that came again.
    came: AtomicUsize,
    /// The next trip of each vehicle that analytics has to see, and how many trips came there.
    analysed: Mutex<([usize; VEHICLES], usize)>,
    /// Messages that were refused because the disk was full.
    refused: AtomicUsize,
    /// The last position of each vehicle on the map.
    map: Mutex<BTreeMap<String, usize>>,
}

impl Fleet {
    /// Connects when there is a broker to connect to; none when it is over.
    fn dial(&self, client_id: &str, filter: Option<&str>, qos: u8) -> Option<Client> {
        until("a connection", || {
            if self.over.load(Ordering::Acquire) {
                return Some(None);
            }
            let address = *self.address.lock().unwrap_or_else(PoisonError::into_inner);
            let mut client = Client::try_connect(address, &Connect::new(client_id)).ok()?;
            match filter.map(|filter| client.try_subscribe(filter, qos)) {
                Some(Err(_)) => None,
                Some(Ok(code)) => {
                    assert_eq!(code, qos, "{client_id} at {filter:?}");
                    Some(Some(client))
                }
                None => Some(Some(client)),
            }
        })
    }

    fn billed(&self) -> usize {
        self.billed.lock().unwrap_or_else(PoisonError::into_inner).iter().sum()
    }

    /// A trip comes to a biller: the next one of its vehicle, or one that it has had.
    fn bill(&self, vehicle: usize, trip: usize) {
        let next = &mut self.billed.lock().unwrap_or_else(PoisonError::into_inner)[vehicle];
        assert!(trip <= *next, "vehicle {vehicle}: trip {trip} came before trip {next}");
        *next = (*next).max(trip + 1);
    }

    /// Publishes until a PUBACK says that it is stored, as a vehicle does.
    fn report(&self, client: &mut Client, name: &str, topic: &str, payload: &str) {
        until("a trip is stored", || match self.try_report(client, topic, payload) {
            Some(0) => Some(()),
            Some(FULL) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                None
            }
            Some(code) => panic!("{topic}: {code:#x}"),
            None => {
                *client = self.dial(name, None, 0).expect("it is not over while vehicles drive");
                None
            }
        });
    }

    /// The code of PUBACK; none when the connection ended before it came.
    fn try_report(&self, client: &mut Client, topic: &str, payload: &str) -> Option<u8> {
        let wanted = client.publish(topic, payload.as_bytes()).ok()?;
        match client.next(DEADLINE) {
            Some(Event::Acked { id, code }) if id == wanted => Some(code),
            Some(Event::Closed) => None,
            other => panic!("wanted PUBACK, got {other:?}"),
        }
    }

    /// Reads all trips as a stream, goes on where it was, and crashes now and then.
    fn analyse(&self) {
        while let Some(mut client) = self.dial("analytics", Some("$s/next/fleet/+/trip"), 1) {
            while let Some(Event::Message { topic, payload, id }) = client.next(DEADLINE) {
                let came = {
                    let mut analysed = self.analysed.lock().unwrap_or_else(PoisonError::into_inner);
                    analysed.1 += 1;
                    if let Some(trip) = std::str::from_utf8(&payload)
                        .ok()
                        .and_then(|text| text.parse::<usize>().ok())
                    {
                        let next = &mut analysed.0[vehicle_of(&topic)];
                        assert!(trip <= *next, "{topic}: trip {trip} came before trip {next}");
                        *next = (*next).max(trip + 1);
                    }
                    analysed.1
                };
                let is_crash = came.is_multiple_of(ANALYTICS_CRASHES_EVERY);
                if is_crash || client.ack(id.expect("QoS 1")).is_err() {
                    break;
                }
            }
        }
    }

    fn analysed(&self) -> usize {
        self.analysed.lock().unwrap_or_else(PoisonError::into_inner).0.iter().sum()
    }

    /// The disk fills until somebody hears of it, and is empty again.
    fn fill_disk(&self, mount: &Mount) {
        let path = mount.path().join("balloon");
        let mut balloon = File::create(&path).expect("it can be made");
        until("a message that is refused", || {
            while balloon.write_all(&[1; 65_536]).is_ok() {}
            (self.refused.load(Ordering::Relaxed) > 0).then_some(())
        });
        drop(balloon);
        std::fs::remove_file(&path).expect("it can be removed");
    }

    /// A part of the vehicles drives all its trips.
    fn drive(&self, gateway: usize) {
        let name = format!("gateway-{gateway}");
        let mut client = self.dial(&name, None, 0).expect("it is not over");
        for trip in 0..TRIPS {
            for vehicle in (gateway..VEHICLES).step_by(GATEWAYS) {
                // A lost position is no loss; the next one comes.
                let position = format!("fleet/{vehicle}/position");
                let _ = client.try_publish_qos0(&position, trip.to_string().as_bytes());
                let topic = format!("fleet/{vehicle}/trip");
                // With zeros before it, as long as a trip is.
                self.report(&mut client, &name, &topic, &format!("{trip:0TRIP_BYTES$}"));
                if (vehicle, trip) == POISON {
                    self.report(&mut client, &name, &topic, "poison");
                }
            }
        }
        for vehicle in (gateway..VEHICLES).step_by(GATEWAYS) {
            let alarm = format!("fleet/{vehicle}/alarm");
            self.report(&mut client, &name, &alarm, "low tyre pressure");
        }
    }

    /// Bills what comes, crashes now and then, and comes back.
    fn work(&self, biller: usize) {
        let name = format!("biller-{biller}");
        while let Some(mut client) = self.dial(&name, Some("$queue/billing"), 1) {
            while let Some(Event::Message { topic, payload, id }) = client.next(DEADLINE) {
                let id = id.expect("QoS 1");
                if self.came.fetch_add(1, Ordering::Relaxed) % CRASH_EVERY == CRASH_EVERY - 1 {
                    break;
                }
                let settled = match std::str::from_utf8(&payload).expect("text").parse() {
                    Ok(trip) => {
                        self.bill(vehicle_of(&topic), trip);
                        client.ack(id)
                    }
                    Err(_) => client.settle(id, REJECT),
                };
                if settled.is_err() {
                    break;
                }
            }
        }
    }

    /// Shows where the vehicles are.
    fn show(&self) {
        while let Some(mut client) = self.dial("map", Some("fleet/+/position"), 0) {
            while let Some(Event::Message { topic, payload, .. }) = client.next(DEADLINE) {
                let trip = String::from_utf8(payload).ok().and_then(|text| text.parse().ok());
                let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
                map.insert(topic, trip.expect("a number"));
            }
        }
    }
}

fn vehicle_of(topic: &str) -> usize {
    let level = topic.split('/').nth(1).and_then(|level| level.parse().ok());
    level.unwrap_or_else(|| panic!("no vehicle in {topic}"))
}

fn create_queues(rest: &Rest) {
    let billing = json!({
        "name": "billing", "dispatch_strategy": "key_ordered", "key_expression": "level(2)",
        "retry_delay": "50ms", "max_attempts": 0,
    });
    rest.create_queue("fleet/+/trip", billing);
    rest.create_queue("fleet/+/alarm", json!({}));
    let stream = rest.post("/streams", &json!({ "topic_filter": "fleet/+/trip" }));
    assert_eq!(stream.status, 201, "{stream:?}");
    for vehicle in 0..SLEEPERS {
        rest.create_queue(&format!("fleet/{vehicle}/cmd"), json!({}));
    }
}

/// A command for each vehicle that sleeps.
fn dispatch(weir: &Weir, command: &str) {
    let mut dispatcher = weir.connect(&Connect::new("dispatcher"));
    for vehicle in 0..SLEEPERS {
        let topic = format!("fleet/{vehicle}/cmd");
        until("room for a command", || {
            (dispatcher.publish_acked(&topic, command.as_bytes()) == 0).then_some(())
        });
    }
}

/// They wake up and find all commands, in their order.
fn wake(weir: &Weir, commands: &[&str]) {
    for vehicle in 0..SLEEPERS {
        let mut sleeper = weir.connect(&Connect::new(&format!("vehicle-{vehicle}")));
        assert_eq!(sleeper.subscribe(&format!("$q/fleet/{vehicle}/cmd"), 1), 1);
        for command in commands {
            let (_, payload, id) = sleeper.message();
            assert_eq!(payload, command.as_bytes(), "vehicle {vehicle}");
            sleeper.ack(id.expect("QoS 1")).expect("acknowledged");
        }
        sleeper.disconnect();
    }
}

#[test]
fn a_fleet_is_billed_in_order_over_crashes_of_everything() {
    let mount = Mount::tmpfs("48m");
    let options = Options::new().set("log.segment_size", "1MiB").set("log.reserve", "2MiB");
    let options = options.expect("space").expect("the log is full").expect("records not stored");
    let options = options.expect("the disk is full").expect("alarm raised");
    let mut weir = Weir::start(match &mount {
        Some(mount) => options.data_dir(mount.path()),
        None => options,
    });
    create_queues(&weir.rest());
    let fleet = Fleet {
        address: Mutex::new(weir.mqtt),
        over: AtomicBool::new(false),
        billed: Mutex::new([0; VEHICLES]),
        came: AtomicUsize::new(0),
        analysed: Mutex::new(([0; VEHICLES], 0)),
        refused: AtomicUsize::new(0),
        map: Mutex::default(),
    };
    let weir = thread::scope(|scope| {
        scope.spawn(|| fleet.show());
        scope.spawn(|| fleet.analyse());
        let billers = (0..BILLERS).map(|biller| {
            scope.spawn({
                let fleet = &fleet;
                move || fleet.work(biller)
            })
        });
        let billers: Vec<_> = billers.collect();
        let gateways = (0..GATEWAYS).map(|gateway| {
            scope.spawn({
                let fleet = &fleet;
                move || fleet.drive(gateway)
            })
        });
        let gateways: Vec<_> = gateways.collect();
        let idle = || billers.iter().any(thread::ScopedJoinHandle::is_finished);
        for (third, command) in [(1, "unlock"), (2, "come home")] {
            dispatch(&weir, command);
            until("a third of the trips", || {
                assert!(!idle(), "a biller ended");
                (fleet.billed() >= VEHICLES * TRIPS * third / 3).then_some(())
            });
            weir = weir.kill().restart();
            *fleet.address.lock().unwrap_or_else(PoisonError::into_inner) = weir.mqtt;
            if let Some(mount) = mount.as_ref().filter(|_| third == 1) {
                fleet.fill_disk(mount);
            }
        }
        for gateway in gateways {
            gateway.join().expect("it drove");
        }
        wake(&weir, &["unlock", "come home"]);
        let billed = weir.rest().until("billing", "an empty queue", |ledger| ledger.waiting() == 0);
        assert_eq!(billed.settled + billed.dead_lettered, billed.enqueued, "{billed:?}");
        until("all trips in the stream", || (fleet.analysed() == VEHICLES * TRIPS).then_some(()));
        fleet.over.store(true, Ordering::Release);
        let stopped = weir.terminate();
        for biller in billers {
            biller.join().expect("it worked");
        }
        stopped.restart()
    });
    check_the_end(&weir, &fleet);
}

fn check_the_end(weir: &Weir, fleet: &Fleet) {
    let rest = weir.rest();
    let billed = fleet.billed.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(billed.iter().all(|next| *next == TRIPS), "all trips are billed: {billed:?}");
    assert!(fleet.came.load(Ordering::Relaxed) > VEHICLES * TRIPS, "billers crashed");
    let billing = rest.ledger("billing").expect("it is there");
    let dead = rest.ledger("dead:billing").expect("made by the poison");
    assert!(billing.enqueued > (VEHICLES * TRIPS) as u64, "{billing:?}");
    // Twice if the broker was killed between storing and saying so.
    assert!(billing.dead_lettered >= 1, "{billing:?}");
    assert_eq!((dead.enqueued, dead.ready), (billing.dead_lettered, billing.dead_lettered));
    let mut reader = weir.connect(&Connect::new("reader"));
    assert_eq!(reader.subscribe("$dead/billing", 1), 1);
    let (topic, payload, _) = reader.message();
    assert_eq!((topic, payload), (format!("fleet/{}/trip", POISON.0), b"poison".to_vec()));
    let alarms = rest.ledger("fleet/+/alarm").expect("it is there");
    assert!(alarms.ready >= VEHICLES as u64, "{alarms:?}");
    for vehicle in 0..SLEEPERS {
        let commands = rest.ledger(&format!("fleet/{vehicle}/cmd")).expect("it is there");
        assert_eq!((commands.enqueued, commands.settled), (2, 2), "vehicle {vehicle}");
    }
    let map = fleet.map.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(map.len(), VEHICLES, "every vehicle is on the map");
}

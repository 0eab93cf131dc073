//! How long a turn of the thread may be.

use super::*;

const READERS: usize = 4;

/// Clients that subscribe to `t`.
fn readers(bench: &mut Bench) -> Vec<Client> {
    let mut reader = |n: usize| {
        let mut client = bench.open(Kind::Plain);
        client.say(&packets::connect(false, &format!("r{n}"), 0), None);
        client.say(&[0x82, 6, 0, 1, 0, 1, b't', 0], None);
        while client.send(None) {}
        bench.settle();
        client
    };
    (0..READERS).map(&mut reader).collect()
}

/// Publishes of a byte at QoS 0, from `first` on.
fn publishes(first: u8, count: u8) -> Vec<u8> {
    (first..first + count).flat_map(|n| [0x30, 4, 0, 1, b't', n]).collect()
}

/// The numbers that a reader was sent.
fn heard(client: &mut Client) -> Vec<u8> {
    while client.read(usize::MAX) {}
    let heard = client.heard();
    heard[9..].chunks(6).map(|publish| publish[5]).collect()
}

#[test]
fn a_turn_ends_when_one_publisher_has_made_it_long_and_the_next_goes_on() {
    let mut bench = Bench::new(&Identity::new());
    let mut readers = readers(&mut bench);
    let open = |bench: &mut Bench, name: &str| {
        let mut client = bench.open(Kind::Plain);
        client.say(&packets::connect(false, name, 0), None);
        client.send(None);
        bench.settle();
        client
    };
    let (mut publisher, mut bystander) = (open(&mut bench, "p"), open(&mut bench, "b"));
    publisher.say(&publishes(0, 100), None);
    bystander.say(&[0xC0, 0], None);
    while publisher.send(None) | bystander.send(None) {}
    bench.turn();
    bystander.read(usize::MAX);
    assert!(bystander.heard().ends_with(&[0xD0, 0]), "a bystander has its turn");
    let after_one = heard(&mut readers[0]).len();
    let cut = TURN_DELIVERIES_MAX as usize / READERS + 1;
    assert!((1..=cut).contains(&after_one), "{after_one} in one turn");
    // What is left of its packets does not become more while it is held.
    for n in 1..=5 {
        publisher.say(&publishes(n * 20 + 80, 20), None);
        while publisher.send(None) {}
        bench.turn();
    }
    bench.settle();
    // Their sockets take little at once.
    while readers.iter_mut().any(|reader| reader.read(usize::MAX)) {
        bench.settle();
    }
    for reader in &mut readers {
        assert_eq!(heard(reader), (0..200).collect::<Vec<u8>>());
    }
}

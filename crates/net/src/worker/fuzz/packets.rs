//! What the clients say: MQTT as bytes, made by hand, so that it can be wrong.

use stdx::testing::Dice;

const TOPICS: [&str; 4] = ["t/a", "t/b", "t", "u/x/y"];
const FILTERS: [&str; 6] = ["t/a", "t/+", "#", "+/b", "u/#", "$share/g/t/#"];

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut left = body.len();
    loop {
        let digit = (left % 128) as u8;
        left /= 128;
        bytes.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// CONNECT with Clean Start, of 5.0 or 3.1.1; a session expiry interval of 5.0.
pub(super) fn connect(is_v5: bool, client_id: &str, expiry: u32) -> Vec<u8> {
    let mut body = text("MQTT");
    body.extend([if is_v5 { 5 } else { 4 }, 2, 0, 0]);
    if is_v5 && expiry > 0 {
        body.extend([5, 0x11]);
        body.extend_from_slice(&expiry.to_be_bytes());
    } else if is_v5 {
        body.push(0);
    }
    body.extend(text(client_id));
    packet(0x10, &body)
}

/// A CONNECT, mostly of a session that is kept.
pub(super) fn opening(dice: &mut Dice) -> Vec<u8> {
    let id = format!("h{}", dice.below(4));
    let expiry = *dice.one_of(&[0, 100]);
    let mut bytes = connect(!dice.one_in(3), &id, expiry);
    if dice.one_in(8) {
        dice.mutate(&mut bytes);
    }
    bytes
}

fn publish(is_v5: bool, dice: &mut Dice) -> Vec<u8> {
    let qos = dice.below(3) as u8;
    let topic = *dice.one_of(&TOPICS);
    let mut body = text(topic);
    if qos > 0 {
        body.extend([0, 1 + dice.below(5) as u8]);
    }
    body.extend(is_v5.then_some(0));
    let len = *dice.one_of(&[0, 5, 100, 1_000, 5_000]);
    body.extend(std::iter::repeat_n(b'x', len));
    packet(0x30 | qos << 1, &body)
}

fn subscribe(is_v5: bool, filter: &str, dice: &mut Dice) -> Vec<u8> {
    let mut body = vec![0, 1 + dice.below(5) as u8];
    body.extend(is_v5.then_some(0));
    body.extend(text(filter));
    body.push(dice.below(3) as u8);
    packet(0x82, &body)
}

fn acknowledgement(dice: &mut Dice) -> Vec<u8> {
    let id = 1 + dice.below(5) as u8;
    packet(*dice.one_of(&[0x40, 0x50, 0x62, 0x70]), &[0, id])
}

fn one(is_v5: bool, dice: &mut Dice) -> Vec<u8> {
    match dice.below(10) {
        0..5 => publish(is_v5, dice),
        5..7 => {
            let filter = *dice.one_of(&FILTERS);
            subscribe(is_v5, filter, dice)
        }
        7 => acknowledgement(dice),
        _ => vec![0xC0, 0],
    }
}

/// A whole connection that the log has no part in, so that each answer follows from what came before it. The end may be
/// wrong.
pub(super) fn conversation(dice: &mut Dice) -> Vec<u8> {
    let is_v5 = !dice.one_in(3);
    let mut bytes = connect(is_v5, "client", 0);
    for _ in 0..dice.below(25) {
        bytes.extend(one(is_v5, dice));
    }
    let end: &[u8] = match dice.below(8) {
        0 => &[0xE0, 0],
        1 => &[0xE0, 0, 0xC0, 0],
        2 => &[0x00, 0],
        3 => &[0x81, 0],
        4 => &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        5 => &[0x30, 0xFF, 0xFF, 0x7F],
        6 => &[0x30, 0x20, 0, 3, b't'],
        _ => &[],
    };
    bytes.extend_from_slice(end);
    bytes
}

/// Some packets of any kind, with what the log has part in, and with damage.
pub(super) fn hostile(dice: &mut Dice) -> Vec<u8> {
    let is_v5 = !dice.one_in(3);
    let mut bytes = Vec::new();
    for _ in 0..=dice.below(6) {
        let mut next = match dice.below(12) {
            0 => {
                let filter = *dice.one_of(&["$q/t/+", "$queue/jobs/u/#", "t/#"]);
                subscribe(is_v5, filter, dice)
            }
            1 => {
                let mut retained = publish(is_v5, dice);
                retained[0] |= 1;
                retained
            }
            2 => opening(dice),
            _ => one(is_v5, dice),
        };
        if dice.one_in(15) {
            dice.mutate(&mut next);
        }
        bytes.extend(next);
    }
    bytes
}

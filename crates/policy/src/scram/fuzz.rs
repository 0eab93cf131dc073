//! Exchanges with something changed: none of them may end well, none may panic.

use stdx::testing::{Dice, runs};

use super::message::escaped;
use super::*;

const PASSWORD: &[u8] = b"pencil";
/// The least that a client takes.
const ITERATIONS: u32 = 4_096;

fn name(dice: &mut Dice) -> String {
    let letters = ["a", "b", ",", "=", "ä", "=2C", " ", "n=", "🦀"];
    (0..=dice.below(6)).map(|_| *dice.one_of(&letters)).collect()
}

fn nonce(dice: &mut Dice) -> String {
    (0..=dice.below(20)).map(|_| *dice.one_of(&['a', 'Z', '0', '=', '%', '!', '~'])).collect()
}

/// A client's first message; it may have what is not offered.
fn first(username: &str, nonce: &str, dice: &mut Dice) -> String {
    let name = escaped(username);
    let header = match dice.below(6) {
        0 => "y,,".to_owned(),
        1 => format!("n,a={name},"),
        2 => (*dice.one_of(&["p=tls-unique,,", "n,a=other,", "x,,", "n,"])).to_owned(),
        _ => "n,,".to_owned(),
    };
    let end = *dice.one_of(&["", "", "", ",x=later", ","]);
    format!("{header}n={name},r={nonce}{end}")
}

/// The message as it is, or with something done to it.
fn perhaps_changed(message: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = message.to_vec();
    if dice.one_in(2) {
        dice.mutate(&mut bytes);
    }
    bytes
}

/// A client does as many iterations as it is asked for, up to its limit: seconds, that is.
fn asks_for_long(challenge: &[u8]) -> bool {
    let text = String::from_utf8_lossy(challenge);
    let count = text.rsplit("i=").next().and_then(|count| count.parse::<u64>().ok());
    count.is_some_and(|count| count > 2 * u64::from(ITERATIONS))
}

#[test]
fn only_what_was_said_and_proved_is_taken() {
    let keys = ScramKeys::of(PASSWORD, b"salt-of-16-bytes", ITERATIONS);
    runs(150, |_, dice| {
        let (username, client_nonce, server_nonce) = (name(dice), nonce(dice), nonce(dice));
        let mut client = ScramClient::new(&username, PASSWORD, &client_nonce);
        let honest = client.first();
        let said = perhaps_changed(&honest, dice);
        let Ok(read) = ClientFirst::parse(&said) else {
            assert!(said != honest, "what a client of ours says is legal");
            return;
        };
        if said == honest {
            assert_eq!(read.username, username);
        }
        let (server, challenge) = ScramServer::begin(read, keys.clone(), &server_nonce);
        let heard = perhaps_changed(&challenge, dice);
        if asks_for_long(&heard) {
            return;
        }
        let Ok(proof) = client.answer(&heard) else {
            assert!(said != honest || heard != challenge, "an honest challenge is answered");
            return;
        };
        let shown = perhaps_changed(&proof, dice);
        let is_honest = said == honest && heard == challenge && shown == proof;
        match server.finish(&shown) {
            Ok(own) => {
                assert!(is_honest, "{}", String::from_utf8_lossy(&shown));
                assert_eq!(client.check(&own), Ok(()));
                let changed = perhaps_changed(&own, dice);
                assert_eq!(client.check(&changed).is_ok(), changed == own);
            }
            Err(error) => assert!(!is_honest, "{error}: {}", String::from_utf8_lossy(&shown)),
        }
    });
}

#[test]
fn what_other_clients_say_first_is_read_as_it_was_said() {
    runs(2_000, |_, dice| {
        let (username, nonce) = (name(dice), nonce(dice));
        let message = perhaps_changed(first(&username, &nonce, dice).as_bytes(), dice);
        if let Ok(read) = ClientFirst::parse(&message) {
            let again = format!("{}{}", read.gs2_header, read.bare);
            assert_eq!(again.as_bytes(), message, "nothing is left out");
            assert!(!read.username.is_empty() && read.bare.contains(&escaped(&read.username)));
        }
    });
}

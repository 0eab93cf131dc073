use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

/// The exchange of RFC 7677 §3.
const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const CHALLENGE: &str =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn keys(password: &str) -> ScramKeys {
    ScramKeys::of(password.as_bytes(), &STANDARD.decode(SALT).expect("base64"), 4_096)
}

fn begin(first: &str, keys: ScramKeys) -> (ScramServer, Vec<u8>) {
    ScramServer::begin(ClientFirst::parse(first.as_bytes()).expect("legal"), keys, SERVER_NONCE)
}

#[test]
fn the_exchange_of_the_rfc() {
    let (server, challenge) = begin(FIRST, keys("pencil"));
    assert_eq!(String::from_utf8(challenge).as_deref(), Ok(CHALLENGE));
    assert_eq!(server.username(), "user");
    assert_eq!(server.finish(FINAL.as_bytes()).as_deref(), Ok(SERVER_FINAL.as_bytes()));

    let mut client = ScramClient::new("user", b"pencil", "rOprNGfwEbeRWgbNEkqO");
    assert_eq!(client.first(), FIRST.as_bytes());
    assert_eq!(client.answer(CHALLENGE.as_bytes()).as_deref(), Ok(FINAL.as_bytes()));
    assert_eq!(client.check(SERVER_FINAL.as_bytes()), Ok(()));
    assert_eq!(client.check(b"v=AAAA"), Err(ScramError::WrongProof));
    assert_eq!(client.check(b"e=other-error"), Err(ScramError::WrongProof));
}

#[test]
fn what_proves_nothing_is_refused() {
    let (server, _) = begin(FIRST, keys("pencil"));
    let other_nonce = FINAL.replace("k0,p", "k1,p");
    let (other_binding, no_proof) = (FINAL.replace("biws", "eSws"), FINAL.replace(",p=", ",q="));
    for (message, expected) in [
        (other_nonce.as_str(), ScramError::WrongProof),
        (&other_binding, ScramError::WrongProof),
        (&FINAL.replace("p=dH", "p=dI"), ScramError::WrongProof),
        (&no_proof, ScramError::Malformed),
        (&FINAL.replace("p=dHzb", "p="), ScramError::Malformed),
        ("", ScramError::Malformed),
        ("p=", ScramError::Malformed),
        (",p=", ScramError::Malformed),
        (&"x".repeat(5_000), ScramError::Malformed),
    ] {
        assert_eq!(server.finish(message.as_bytes()), Err(expected), "{message}");
    }
    assert_eq!(server.finish(b"\xff"), Err(ScramError::Malformed));
    let (server, _) = begin(FIRST, keys("Pencil"));
    assert_eq!(server.finish(FINAL.as_bytes()), Err(ScramError::WrongProof));
}

#[test]
fn first_messages_are_read_or_refused() {
    for (message, username) in [
        ("n,,n=user,r=abc", "user"),
        ("y,,n=user,r=abc", "user"),
        ("n,a=user,n=user,r=abc", "user"),
        ("n,,n=a=2Cb=3Dc,r=abc", "a,b=c"),
        ("n,,n=ä,r=abc,x=later", "ä"),
    ] {
        let first = ClientFirst::parse(message.as_bytes()).expect(message);
        assert_eq!((first.username.as_str(), first.nonce.as_str()), (username, "abc"), "{message}");
    }
    for (message, expected) in [
        ("p=tls-unique,,n=user,r=abc", ScramError::Unsupported),
        ("n,a=other,n=user,r=abc", ScramError::Unsupported),
        ("n,,m=x,n=user,r=abc", ScramError::Unsupported),
        ("", ScramError::Malformed),
        ("n,,", ScramError::Malformed),
        ("x,,n=user,r=abc", ScramError::Malformed),
        ("n,n=user,r=abc", ScramError::Malformed),
        ("n,,n=,r=abc", ScramError::Malformed),
        ("n,,n=a=2cb,r=abc", ScramError::Malformed),
        ("n,,n=user", ScramError::Malformed),
        ("n,,n=user,r=", ScramError::Malformed),
        ("n,,n=user,r=a b", ScramError::Malformed),
    ] {
        assert_eq!(ClientFirst::parse(message.as_bytes()), Err(expected), "{message}");
    }
}

#[test]
fn a_client_gives_no_proof_to_who_is_not_its_server() {
    for (challenge, expected) in [
        ("r=other,s=AAAA,i=4096", ScramError::WrongProof),
        ("r=mine,s=AAAA,i=4096", ScramError::WrongProof),
        ("r=mineyours,s=AAAA,i=1", ScramError::Malformed),
        ("r=mineyours,s=AAAA,i=4000000000", ScramError::Malformed),
        ("r=mineyours,s=A,i=4096", ScramError::Malformed),
        ("m=x,r=mineyours,s=AAAA,i=4096", ScramError::Malformed),
    ] {
        let mut client = ScramClient::new("user", b"pencil", "mine");
        assert_eq!(client.answer(challenge.as_bytes()), Err(expected), "{challenge}");
    }
}

#[test]
fn keys_come_back_from_their_text() {
    let keys = keys("pencil");
    let text = keys.to_string();
    assert!(text.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{text}");
    assert_eq!(text.parse(), Ok(keys));
    for bad in ["", "SCRAM-SHA-256$0:AAAA$AAAA:AAAA", "SCRAM-SHA-1$1:AAAA$AAAA:AAAA"] {
        assert!(bad.parse::<ScramKeys>().is_err(), "{bad}");
    }
}

#[test]
fn nobody_always_has_the_same_keys_and_no_password() {
    let nobody = |name: &str| ScramKeys::of_nobody(b"secret", name, 4_096);
    assert_eq!(nobody("eve"), nobody("eve"));
    assert_ne!(nobody("eve").salt, nobody("bob").salt);
    assert_ne!(nobody("eve").salt, ScramKeys::of_nobody(b"other", "eve", 4_096).salt);
    let (server, challenge) = begin("n,,n=eve,r=mine", nobody("eve"));
    let mut client = ScramClient::new("eve", b"", "mine");
    let answer = client.answer(&challenge).expect("it looks like any challenge");
    assert_eq!(server.finish(&answer), Err(ScramError::WrongProof));
}

/// Messages that are nearly right: pieces of good ones in any order, with anything between.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"n,,n=user,r=abc".to_vec()),
        Just(b"p=tls-unique,".to_vec()),
        Just(b"a=user,".to_vec()),
        Just(b"c=biws,r=".to_vec()),
        Just(b",p=".to_vec()),
        Just(b"s=AAAA,i=4096".to_vec()),
        Just(b"=2C=3D=,".to_vec()),
        Just("\u{e4}".as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_message_is_too_strange(first in message(), last in message()) {
        let (server, _) = begin(FIRST, keys("pencil"));
        if let Ok(first) = ClientFirst::parse(&first) {
            // What was read is whole: it can be said again.
            let again = format!("{}{}", first.gs2_header, first.bare);
            prop_assert_eq!(ClientFirst::parse(again.as_bytes()), Ok(first));
        }
        prop_assert!(server.finish(&last).is_err());
        let mut client = ScramClient::new("user", b"pencil", "abc");
        prop_assert!(client.answer(&last).is_err() || last.starts_with(b"r=abc"));
        prop_assert!(client.check(&last).is_err());
    }
}

//! What the command line shows on a terminal while work takes long, and what Ctrl-C does to it.

use it::{Connect, Options, Terminal, Weir};
use serde_json::json;

const LETTERS: u64 = 40;

/// A broker whose queue `work/#` has so many dead letters.
fn with_dead_letters() -> Weir {
    let weir = Weir::start(Options::new());
    weir.rest().create_queue("work/#", json!({}));
    let mut publisher = weir.connect(&Connect::new("publisher"));
    publisher.publish_all(LETTERS as usize, (0..LETTERS).map(|_| ("work/a", &b"x"[..])));
    let mut consumer = weir.connect(&Connect::new("consumer"));
    assert_eq!(consumer.subscribe("$q/work/#", 1), 1);
    for _ in 0..LETTERS {
        let (_, _, id) = consumer.message();
        consumer.settle(id.expect("QoS 1"), 0x99).expect("sent");
    }
    weir.rest().until("dead:work/#", "all dead letters", |ledger| ledger.ready == LETTERS);
    weir
}

#[test]
fn a_redrive_shows_how_many_dead_letters_are_back() {
    let weir = with_dead_letters();
    let terminal = Terminal::start(&weir, &["queue", "redrive", "work/#", "--rate", "40"]);
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("of 40 dead letters sent back"), "{shown:?}");
    assert!(!shown.contains("purged"), "{shown:?}");
    assert!(shown.contains("queue 'work/#': 40 dead letters sent back\r\n"), "{shown:?}");
}

/// Ctrl-C ends a redrive, and says what became of it.
#[test]
fn a_redrive_that_is_interrupted_says_that_it_has_stopped() {
    let weir = with_dead_letters();
    let mut terminal = Terminal::start(&weir, &["queue", "redrive", "work/#", "--rate", "2"]);
    terminal.until("of 40 dead letters sent back");
    terminal.interrupt();
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("weir: interrupted: what was sent back stays there"), "{shown:?}");
    weir.wait_for_line(&["its client has gone", "redrive", "work/#", "admin"]);
    let ledger = weir.rest().ledger("dead:work/#").expect("it is there");
    assert!(ledger.ready > 0 && ledger.settled > 0, "{ledger:?}");
}

use super::*;

const KEY: Key = Key(7);

fn turns(keys: &Keys) -> (Option<u64>, Vec<Option<u64>>) {
    assert!(keys.is_sound());
    let owned = [0, 1].map(|slot| keys.first_owned(ConsumerSlot(slot)).map(|((_, at), _)| at.0));
    (keys.first_free().map(|((_, offset), _)| offset.0), owned.to_vec())
}

#[test]
fn one_at_a_time_and_what_came_back_is_first() {
    let mut keys = Keys::new(0);
    assert_eq!(keys.takes_new(KEY), Takes::Anybody);
    keys.delivered(KEY, ConsumerSlot(0));
    assert_eq!(keys.takes_new(KEY), Takes::Nobody);
    for turn in [(PASSED_OVER, Offset(5)), (PASSED_OVER, Offset(6)), (90, Offset(4))] {
        keys.wait(KEY, turn);
    }
    keys.wait(KEY, (RETURNED, Offset(9)));
    assert_eq!(turns(&keys), (None, vec![None, None]));
    assert!(!keys.ended(KEY));
    let mut order = Vec::new();
    while let Some((turn, key)) = keys.first_free() {
        assert!(keys.unwait(key, turn));
        keys.delivered(key, ConsumerSlot(1));
        assert_eq!(turns(&keys), (None, vec![None, None]));
        keys.ended(key);
        order.push(turn.1.0);
    }
    assert_eq!((order, keys.len(), keys.waiting()), (vec![9, 4, 5, 6], 0, 0));
}

#[test]
fn what_is_held_blocks_its_key() {
    let mut keys = Keys::new(1);
    keys.hold(KEY, true);
    keys.wait(KEY, (PASSED_OVER, Offset(3)));
    keys.wait(Key(8), (PASSED_OVER, Offset(4)));
    assert_eq!(turns(&keys), (Some(4), vec![None, None]));
    keys.hold(KEY, false);
    assert_eq!(turns(&keys), (Some(3), vec![None, None]));
    assert!(keys.waits(KEY, (PASSED_OVER, Offset(3))));
    assert!(!keys.unwait(KEY, (RETURNED, Offset(3))));
}

#[test]
fn several_go_to_one_owner_until_it_has_none() {
    let mut keys = Keys::new(2);
    keys.delivered(KEY, ConsumerSlot(1));
    assert_eq!(keys.takes_new(KEY), Takes::Only(ConsumerSlot(1)));
    keys.delivered(KEY, ConsumerSlot(1));
    assert_eq!(keys.takes_new(KEY), Takes::Nobody);
    keys.wait(KEY, (PASSED_OVER, Offset(3)));
    keys.wait(KEY, (PASSED_OVER, Offset(4)));
    assert_eq!(keys.take_owners(), []);
    assert!(!keys.ended(KEY));
    assert_eq!(
        (turns(&keys), keys.take_owners()),
        ((None, vec![None, Some(3)]), vec![ConsumerSlot(1)])
    );
    assert_eq!(keys.takes_new(KEY), Takes::Nobody, "not before those that wait");
    assert!(!keys.may_have_held(KEY, ConsumerSlot(0)) && keys.may_have_held(KEY, ConsumerSlot(1)));
    keys.recall_owners();
    assert_eq!(keys.take_owners(), [ConsumerSlot(1)]);
    keys.ended(KEY);
    assert_eq!(turns(&keys), (Some(3), vec![None, None]));
    keys.hold(KEY, true);
    keys.delivered(KEY, ConsumerSlot(0));
    assert!(keys.ended(KEY), "what is held may go to anybody");
}

#[test]
fn what_several_have_is_drained_first() {
    let mut keys = Keys::new(3);
    keys.delivered(KEY, ConsumerSlot(0));
    keys.delivered(KEY, ConsumerSlot(1));
    assert_eq!(keys.takes_new(KEY), Takes::Nobody);
    keys.ended(KEY);
    assert_eq!(keys.takes_new(KEY), Takes::Nobody);
    keys.ended(KEY);
    assert_eq!((keys.takes_new(KEY), keys.len()), (Takes::Anybody, 0));
}

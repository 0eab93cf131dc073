use super::*;

/// Consumers 0 to `count` enter, with nothing in flight.
fn dispatcher(strategy: DispatchStrategy, count: u32) -> Dispatcher {
    let mut dispatcher = Dispatcher::new(strategy);
    (0..count).for_each(|slot| dispatcher.enter(ConsumerSlot(slot), 0));
    dispatcher
}

fn choose(dispatcher: &mut Dispatcher, prng: &mut Prng, barred: &[u32]) -> Option<u32> {
    dispatcher.choose(prng, |slot| !barred.contains(&slot.0)).map(|slot| slot.0)
}

#[test]
fn nobody_is_chosen_when_nobody_may_be() {
    for strategy in DispatchStrategy::ALL {
        let mut prng = Prng::new(1);
        let mut dispatcher = dispatcher(strategy, 3);
        assert_eq!(choose(&mut dispatcher, &mut prng, &[0, 1, 2]), None);
        assert_eq!(choose(&mut dispatcher, &mut prng, &[0, 2]), Some(1));
        dispatcher.leave(ConsumerSlot(1));
        assert_eq!(choose(&mut dispatcher, &mut prng, &[0, 2]), None);
        assert_eq!(choose(&mut dispatcher, &mut prng, &[0]), Some(2));
        [0, 2].into_iter().for_each(|slot| dispatcher.leave(ConsumerSlot(slot)));
        assert_eq!(choose(&mut dispatcher, &mut prng, &[]), None);
    }
}

#[test]
fn round_robin_goes_around_and_a_newcomer_waits_its_turn() {
    let mut prng = Prng::new(1);
    let mut dispatcher = dispatcher(DispatchStrategy::RoundRobin, 2);
    let mut turns = Vec::new();
    for turn in 0..8 {
        if turn == 3 {
            dispatcher.enter(ConsumerSlot(2), 0);
        }
        let slot = choose(&mut dispatcher, &mut prng, &[]).unwrap();
        dispatcher.served(ConsumerSlot(slot), 1);
        turns.push(slot);
    }
    assert_eq!(turns, [0, 1, 0, 1, 0, 2, 1, 0]);
    // Who is barred keeps its turn.
    assert_eq!(choose(&mut dispatcher, &mut prng, &[2]), Some(1));
    assert_eq!(choose(&mut dispatcher, &mut prng, &[]), Some(2));
}

#[test]
fn random_is_even_also_among_those_that_are_allowed() {
    let mut prng = Prng::new(5);
    let mut dispatcher = dispatcher(DispatchStrategy::Random, 8);
    dispatcher.leave(ConsumerSlot(3));
    for barred in [vec![], vec![1], vec![0, 2, 7]] {
        let mut hits = [0_u32; 8];
        for _ in 0..8000 {
            hits[choose(&mut dispatcher, &mut prng, &barred).unwrap() as usize] += 1;
        }
        let share = 8000 / (7 - barred.len() as u32);
        for slot in 0..8 {
            let hits = hits[slot as usize];
            if slot == 3 || barred.contains(&slot) {
                assert_eq!(hits, 0, "{slot}");
            } else {
                assert!(hits.abs_diff(share) < share / 6, "{slot}: {hits}, not about {share}");
            }
        }
    }
}

#[test]
fn least_inflight_takes_the_fewest_and_goes_around_among_equals() {
    let mut prng = Prng::new(1);
    let mut dispatcher = Dispatcher::new(DispatchStrategy::LeastInflight);
    let mut in_flight = [2, 0, 3, 0];
    (0..4).for_each(|slot| dispatcher.enter(ConsumerSlot(slot), in_flight[slot as usize]));
    let mut turns = Vec::new();
    for _ in 0..8 {
        let slot = choose(&mut dispatcher, &mut prng, &[]).unwrap();
        in_flight[slot as usize] += 1;
        dispatcher.served(ConsumerSlot(slot), in_flight[slot as usize]);
        turns.push(slot);
    }
    assert_eq!((turns, in_flight), (vec![1, 3, 1, 3, 0, 1, 3, 2], [3, 3, 4, 3]));
    dispatcher.relieved(ConsumerSlot(2), 2);
    assert_eq!(choose(&mut dispatcher, &mut prng, &[]), Some(2));
    assert_eq!(choose(&mut dispatcher, &mut prng, &[2, 0]), Some(1));
    assert_eq!(choose(&mut dispatcher, &mut prng, &[]), Some(2));
}

#[test]
fn least_inflight_is_right_among_many() {
    let mut prng = Prng::new(1);
    let mut numbers = Prng::new(2);
    let mut dispatcher = Dispatcher::new(DispatchStrategy::LeastInflight);
    let mut in_flight: Vec<Option<u32>> = vec![None; 200];
    for _ in 0..20_000 {
        let at = numbers.below(200) as usize;
        let slot = ConsumerSlot(at as u32);
        match (in_flight[at], numbers.below(4)) {
            (None, _) => {
                in_flight[at] = Some(numbers.below(50) as u32);
                dispatcher.enter(slot, in_flight[at].unwrap());
            }
            (Some(_), 0) => {
                in_flight[at] = None;
                dispatcher.leave(slot);
            }
            (Some(now), 1) => {
                in_flight[at] = Some(now + 1);
                dispatcher.served(slot, now + 1);
            }
            (Some(now), _) => {
                in_flight[at] = Some(now.saturating_sub(1));
                dispatcher.relieved(slot, now.saturating_sub(1));
            }
        }
        let chosen = choose(&mut dispatcher, &mut prng, &[]);
        let fewest = in_flight.iter().flatten().min();
        assert_eq!(chosen.and_then(|slot| in_flight[slot as usize]), fewest.copied());
    }
}

//! What must hold in a reader.

use std::collections::BTreeMap;

use message_index::{Key, Offset};

use super::{Around, Reader, State};

impl Reader {
    /// The first thing that does not hold. It may be given nothing while the keys that it goes by are made anew.
    pub(crate) fn check(&self, around: &Around<'_>, awaits_keys: bool) -> Result<(), String> {
        self.check_places(around)?;
        self.check_members(around, awaits_keys)?;
        let position = self.position();
        let is_ahead = self.cursor.0.saturating_sub(position.0) > around.config.look_ahead.max(1);
        for (holds, what) in [
            (
                self.from <= position && position <= self.cursor,
                "its position is not where it reads",
            ),
            (self.cursor <= around.index.next(), "it read what never came"),
            (self.floor <= around.index.next(), "it was given what never came"),
            (!is_ahead || self.has_kept_ahead(around), "it is too far ahead"),
            (self.told.is_some_and(|told| told.position == position), "its position was not told"),
        ] {
            ensure(holds, what)?;
        }
        Ok(())
    }

    /// A lower limit lets it be as far ahead as it was.
    fn has_kept_ahead(&self, around: &Around<'_>) -> bool {
        !self.has_room(around.config)
    }

    fn check_places(&self, around: &Around<'_>) -> Result<(), String> {
        let mut keys: BTreeMap<Key, (u32, usize)> = BTreeMap::new();
        let (mut ready, mut delayed) = (0, 0);
        ensure(self.unsettled.is_sound(), "what is unsettled is kept in the wrong way")?;
        for (offset, message) in self.unsettled.iter() {
            let is_in_flight = matches!(message.state, State::InFlight(_));
            ensure(is_in_flight || self.comes_again(offset), "what waits is not wanted")?;
            let is_listed = match message.state {
                State::InFlight(member) => self.members.iter().any(|known| known.id == member),
                State::Ready => {
                    ready += 1;
                    self.ready.contains(&offset)
                }
                State::Delayed(due) => {
                    delayed += 1;
                    self.delayed.contains(&(due, offset)) && due > around.now
                }
                State::PassedOver => message.key != Key::NONE,
            };
            ensure(is_listed, "a message is in the wrong place")?;
            let counts = keys.entry(message.key).or_default();
            match message.state {
                State::PassedOver => counts.1 += 1,
                _ => counts.0 += 1,
            }
        }
        ensure(
            ready == self.ready.len() && delayed == self.delayed.len(),
            "what is settled waits",
        )?;
        keys.remove(&Key::NONE);
        let is_known = |(key, counts): (&Key, &(u32, usize))| self.keys.counts(*key) == *counts;
        ensure(
            keys.len() == self.keys.len() && keys.iter().all(is_known),
            "keys are counted wrongly",
        )?;
        let waits = |(offset, _): &(Offset, _)| self.unsettled.contains(*offset);
        ensure(self.barred.iter().all(waits), "what is settled is too large for a member")
    }

    fn check_members(&self, around: &Around<'_>, awaits_keys: bool) -> Result<(), String> {
        for member in &self.members {
            let has = self.unsettled.iter();
            let has = has.filter(|(_, message)| message.state == State::InFlight(member.id));
            let count = has.count();
            ensure(count == member.in_flight as usize, "a member's messages are counted wrongly")?;
        }
        ensure(self.name.is_group() || self.members.len() < 2, "a client reads twice")?;
        if around.config.paused || awaits_keys {
            return Ok(());
        }
        let may_go = |offset: &Offset| self.pick(Some(*offset), around.config).is_some();
        ensure(!self.ready.iter().any(may_go), "a message waits while a member has credit")?;
        let is_free = self.has_room(around.config) && self.pick(None, around.config).is_some();
        let next = around.index.first_from(self.cursor);
        let may_be_read = next.is_some_and(|next| next < self.permitted);
        ensure(!is_free || !may_be_read, "a message is not read while a member has credit")
    }
}

fn ensure(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

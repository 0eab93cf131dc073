//! All readers of a stream: by number, by name, by member; who waits for messages, who has to be woken, who has gone.
//! It must not know what a reader does.

use std::collections::BTreeSet;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use stdx::{Instant, UnixMillis};

use crate::reader::{Halt, Reader};
use crate::{MemberId, Place, ReaderId, ReaderName};

/// A reader and what lists it is on.
#[derive(Debug)]
struct Slot {
    reader: Reader,
    is_stirred: bool,
    halt: Halt,
    wake: Option<Instant>,
    place: Place,
    /// Since when it has no members, once that is known.
    gone_since: Option<UnixMillis>,
}

/// The readers.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    slots: Vec<Option<Box<Slot>>>,
    free: Vec<ReaderId>,
    by_name: HashMap<ReaderName, ReaderId, FixedState>,
    by_member: HashMap<MemberId, ReaderId, FixedState>,
    /// Those to be looked at with this input.
    stirred: Vec<ReaderId>,
    /// Those that would take a message that comes.
    hungry: Vec<ReaderId>,
    wakes: BTreeSet<(Instant, ReaderId)>,
    gone: BTreeSet<(UnixMillis, ReaderId)>,
    /// Those without members that went when the time was not known.
    undated: BTreeSet<ReaderId>,
    /// The place that was taken last.
    place: Place,
}

impl Readers {
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn members(&self) -> usize {
        self.by_member.len()
    }

    pub(crate) fn of_name(&self, name: &ReaderName) -> Option<ReaderId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn of_member(&self, member: MemberId) -> Option<ReaderId> {
        self.by_member.get(&member).copied()
    }

    fn slot(&self, id: ReaderId) -> Option<&Slot> {
        self.slots.get(id.0 as usize)?.as_deref()
    }

    fn slot_mut(&mut self, id: ReaderId) -> Option<&mut Slot> {
        self.slots.get_mut(id.0 as usize)?.as_deref_mut()
    }

    pub(crate) fn get(&self, id: ReaderId) -> Option<&Reader> {
        self.slot(id).map(|slot| &slot.reader)
    }

    pub(crate) fn get_mut(&mut self, id: ReaderId) -> Option<&mut Reader> {
        self.slot_mut(id).map(|slot| &mut slot.reader)
    }

    /// All of them, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ReaderId, &Reader)> {
        let slots = (0..).zip(&self.slots);
        slots.filter_map(|(number, slot)| Some((ReaderId(number), &slot.as_ref()?.reader)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Reader> {
        self.slots.iter_mut().flatten().map(|slot| &mut slot.reader)
    }

    /// Takes in a reader without members, whose name must be new.
    pub(crate) fn insert(&mut self, reader: Reader) -> ReaderId {
        let name = reader.name.clone();
        let place = self.next_place();
        let slot = Slot {
            reader,
            is_stirred: false,
            halt: Halt::Full,
            wake: None,
            place,
            gone_since: None,
        };
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            ReaderId(self.slots.len() as u32 - 1)
        });
        if let Some(place) = self.slots.get_mut(id.0 as usize) {
            *place = Some(Box::new(slot));
        }
        self.by_name.insert(name, id);
        self.undated.insert(id);
        id
    }

    /// Where a reader is, among all places where one ever was.
    pub(crate) fn place(&self, id: ReaderId) -> Option<Place> {
        self.slot(id).map(|slot| slot.place)
    }

    /// A reader has been set elsewhere.
    pub(crate) fn moved(&mut self, id: ReaderId) {
        let place = self.next_place();
        if let Some(slot) = self.slot_mut(id) {
            slot.place = place;
        }
    }

    const fn next_place(&mut self) -> Place {
        self.place.0 += 1;
        self.place
    }

    /// Lets a reader without members go.
    pub(crate) fn remove(&mut self, id: ReaderId) -> Option<Reader> {
        let slot = self.slots.get_mut(id.0 as usize)?.take()?;
        self.by_name.remove(&slot.reader.name);
        self.undated.remove(&id);
        if let Some(since) = slot.gone_since {
            self.gone.remove(&(since, id));
        }
        if let Some(wake) = slot.wake {
            self.wakes.remove(&(wake, id));
        }
        self.stirred.retain(|other| *other != id);
        self.hungry.retain(|other| *other != id);
        self.free.push(id);
        Some(slot.reader)
    }

    /// A member reads for a reader.
    pub(crate) fn attach(&mut self, id: ReaderId, member: MemberId, window: u32) {
        self.by_member.insert(member, id);
        self.undated.remove(&id);
        let Some(slot) = self.slot_mut(id) else { return };
        slot.reader.add(member, window);
        if let Some(since) = slot.gone_since.take() {
            self.gone.remove(&(since, id));
        }
        self.stir(id);
    }

    /// A member has gone. The reader itself is to be told.
    pub(crate) fn detach(&mut self, member: MemberId) {
        self.by_member.remove(&member);
    }

    /// Notes when a reader's last member has gone.
    pub(crate) fn note_gone(&mut self, id: ReaderId, at: Option<UnixMillis>) {
        if self.get(id).is_none_or(Reader::has_members) {
            return;
        }
        match at {
            Some(at) => self.date(id, at),
            None => drop(self.undated.insert(id)),
        }
    }

    /// A reader has no members since then.
    pub(crate) fn date(&mut self, id: ReaderId, since: UnixMillis) {
        self.undated.remove(&id);
        if let Some(slot) = self.slot_mut(id) {
            slot.gone_since = Some(since);
            self.gone.insert((since, id));
        }
    }

    /// Takes those that went before the time was known to have gone now.
    pub(crate) fn date_all(&mut self, now: UnixMillis) {
        while let Some(id) = self.undated.first().copied() {
            self.date(id, now);
        }
    }

    pub(crate) fn gone_since(&self, id: ReaderId) -> Option<UnixMillis> {
        self.slot(id)?.gone_since
    }

    /// The one that has been gone for longest.
    pub(crate) fn first_gone(&self) -> Option<(UnixMillis, ReaderId)> {
        self.gone.first().copied()
    }

    /// A reader is to be looked at.
    pub(crate) fn stir(&mut self, id: ReaderId) {
        let Some(slot) = self.slot_mut(id).filter(|slot| !slot.is_stirred) else { return };
        slot.is_stirred = true;
        self.stirred.push(id);
    }

    /// A message has come.
    pub(crate) fn stir_hungry(&mut self) {
        while let Some(id) = self.hungry.pop() {
            if let Some(slot) = self.slot_mut(id) {
                slot.halt = Halt::Full;
            }
            self.stir(id);
        }
    }

    /// Whether all that have members would take a message that comes.
    pub(crate) fn are_all_hungry(&self) -> bool {
        self.hungry.len() + self.gone.len() + self.undated.len() == self.len()
    }

    /// All are to be looked at.
    pub(crate) fn stir_all(&mut self) {
        for number in 0..self.slots.len() {
            self.stir(ReaderId(number as u32));
        }
    }

    /// The next one to be looked at.
    pub(crate) fn next_stirred(&mut self) -> Option<ReaderId> {
        let id = self.stirred.pop()?;
        if let Some(slot) = self.slot_mut(id) {
            slot.is_stirred = false;
        }
        Some(id)
    }

    /// A reader was looked at: why it is given no more, and when it has to be woken.
    pub(crate) fn looked_at(&mut self, id: ReaderId, halt: Halt) {
        let Some(slot) = self.slot_mut(id) else { return };
        let (before, known) = (slot.halt, slot.wake);
        let wake = slot.reader.next_wake();
        (slot.halt, slot.wake) = (halt, wake);
        match (before == Halt::Hungry, halt == Halt::Hungry) {
            (false, true) => self.hungry.push(id),
            (true, false) => self.hungry.retain(|other| *other != id),
            _ => {}
        }
        if known != wake {
            if let Some(known) = known {
                self.wakes.remove(&(known, id));
            }
            if let Some(wake) = wake {
                self.wakes.insert((wake, id));
            }
        }
    }

    /// Why a reader was given no more when it was looked at last.
    pub(crate) fn halt(&self, id: ReaderId) -> Option<Halt> {
        self.slot(id).map(|slot| slot.halt)
    }

    /// When the next one has to be woken.
    pub(crate) fn first_wake(&self) -> Option<Instant> {
        self.wakes.first().map(|(wake, _)| *wake)
    }

    /// Wakes all that are to be woken by now.
    pub(crate) fn wake(&mut self, now: Instant) {
        while let Some((wake, id)) = self.wakes.first().copied().filter(|(wake, _)| *wake <= now) {
            self.wakes.remove(&(wake, id));
            if let Some(slot) = self.slot_mut(id) {
                slot.wake = None;
                slot.reader.wake(now);
            }
            self.stir(id);
        }
    }

    /// What must hold of the lists; the first thing that does not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let ensure = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        ensure(self.stirred.is_empty(), "a reader was not looked at")?;
        let members = self.iter().map(|(_, reader)| reader.members().count());
        ensure(members.sum::<usize>() == self.by_member.len(), "a member is at no reader")?;
        ensure(self.iter().count() == self.by_name.len(), "a reader has no name")?;
        for (id, reader) in self.iter() {
            let Some(slot) = self.slot(id) else { continue };
            let hungry = self.hungry.iter().filter(|other| **other == id).count();
            let is_gone = slot.gone_since.is_some_and(|since| self.gone.contains(&(since, id)));
            let is_undated = self.undated.contains(&id);
            let wake = slot.wake.map(|wake| self.wakes.contains(&(wake, id)));
            let of_members = reader.members().all(|(member, _)| self.of_member(member) == Some(id));
            for (holds, what) in [
                (self.of_name(&reader.name) == Some(id), "is not found by its name"),
                (of_members, "is not found by its members"),
                (hungry == usize::from(slot.halt == Halt::Hungry), "is hungry in the wrong way"),
                (slot.wake == reader.next_wake() && wake != Some(false), "is not woken in time"),
                (reader.has_members() != (is_gone || is_undated), "has gone in the wrong way"),
                (!(is_gone && is_undated), "has gone twice"),
            ] {
                ensure(holds, &format!("{} {what}", reader.name))?;
            }
        }
        let lists = [self.wakes.len(), self.gone.len() + self.undated.len(), self.hungry.len()];
        ensure(lists.into_iter().all(|len| len <= self.len()), "one that was forgotten is listed")
    }
}

//! In what defining a queue and defining a stream differ. It must not know how requests are served.

use std::sync::Arc;

use super::{Control, Requests};
use crate::control::{Asker, ControlError, SinkKind};
use crate::directory::{
    DeadLetter, Definition, Directory, QueueDefinition, QueueProperties, StreamDefinition,
    StreamProperties,
};
use crate::hosting::Hosting;
use crate::mail::{Ensured, Letter};
use crate::record::Defined;
use crate::shared::Shared;
use crate::terms::{Room, Terms};
use crate::turn::Turn;

use super::super::dead_letters::DEAD;

/// The properties of what the control shard defines.
pub(crate) trait Kind: Defined {
    const WHAT: SinkKind;

    fn directory(shared: &Shared) -> &Directory<Self>;

    fn requests(control: &mut Control) -> &mut Requests<Self>;

    /// Why something of that name cannot have these properties.
    fn check(&self, name: &str, shared: &Shared) -> Result<(), ControlError>;

    fn set_paused(&mut self, is_paused: bool);

    fn needs_keys(&self) -> bool;

    /// Says of which making keys are from now on, after those properties: another one, if what they follow from is another.
    fn number_keys(&mut self, before: &Self);

    fn terms(definition: &Definition<Self>, room: Arc<Room>) -> Terms;

    /// Takes in at its owner what is defined, or defined anew.
    fn host(
        hosting: &mut Hosting,
        definition: Arc<Definition<Self>>,
        room: Arc<Room>,
        turn: &mut Turn,
    );

    /// The answer to who needs it to be there.
    fn ensured(asker: Asker, result: Result<Arc<Definition<Self>>, ControlError>) -> Letter;
}

impl Kind for QueueProperties {
    const WHAT: SinkKind = SinkKind::Queue;

    fn directory(shared: &Shared) -> &Directory<Self> {
        &shared.directory
    }

    fn requests(control: &mut Control) -> &mut Requests<Self> {
        &mut control.queues
    }

    /// Dead letters of a queue must not come back to it.
    fn check(&self, name: &str, shared: &Shared) -> Result<(), ControlError> {
        let mut next = self.dead_letter.clone();
        let mut by = name.to_owned();
        // Longer chains than there are queues go round.
        for _ in 0..=shared.directory.len() {
            let target = match next {
                DeadLetter::None => return Ok(()),
                DeadLetter::Own => format!("{DEAD}{by}"),
                DeadLetter::Queue(target) => target.into(),
            };
            if target == name {
                return Err(ControlError::DeadLettersReturn { name: name.to_owned(), by });
            }
            let Some(queue) = shared.directory.get(&target) else { return Ok(()) };
            next = queue.properties.dead_letter.clone();
            by = target;
        }
        Ok(())
    }

    fn set_paused(&mut self, is_paused: bool) {
        self.config.paused = is_paused;
    }

    fn needs_keys(&self) -> bool {
        self.config.needs_keys()
    }

    fn number_keys(&mut self, before: &Self) {
        let is_same = before.needs_keys() && before.key_expression == self.key_expression;
        let generation = before.config.key_generation;
        let is_other = self.needs_keys() && !is_same;
        self.config.key_generation = if is_other { next_making(generation) } else { generation };
    }

    fn terms(definition: &QueueDefinition, room: Arc<Room>) -> Terms {
        Terms::of_queue(definition, room)
    }

    fn host(
        hosting: &mut Hosting,
        definition: Arc<QueueDefinition>,
        room: Arc<Room>,
        turn: &mut Turn,
    ) {
        hosting.define(definition, None, room, turn);
    }

    fn ensured(asker: Asker, result: Result<Arc<QueueDefinition>, ControlError>) -> Letter {
        match asker {
            Asker::Dying { dying, .. } => Letter::DeadEnsured { dying, result },
            Asker::Subscription { subscribe, filter, .. } => {
                Letter::Ensured { subscribe, filter, result: result.map(Ensured::Queue) }
            }
        }
    }
}

impl Kind for StreamProperties {
    const WHAT: SinkKind = SinkKind::Stream;

    fn directory(shared: &Shared) -> &Directory<Self> {
        &shared.streams
    }

    fn requests(control: &mut Control) -> &mut Requests<Self> {
        &mut control.streams
    }

    fn check(&self, _: &str, _: &Shared) -> Result<(), ControlError> {
        Ok(())
    }

    fn set_paused(&mut self, is_paused: bool) {
        self.config.paused = is_paused;
    }

    fn needs_keys(&self) -> bool {
        self.config.needs_keys()
    }

    fn number_keys(&mut self, before: &Self) {
        let is_same = before.needs_keys() && before.key_expression == self.key_expression;
        let generation = before.config.key_generation;
        let is_other = self.needs_keys() && !is_same;
        self.config.key_generation = if is_other { next_making(generation) } else { generation };
    }

    fn terms(definition: &StreamDefinition, room: Arc<Room>) -> Terms {
        Terms::of_stream(definition, room)
    }

    fn host(
        hosting: &mut Hosting,
        definition: Arc<StreamDefinition>,
        room: Arc<Room>,
        turn: &mut Turn,
    ) {
        hosting.define_stream(definition, None, room, turn);
    }

    fn ensured(asker: Asker, result: Result<Arc<StreamDefinition>, ControlError>) -> Letter {
        let (subscribe, filter) = match asker {
            Asker::Subscription { subscribe, filter, .. } => (subscribe, filter),
            // Dead letters go to queues; a subscription that nobody knows is passed over.
            Asker::Dying { .. } => (usize::MAX, 0),
        };
        Letter::Ensured { subscribe, filter, result: result.map(Ensured::Stream) }
    }
}

/// The number of the next making of keys. Numbers come around, long after the messages of earlier rounds have their keys;
/// 0 is of keys that never changed.
fn next_making(generation: u8) -> u8 {
    generation.checked_add(1).unwrap_or(1)
}

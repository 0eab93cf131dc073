//! The segments' files that are open for reading. It must not know what is read.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use crate::host::{Access, Host, HostFile};
use crate::segments::Segment;

/// The most files that are open for reading.
const OPEN_FILES_MAX: usize = 128;

/// Files by segment; the one that was used longest ago is closed first.
pub(crate) struct OpenFiles {
    host: Arc<dyn Host>,
    by_segment: HashMap<u32, (Box<dyn HostFile>, u64)>,
    uses: u64,
}

impl OpenFiles {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        Self { host, by_segment: HashMap::new(), uses: 0 }
    }

    pub(crate) fn get(&mut self, segment: &Segment) -> io::Result<&dyn HostFile> {
        self.uses += 1;
        if !self.by_segment.contains_key(&segment.number) {
            self.make_room();
            let file = self.host.open(&segment.path, Access::Read)?;
            self.by_segment.insert(segment.number, (file, self.uses));
        }
        let (file, used) =
            self.by_segment.get_mut(&segment.number).expect("it was there or has been put there");
        *used = self.uses;
        Ok(&**file)
    }

    pub(crate) fn forget(&mut self, segment: u32) {
        self.by_segment.remove(&segment);
    }

    fn make_room(&mut self) {
        if self.by_segment.len() >= OPEN_FILES_MAX {
            let oldest = self
                .by_segment
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(number, _)| *number);
            self.by_segment.remove(&oldest.unwrap_or_default());
        }
    }
}

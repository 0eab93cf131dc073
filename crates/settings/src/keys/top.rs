//! Keys at the top of the file.

use super::Section;
use crate::key::{Key, Slot};
use crate::settings::Settings;

pub(super) const SECTION: Section<Settings> = Section {
    name: "",
    doc: "At the top of the file.",
    keys: &[Key {
        name: "data_dir",
        default: "weir-data",
        doc: "Where all data of this node lies; also `--data-dir`. Relative to the working directory.",
        slot: Slot::Path(|settings| &mut settings.data_dir),
    }],
};

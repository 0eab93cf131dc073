//! Which names there are: as programs see them, and as they would be found after a power cut. It must not know bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::dice::Dice;

/// What is there under names.
#[derive(Clone, Default, Debug)]
struct Tree {
    files: BTreeMap<PathBuf, usize>,
    directories: BTreeSet<PathBuf>,
}

/// A change of names.
#[derive(Debug)]
enum Change {
    Directory(PathBuf),
    Link(PathBuf, usize),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

/// Names of files, which are numbers here.
#[derive(Default, Debug)]
pub(super) struct Names {
    cached: Tree,
    durable: Tree,
    /// Changes that were not synced, in order, by directory.
    unsynced: BTreeMap<PathBuf, Vec<Change>>,
}

impl Change {
    fn apply(&self, tree: &mut Tree) {
        let names = &mut tree.files;
        match self {
            Self::Directory(path) => {
                tree.directories.insert(path.clone());
            }
            Self::Link(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Unlink(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<usize> {
        self.cached.files.get(path).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathBuf, usize)> {
        self.cached.files.iter().map(|(path, file)| (path, *file))
    }

    pub(super) fn make_directory(&mut self, path: &Path) {
        if !self.cached.directories.contains(path) {
            self.change(path, Change::Directory(path.to_owned()));
        }
    }

    pub(super) fn link(&mut self, path: &Path, file: usize) {
        self.change(path, Change::Link(path.to_owned(), file));
    }

    pub(super) fn unlink(&mut self, path: &Path) {
        self.change(path, Change::Unlink(path.to_owned()));
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        self.change(to, Change::Rename(from.to_owned(), to.to_owned()));
    }

    fn change(&mut self, path: &Path, change: Change) {
        change.apply(&mut self.cached);
        let directory = path.parent().unwrap_or(path).to_owned();
        self.unsynced.entry(directory).or_default().push(change);
    }

    pub(super) fn sync(&mut self, directory: &Path) {
        for change in self.unsynced.remove(directory).unwrap_or_default() {
            change.apply(&mut self.durable);
        }
    }

    /// The power is cut: of each directory's changes, the first so many have reached the disk.
    pub(super) fn lose_power(&mut self, dice: &mut Dice) {
        for changes in std::mem::take(&mut self.unsynced).into_values() {
            let kept = dice.below(changes.len() + 1);
            changes.iter().take(kept).for_each(|change| change.apply(&mut self.durable));
        }
        // What lay in a directory is gone with its name.
        let Tree { files, directories } = &mut self.durable;
        files.retain(|path, _| {
            let mut above = path.ancestors().skip(1).filter(|above| above.parent().is_some());
            above.all(|above| directories.contains(above))
        });
        self.cached.clone_from(&self.durable);
    }
}

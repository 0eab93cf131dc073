//! Small and read-only file systems, which need root.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A tmpfs, unmounted when dropped.
pub struct Mount(TempDir);

impl Mount {
    /// Mounts a tmpfs of that size; none, and a line that says so, for those who may not mount.
    ///
    /// # Panics
    /// It cannot be mounted although `CI` is set: there these tests must run.
    #[must_use]
    pub fn tmpfs(size: &str) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let options = format!("size={size},mode=0755");
        let arguments = ["-t", "tmpfs", "-o", &options, "tmpfs"];
        if run("mount", &arguments, directory.path()) {
            return Some(Self(directory));
        }
        assert!(std::env::var_os("CI").is_none(), "cannot mount a tmpfs, and CI must");
        eprintln!("NOT TESTED: this needs the right to mount a tmpfs");
        None
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Makes it read-only.
    ///
    /// # Panics
    /// It cannot be remounted.
    pub fn make_read_only(&self) {
        assert!(run("mount", &["-o", "remount,ro"], self.path()), "it can be remounted");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if !run("umount", &["--lazy"], self.path()) {
            eprintln!("could not unmount {}", self.path().display());
        }
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let output = Command::new(program).args(arguments).arg(path).output();
    output.is_ok_and(|output| output.status.success())
}

//! The workspace as data: its crates, their manifests, every text file.
//! It must not know any rule.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::scan::Scanned;

/// Everything the rules look at.
#[derive(Default)]
pub(crate) struct Workspace {
    pub(crate) crates: Vec<Crate>,
    pub(crate) files: Vec<File>,
}

/// One crate.
#[derive(Clone, Default)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Its folder, relative to the root.
    pub(crate) folder: String,
    /// The names of its normal and build dependencies.
    pub(crate) dependencies: Vec<String>,
}

/// One text file.
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// For `.rs` files only.
    pub(crate) scanned: Option<Scanned>,
}

const SKIPPED: &[&str] = &["target", ".git", "node_modules", ".venv", "weir-data", "__pycache__"];
const TEXT: &[&str] =
    &["rs", "toml", "md", "py", "js", "mjs", "sh", "json", "yml", "yaml", "lock", ""];

impl Workspace {
    /// Where the workspace lies that this crate belongs to.
    ///
    /// cargo says at run time where that is; what it said at compile time may be another checkout that shares the target
    /// directory.
    pub(crate) fn root() -> Result<PathBuf> {
        let own = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as cargo xtask")?;
        let root = Path::new(&own).ancestors().nth(2).context("xtask lies in crates/xtask")?;
        Ok(root.to_owned())
    }

    /// Reads the workspace.
    pub(crate) fn load() -> Result<Self> {
        let root = Self::root()?;
        let crates = metadata(&root)?;
        let mut files = Vec::new();
        collect(&root, &root, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { crates, files })
    }

    /// The files below a folder.
    pub(crate) fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| {
            file.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// The file at that path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let scanned = path.ends_with(".rs").then(|| Scanned::new(text));
        Self { path: path.to_owned(), text: text.to_owned(), scanned }
    }

    /// Whether all of it is test code, by where it lies.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }
}

fn metadata(root: &Path) -> Result<Vec<Crate>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("cargo metadata starts")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("metadata lists packages")?;
    packages.iter().map(|package| read_package(root, package)).collect()
}

fn read_package(root: &Path, package: &Value) -> Result<Crate> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("metadata holds a text");
    let manifest = PathBuf::from(text(&package["manifest_path"])?);
    let folder = manifest.parent().context("a manifest lies in a folder")?;
    let folder = folder.strip_prefix(root).context("a member lies below the root")?;
    let dependencies = package["dependencies"].as_array().context("metadata lists dependencies")?;
    Ok(Crate {
        name: text(&package["name"])?,
        folder: folder.display().to_string(),
        dependencies: dependencies
            .iter()
            .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
            .map(|dependency| text(&dependency["name"]))
            .collect::<Result<_>>()?,
    })
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files)?;
            continue;
        }
        let extension = path.extension().map(|e| e.to_string_lossy().into_owned());
        if !TEXT.contains(&extension.unwrap_or_default().as_str()) {
            continue;
        }
        let relative = path.strip_prefix(root).context("walked from the root")?;
        if let Ok(text) = std::fs::read_to_string(&path) {
            files.push(File::new(&relative.display().to_string(), &text));
        }
    }
    Ok(())
}

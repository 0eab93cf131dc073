//! One edition of MQTT and its statements, as its file in `crates/xtask/conformance` has them.

use anyhow::{Context as _, Result, bail};

use super::tests_of::Tests;
use crate::workspace::Workspace;

/// How an edition is called, cited and kept.
pub(crate) struct Kind {
    /// `MQTT 5.0`.
    pub(crate) name: &'static str,
    /// What a citation begins with.
    prefix: &'static str,
    path: &'static str,
}

/// All editions, the newest first.
pub(crate) const EDITIONS: &[Kind] = &[
    Kind { name: "MQTT 5.0", prefix: "MQTT-", path: "crates/xtask/conformance/mqtt5.toml" },
    Kind { name: "MQTT 3.1.1", prefix: "MQTT311-", path: "crates/xtask/conformance/mqtt311.toml" },
    Kind { name: "MQTT 3.1", prefix: "MQTT31-", path: "crates/xtask/conformance/mqtt31.toml" },
];

/// An edition with its statements.
pub(crate) struct Edition {
    pub(crate) kind: &'static Kind,
    pub(crate) statements: Vec<Statement>,
}

/// A numbered statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Statement {
    /// `1.5.4-1`.
    pub(crate) number: String,
    pub(crate) binds_server: bool,
    /// What it is about, in our words.
    pub(crate) words: String,
    /// Why it does not apply here, if so.
    pub(crate) not_applicable: Option<String>,
}

impl Edition {
    pub(crate) fn load(kind: &'static Kind, workspace: &Workspace) -> Result<Self> {
        let file = workspace.file(kind.path).with_context(|| format!("{} is there", kind.path))?;
        let table: toml::Table = file.text.parse().with_context(|| kind.path.to_owned())?;
        let statements = table.into_iter().map(|(number, value)| {
            let texts: Vec<String> =
                value.try_into().with_context(|| format!("{}: {number}", kind.path))?;
            Statement::of(number, texts).with_context(|| kind.path.to_owned())
        });
        Ok(Self { kind, statements: statements.collect::<Result<_>>()? })
    }

    pub(crate) fn path(&self) -> &'static str {
        self.kind.path
    }

    /// A statement's number as tests cite it.
    pub(crate) fn cite(&self, number: &str) -> String {
        format!("[{}{number}]", self.kind.prefix)
    }

    pub(crate) fn has(&self, cited: &str) -> bool {
        self.statements.iter().any(|statement| self.cite(&statement.number) == cited)
    }

    /// The statements that bind a server and apply, and that no test names.
    pub(crate) fn without_test<'a>(
        &'a self,
        tests: &'a Tests,
    ) -> impl Iterator<Item = &'a Statement> {
        self.statements.iter().filter(|statement| {
            statement.binds_server
                && statement.not_applicable.is_none()
                && tests.naming(&self.cite(&statement.number)).is_empty()
        })
    }
}

impl Statement {
    fn of(number: String, texts: Vec<String>) -> Result<Self> {
        let (binds, words, not_applicable) = match <[String; 2]>::try_from(texts) {
            Ok([binds, words]) => (binds, words, None),
            Err(texts) => match <[String; 3]>::try_from(texts) {
                Ok([binds, words, why]) => (binds, words, Some(why)),
                Err(_) => bail!("{number}: not whom it binds, its words, and perhaps a reason"),
            },
        };
        let binds_server = match binds.as_str() {
            "server" | "both" => true,
            "client" => false,
            other => bail!("{number}: binds neither server, client nor both, but {other}"),
        };
        Ok(Self { number, binds_server, words, not_applicable })
    }
}

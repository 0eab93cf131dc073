//! The flags of commands over REST: which broker, with which token.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use clap::Args;
use serde::Serialize;

use crate::failure::Usage;
use crate::output;
use crate::rest::Rest;

/// Where a broker serves HTTP unless it is told otherwise.
const URL: &str = "http://127.0.0.1:18083";

/// Which broker, with which token.
#[derive(Clone, Debug, Args)]
pub struct RestArgs {
    /// The broker's HTTP address [default: http://127.0.0.1:18083]
    #[arg(long, global = true, env = "WEIR_URL")]
    url: Option<String>,
    /// A token to sign in with [default: the one in <data-dir>/admin.token]
    #[arg(long, global = true, env = "WEIR_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The broker's data directory on this machine
    #[arg(
        long,
        global = true,
        default_value = "weir-data",
        env = "WEIR_DATA_DIR",
        value_name = "DIR"
    )]
    data_dir: PathBuf,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

impl RestArgs {
    /// A client with the token that was given or found.
    pub fn rest(&self) -> Result<Rest> {
        Ok(Rest::new(self.address()?, &self.token()?))
    }

    /// The same for requests that may take long.
    pub fn patient_rest(&self) -> Result<Rest> {
        Ok(Rest::patient(self.address()?, &self.token()?))
    }

    /// Says something as JSON if that is wanted, or else in words.
    pub fn said(&self, value: &impl Serialize, words: impl FnOnce() -> String) -> Result<()> {
        if self.json { output::json(value) } else { output::line(&words()) }
    }

    /// Whether it is said which broker is meant, other than by its data directory.
    pub const fn names_a_broker(&self) -> bool {
        self.url.is_some() || self.token.is_some()
    }

    /// The broker's data directory on this machine.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    fn address(&self) -> Result<&str> {
        let url = self.url.as_deref().unwrap_or(URL).trim_end_matches('/');
        if !url.starts_with("http://") {
            return Err(Usage(format!("--url {url}: this version speaks http:// only")).into());
        }
        Ok(url)
    }

    fn token(&self) -> Result<String> {
        if let Some(token) = &self.token {
            return Ok(token.trim().to_owned());
        }
        let path = self.data_dir.join("admin.token");
        let token = fs::read_to_string(&path).map_err(|error| {
            let step = "run this where the broker keeps its data, or give --data-dir or --token";
            anyhow!("no admin token: {} cannot be read: {error}; {step}", path.display())
        })?;
        Ok(token.trim().to_owned())
    }
}

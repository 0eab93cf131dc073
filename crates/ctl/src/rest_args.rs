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

/// A variable of the environment that says something. Read here, since a usage line shows what clap reads from there as if it
/// had to be given.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where a data directory is unless a flag says so.
pub fn data_dir() -> PathBuf {
    variable("WEIR_DATA_DIR").map_or_else(|| PathBuf::from("weir-data"), PathBuf::from)
}

/// Which broker, with which token.
#[derive(Clone, Debug, Args)]
pub struct RestArgs {
    /// The broker's HTTP address (also WEIR_URL) [default: http://127.0.0.1:18083]
    #[arg(long, global = true)]
    url: Option<String>,
    /// A token to sign in with (also WEIR_TOKEN) [default: the one in <data-dir>/admin.token]
    #[arg(long, global = true)]
    token: Option<String>,
    /// The broker's data directory on this machine (also WEIR_DATA_DIR)
    #[arg(long, global = true, default_value_os_t = data_dir(), value_name = "DIR")]
    data_dir: PathBuf,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

impl RestArgs {
    /// A client with the token that was given or found.
    pub fn rest(&self) -> Result<Rest> {
        Ok(Rest::new(&self.address()?, &self.token()?))
    }

    /// The same for requests that may take long.
    pub fn patient_rest(&self) -> Result<Rest> {
        Ok(Rest::patient(&self.address()?, &self.token()?))
    }

    /// Says something as JSON if that is wanted, or else in words.
    pub fn said(&self, value: &impl Serialize, words: impl FnOnce() -> String) -> Result<()> {
        if self.json { output::json(value) } else { output::line(&words()) }
    }

    /// Whether it is said which broker is meant, other than by its data directory.
    pub fn names_a_broker(&self) -> bool {
        self.given_url().is_some() || self.given_token().is_some()
    }

    /// The broker's data directory on this machine.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    fn given_url(&self) -> Option<String> {
        self.url.clone().or_else(|| variable("WEIR_URL"))
    }

    fn given_token(&self) -> Option<String> {
        self.token.clone().or_else(|| variable("WEIR_TOKEN"))
    }

    fn address(&self) -> Result<String> {
        let url = self.given_url().unwrap_or_else(|| URL.to_owned());
        let url = url.trim_end_matches('/');
        if !url.starts_with("http://") {
            return Err(Usage(format!("--url {url}: this version speaks http:// only")).into());
        }
        Ok(url.to_owned())
    }

    fn token(&self) -> Result<String> {
        if let Some(token) = self.given_token() {
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

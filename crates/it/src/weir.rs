//! One broker process: start, kill, restart, stop; and what it must not have said.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::options::Options;
use crate::output::{Output, is_trouble};
use crate::rest::Rest;
use crate::waiting::{DEADLINE, until};
use crate::wire::{Client, Connect};

/// A running broker; dropped, it is killed and its log held against what the test expects.
pub struct Weir {
    options: Options,
    /// Keeps the directory of its own alive over restarts.
    directory: Option<Arc<TempDir>>,
    child: Child,
    output: Output,
    /// Where MQTT is served.
    pub mqtt: SocketAddr,
    /// Where HTTP is served.
    pub http: SocketAddr,
}

/// A broker that ended instead of serving.
#[derive(Debug)]
pub struct Refused {
    /// How it ended.
    pub status: ExitStatus,
    /// All that it printed.
    pub lines: Vec<String>,
}

impl Weir {
    /// Starts a broker and waits until it serves.
    ///
    /// # Panics
    /// It does not serve.
    #[must_use]
    pub fn start(options: Options) -> Self {
        match Self::try_start(options) {
            Ok(weir) => weir,
            Err(refused) => {
                panic!(
                    "ended with {} instead of serving:\n{}",
                    refused.status,
                    refused.lines.join("\n")
                )
            }
        }
    }

    /// Starts a broker that may refuse.
    ///
    /// # Errors
    /// It ended instead of serving.
    pub fn try_start(options: Options) -> Result<Self, Refused> {
        let own = options.data_dir.is_none();
        let directory = own.then(|| Arc::new(tempfile::tempdir().expect("a temporary directory")));
        Self::launch(options, directory)
    }

    fn launch(options: Options, directory: Option<Arc<TempDir>>) -> Result<Self, Refused> {
        let data_dir = match (&directory, &options.data_dir) {
            (Some(directory), _) => directory.path().to_owned(),
            (None, Some(path)) => path.clone(),
            (None, None) => unreachable!("a broker has a directory of its own or is given one"),
        };
        let mut child = command(&options, &data_dir).spawn().expect("the binary starts");
        let output = Output::default();
        output.follow(child.stdout.take().expect("stdout is a pipe"));
        output.follow(child.stderr.take().expect("stderr is a pipe"));
        let mqtt = output.wait_for(|line| listening(line, "mqtt"));
        let http = output.wait_for(|line| listening(line, "http"));
        match (mqtt, http) {
            (Some(mqtt), Some(http)) => Ok(Self { options, directory, child, output, mqtt, http }),
            _ => {
                let ended = child.try_wait().expect("the process can be asked");
                if ended.is_none() {
                    let _ = child.kill();
                }
                let status = child.wait().expect("the process ends");
                Err(Refused { status, lines: output.whole() })
            }
        }
    }

    /// The directory of its data.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        match (&self.directory, &self.options.data_dir) {
            (Some(directory), _) => directory.path(),
            (None, Some(path)) => path,
            (None, None) => unreachable!("a broker has a directory of its own or is given one"),
        }
    }

    /// REST with the admin's token.
    #[must_use]
    pub fn rest(&self) -> Rest {
        let path = self.data_dir().join("admin.token");
        let token = until("the admin token", || std::fs::read_to_string(&path).ok());
        Rest::new(self.http, token.trim())
    }

    /// A new connection of our own client.
    #[must_use]
    pub fn connect(&self, connect: &Connect) -> Client {
        Client::connect(self.mqtt, connect)
    }

    /// Runs a command of the same binary against this broker, with that standard input, and gives what it printed.
    ///
    /// # Panics
    /// It fails.
    #[must_use]
    pub fn command(&self, arguments: &[&str], input: &str) -> String {
        let output = self.try_command(arguments, input);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs a command of the same binary, which may fail.
    ///
    /// # Panics
    /// It does not run.
    #[must_use]
    pub fn try_command(&self, arguments: &[&str], input: &str) -> std::process::Output {
        let mut child = weir_command()
            .args(arguments)
            .env("WEIR_URL", format!("http://{}", self.http))
            .env("WEIR_DATA_DIR", self.data_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        // It may have ended without reading.
        let _ = child.stdin.take().expect("stdin is a pipe").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    }

    /// A handle to kill it from another thread, by its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address of that listener.
    ///
    /// # Panics
    /// It has none.
    #[must_use]
    pub fn listener(&self, name: &str) -> SocketAddr {
        let address = self.output.wait_for(|line| listening(line, name));
        address.unwrap_or_else(|| panic!("no listener {name} in {DEADLINE:?}"))
    }

    /// Ends it as a power cut would end a process, and gives what starts it again. It may have been in the middle of a write.
    #[must_use]
    pub fn kill(mut self) -> Stopped {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        self.options.expected.push("torn tail cut".to_owned());
        self.stopped()
    }

    /// Asks it to end with SIGTERM and waits until it has, with success.
    #[must_use]
    pub fn terminate(mut self) -> Stopped {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("it runs");
        let start = Instant::now();
        let status =
            until("the end after SIGTERM", || self.child.try_wait().expect("it can be asked"));
        println!("ended {:?} after SIGTERM", start.elapsed());
        assert!(status.success(), "ended with {status} after SIGTERM");
        self.stopped()
    }

    /// Sends SIGHUP.
    ///
    /// # Panics
    /// It does not run.
    pub fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).expect("it runs");
    }

    /// Waits for a line of the log that holds all of `parts`.
    ///
    /// # Panics
    /// It does not come.
    pub fn wait_for_line(&self, parts: &[&str]) -> String {
        let holds =
            |line: &str| parts.iter().all(|part| line.contains(part)).then(|| line.to_owned());
        self.output
            .wait_for(holds)
            .unwrap_or_else(|| panic!("no line with {parts:?} in {DEADLINE:?}"))
    }

    fn stopped(&self) -> Stopped {
        Stopped {
            options: self.options.clone(),
            directory: self.directory.clone(),
            lines: self.output.whole(),
        }
    }
}

/// A broker that ended, and its data.
pub struct Stopped {
    options: Options,
    directory: Option<Arc<TempDir>>,
    /// All that it printed.
    pub lines: Vec<String>,
}

impl Stopped {
    /// The directory of its data.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        let own = self.directory.as_ref().map(|directory| directory.path().to_owned());
        own.or_else(|| self.options.data_dir.clone()).expect("a broker has a data directory")
    }

    /// Allows WARN and ERROR lines that hold `text`, from now on.
    #[must_use]
    pub fn expect(mut self, text: &str) -> Self {
        self.options = self.options.expect(text);
        self
    }

    /// Passes `--set key=value`, from now on.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.options = self.options.set(key, value);
        self
    }

    /// Starts a broker on the same data.
    #[must_use]
    pub fn restart(self) -> Weir {
        match self.try_restart() {
            Ok(weir) => weir,
            Err(refused) => {
                panic!(
                    "ended with {} instead of serving again:\n{}",
                    refused.status,
                    refused.lines.join("\n")
                )
            }
        }
    }

    /// Starts a broker on the same data, which may refuse.
    ///
    /// # Errors
    /// It ended instead of serving.
    pub fn try_restart(self) -> Result<Weir, Refused> {
        Weir::launch(self.options, self.directory)
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let lines = self.output.whole();
        if std::thread::panicking() {
            let last = lines.len().saturating_sub(50);
            eprintln!("the broker's last lines:\n{}", lines[last..].join("\n"));
            return;
        }
        let expected =
            |line: &&String| self.options.expected.iter().any(|text| line.contains(text));
        let trouble: Vec<&String> =
            lines.iter().filter(|line| is_trouble(line)).filter(|line| !expected(line)).collect();
        assert!(trouble.is_empty(), "unexpected WARN or ERROR: {trouble:#?}");
    }
}

/// The address in `listening <name> <address>`.
fn listening(line: &str, name: &str) -> Option<SocketAddr> {
    line.trim().strip_prefix("listening ")?.strip_prefix(name)?.trim().parse().ok()
}

/// The program that is tested, without this process's settings for it.
#[must_use]
pub fn weir_command() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WEIR_") {
            command.env_remove(name);
        }
    }
    command
}

fn command(options: &Options, data_dir: &Path) -> Command {
    let mut command = weir_command();
    command.arg("serve").arg("--data-dir").arg(data_dir);
    let ours = ["listeners.mqtt.bind=127.0.0.1:0", "http.bind=127.0.0.1:0", "logging.format=json"];
    for setting in ours.into_iter().chain(options.settings.iter().map(String::as_str)) {
        command.args(["--set", setting]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `WEIR_BIN`, else the release binary of this workspace.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("WEIR_BIN") {
        return PathBuf::from(path);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let path = target.join("release/weir");
    assert!(
        path.exists(),
        "no binary to test: cargo build --release --package weir, or set WEIR_BIN"
    );
    path
}

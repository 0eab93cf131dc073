//! A shell that runs what a page of the documentation tells its reader to type, against a broker of the test.
//! The pages name the default ports; programs of the same names, first in PATH, put the broker's in their place.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::waiting::DEADLINE;
use crate::weir::{Weir, binary};

/// `weir pub` and `weir sub` get the port, other commands know the broker by `WEIR_URL` and `WEIR_DATA_DIR`.
const WEIR: &str = r#"case "$1" in
  pub|sub) verb=$1; shift; exec "$WEIR_BINARY" "$verb" -p "$(cat "$PLACES/mqtt")" "$@" ;;
  *) WEIR_URL="http://127.0.0.1:$(cat "$PLACES/http")" exec "$WEIR_BINARY" "$@" ;;
esac
"#;
/// mosquitto's clients get the port.
const MOSQUITTO: &str = r#"exec "$REAL" -p "$(cat "$PLACES/mqtt")" "$@"
"#;
/// curl gets the port in place of 18083.
const CURL: &str = r#"exec "$REAL" "${@//127.0.0.1:18083/127.0.0.1:$(cat "$PLACES/http")}"
"#;
/// A page that kills the broker kills the test's and no other.
const PIDOF: &str = r#"cat "$PLACES/pid"
"#;
/// The broker runs already.
const MAKE: &str = "exit 0\n";

/// A shell in a directory of its own, in which the broker keeps its `weir-data`.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    codes: Receiver<i32>,
    directory: PathBuf,
}

impl Shell {
    /// Starts one in `directory`.
    ///
    /// # Panics
    /// There is no bash.
    #[must_use]
    pub fn start(directory: &Path) -> Self {
        let places = directory.join("places");
        fs::create_dir_all(&places).expect("a directory can be made");
        let path = std::env::var("PATH").unwrap_or_default();
        stand_in(&places, "weir", WEIR);
        stand_in(&places, "pidof", PIDOF);
        stand_in(&places, "make", MAKE);
        for (name, script) in [
            ("mosquitto_pub", MOSQUITTO),
            ("mosquitto_sub", MOSQUITTO),
            ("mosquitto_rr", MOSQUITTO),
            ("curl", CURL),
        ] {
            let real = path.split(':').map(|folder| Path::new(folder).join(name));
            let real = real.into_iter().find(|file| file.exists());
            let real = real.unwrap_or_else(|| panic!("no {name}: run scripts/setup-test.sh"));
            stand_in(&places, name, &format!("REAL={}\n{script}", real.display()));
        }
        let mut child = Command::new("bash")
            .current_dir(directory)
            .env("PATH", format!("{}:{path}", places.display()))
            .env("PLACES", &places)
            .env("WEIR_BINARY", binary())
            .env("WEIR_DATA_DIR", directory.join("weir-data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("bash starts");
        let output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let (send, codes) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if line.parse().is_ok_and(|code| send.send(code).is_err()) {
                    break;
                }
            }
        });
        let input = child.stdin.take().expect("stdin is a pipe");
        Self { child, input, codes, directory: directory.to_owned() }
    }

    /// Says where the broker is: at the start, and when it was started again.
    ///
    /// # Panics
    /// The places cannot be written.
    pub fn point_at(&self, weir: &Weir) {
        let ports =
            [("mqtt", weir.mqtt.port().to_string()), ("http", weir.http.port().to_string())];
        for (name, text) in ports.into_iter().chain([("pid", weir.pid().to_string())]) {
            fs::write(self.directory.join("places").join(name), text).expect("written");
        }
    }

    /// Runs one command, and gives its exit code and what it printed; none when it does not end.
    ///
    /// # Panics
    /// The shell is gone.
    pub fn run(&mut self, command: &str) -> Option<(i32, String)> {
        let output = self.directory.join("places/output");
        // A file of its own for each command: what goes on in the background keeps the one that it has.
        let _ = fs::remove_file(&output);
        let line = format!("{{\n{command}\n}} </dev/null >\"$PLACES/output\" 2>&1; echo $?\n");
        self.input.write_all(line.as_bytes()).expect("the shell reads");
        let code = self.codes.recv_timeout(DEADLINE).ok()?;
        Some((code, fs::read_to_string(&output).expect("it printed text")))
    }
}

impl Drop for Shell {
    /// With all that it started.
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn stand_in(places: &Path, name: &str, script: &str) {
    let path = places.join(name);
    fs::write(&path, format!("#!/usr/bin/env bash\n{script}")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
}

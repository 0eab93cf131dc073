//! Other people's clients as child processes; see `tests/clients`.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::reach::Reach;
use crate::wire::Version;

/// One of the programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// Eclipse Paho for Python.
    Paho,
    /// aiomqtt.
    Aiomqtt,
    /// MQTT.js.
    MqttJs,
    /// `mosquitto_pub` and `mosquitto_sub`.
    Mosquitto,
    /// rumqttc, over TCP.
    Rumqttc,
}

/// A message as a program printed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: String,
    /// The QoS it came with.
    pub qos: u8,
    /// The attempt that it says, if it does.
    pub attempt: Option<u64>,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Paho, Self::Aiomqtt, Self::MqttJs, Self::Mosquitto, Self::Rumqttc];

    /// Publishes the payloads `0` to `count - 1`; `{}` in the topic becomes the number.
    ///
    /// # Panics
    /// The program does not report all as done.
    pub fn publish(
        self,
        to: impl Into<Reach>,
        version: Version,
        topic: &str,
        qos: u8,
        count: usize,
    ) {
        let mut run = self.spawn(&to.into(), version, qos, count, &["publish", "--topic", topic]);
        let mut acked: Vec<u64> =
            (0..count).filter_map(|_| run.line()?["acked"].as_u64()).collect();
        acked.sort_unstable();
        let wanted: Vec<u64> = (0..count as u64).collect();
        assert_eq!(acked, wanted, "{self:?} publishing to {topic}");
        run.end();
    }

    /// Subscribes, and comes back when the SUBACK is there.
    ///
    /// # Panics
    /// There is none, or it grants another QoS.
    #[must_use]
    pub fn subscribe(
        self,
        to: impl Into<Reach>,
        version: Version,
        filter: &str,
        qos: u8,
        count: usize,
    ) -> Run {
        let mut run =
            self.spawn(&to.into(), version, qos, count, &["subscribe", "--filter", filter]);
        let ready = run.line().unwrap_or_else(|| panic!("{self:?} cannot subscribe to {filter}"));
        assert_eq!(ready["granted"].as_u64(), Some(qos.into()), "{self:?} at {filter}");
        run
    }

    /// Consumes a queue with MQTT.js, one message at a time, and answers each with the next of these reason codes.
    ///
    /// # Panics
    /// SUBACK grants another QoS.
    #[must_use]
    pub fn settle(to: impl Into<Reach>, filter: &str, qos: u8, codes: &[u8]) -> Run {
        let list: Vec<String> = codes.iter().map(ToString::to_string).collect();
        let verb = ["subscribe", "--filter", filter, "--settle", &list.join(",")];
        let mut run = Self::MqttJs.spawn(&to.into(), Version::V5, qos, codes.len(), &verb);
        let ready = run.line().unwrap_or_else(|| panic!("cannot subscribe to {filter}"));
        assert_eq!(ready["granted"].as_u64(), Some(qos.into()), "at {filter}");
        run
    }

    /// Makes a session with a subscription that outlives its connection, and leaves it.
    ///
    /// # Panics
    /// It cannot, or SUBACK grants another QoS.
    pub fn begin_session(self, to: impl Into<Reach>, version: Version, filter: &str, qos: u8) {
        let verb = ["subscribe", "--filter", filter, "--session", "begin"];
        let mut run = self.spawn(&to.into(), version, qos, 0, &verb);
        let ready = run.line().unwrap_or_else(|| panic!("{self:?} cannot subscribe to {filter}"));
        assert_eq!(ready["granted"].as_u64(), Some(qos.into()), "{self:?} at {filter}");
        run.end();
    }

    /// Goes on with that session.
    #[must_use]
    pub fn resume_session(
        self,
        to: impl Into<Reach>,
        version: Version,
        filter: &str,
        qos: u8,
        count: usize,
    ) -> Run {
        let verb = ["subscribe", "--filter", filter, "--session", "resume"];
        self.spawn(&to.into(), version, qos, count, &verb)
    }

    fn spawn(self, to: &Reach, version: Version, qos: u8, count: usize, verb: &[&str]) -> Run {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients");
        let python = folder.join("../../.venv/bin/python");
        let (interpreter, file) = match self {
            Self::Paho => (python, Some("paho_client.py")),
            Self::Aiomqtt => (python, Some("aiomqtt_client.py")),
            Self::MqttJs => (PathBuf::from("node"), Some("mqttjs_client.mjs")),
            Self::Mosquitto => (python, Some("mosquitto_client.py")),
            Self::Rumqttc => (beside_the_tests("rumqttc_client"), None),
        };
        let version = if version == Version::V5 { "5" } else { "3" };
        let mut child = Command::new(interpreter)
            .args(file.map(|file| folder.join(file)))
            .args(verb)
            .args(&to.arguments)
            .args(["--version", version])
            .args(["--client-id", &format!("{self:?}-{}-{version}", verb[0])])
            .args(["--qos", &qos.to_string(), "--count", &count.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/setup-test.sh installs the clients");
        let lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        Run { program: self, child, lines }
    }
}

/// A program of this crate, which cargo builds with its tests: `target/debug/x` for tests in `target/debug/deps`.
fn beside_the_tests(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("the tests know where they are");
    tests.ancestors().nth(2).expect("they lie in deps").join(name)
}

/// A program at work.
pub struct Run {
    program: Program,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Run {
    /// The next message.
    ///
    /// # Panics
    /// The program ends before.
    pub fn message(&mut self) -> Received {
        let line =
            self.line().unwrap_or_else(|| panic!("{:?} ended before its message", self.program));
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let qos = line["qos"].as_u64().and_then(|qos| u8::try_from(qos).ok()).expect("a QoS");
        let attempt = line["attempt"].as_u64();
        Received { topic: text("topic"), payload: text("payload"), qos, attempt }
    }

    /// Waits for its end, which must be good.
    pub fn end(mut self) {
        let status = self.child.wait().expect("it can be waited for");
        assert!(status.success(), "{:?} ended with {status}", self.program);
    }

    fn line(&mut self) -> Option<Value> {
        let line = self.lines.next()?.expect("its output can be read");
        Some(serde_json::from_str(&line).expect("it prints JSON"))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

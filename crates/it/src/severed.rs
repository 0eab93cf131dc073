//! A network of its own for a test: the whole test runs in a namespace, and a second one, behind a cable, can be cut off
//! so that packets vanish and nobody is told.

use std::process::{Child, Command, Stdio};

/// Set in the process that runs within the namespace.
const INSIDE: &str = "WEIR_TEST_IN_NAMESPACE";
const HERE: &str = "10.77.0.1/24";
const THERE: &str = "10.77.0.2/24";

/// Two hosts and a cable. This process is one; commands are run on the other.
pub struct Severed {
    other: Child,
}

impl Severed {
    /// Where this host is reached by the other.
    pub const ADDRESS: &str = "10.77.0.1";

    /// Runs the test of that name again in a network namespace. There it gets the two hosts; where it was called from it
    /// gets nothing, once the other has passed.
    ///
    /// # Panics
    /// The test fails in there, or no namespace can be made although `CI` is set: there these tests must run.
    #[must_use]
    pub fn network(test: &str) -> Option<Self> {
        if std::env::var_os(INSIDE).is_some() {
            return Some(Self::connect());
        }
        let unshare = || {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "--net"]);
            command
        };
        if !unshare().args(["ip", "link"]).output().is_ok_and(|output| output.status.success()) {
            assert!(std::env::var_os("CI").is_none(), "no network namespace, and CI must have one");
            eprintln!("NOT TESTED: this needs ip and the right to make a network namespace");
            return None;
        }
        let this = std::env::current_exe().expect("it has a path");
        let output = unshare()
            .arg(this)
            .args(["--exact", test, "--nocapture"])
            .env(INSIDE, "1")
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        None
    }

    fn connect() -> Self {
        ip(&["link", "set", "lo", "up"]);
        // It lives as long as its standard input.
        let mut other = Command::new("unshare");
        other.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let this = Self { other: other.spawn().expect("another namespace") };
        let pid = this.other.id().to_string();
        crate::until("the other namespace", || {
            let of = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
            (of(&pid)? != of("self")?).then_some(())
        });
        ip(&["link", "add", "here", "type", "veth", "peer", "name", "there", "netns", &pid]);
        ip(&["address", "add", HERE, "dev", "here"]);
        ip(&["link", "set", "here", "up"]);
        for words in ["link set lo up", "link set there up"] {
            this.ip_there(words);
        }
        this.ip_there(&format!("address add {THERE} dev there"));
        // Known for good: what is sent does not fail for want of an answer to who has the address.
        let link = ip_output(&this, "-o link show there");
        let mac = link.split_whitespace().skip_while(|word| *word != "link/ether").nth(1);
        let mac = mac.unwrap_or_else(|| panic!("an address in {link}"));
        let there = THERE.split('/').next().expect("an address");
        ip(&["neighbour", "replace", there, "lladdr", mac, "dev", "here", "nud", "permanent"]);
        this
    }

    /// A command on the other host.
    #[must_use]
    pub fn there(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.other.id().to_string(), "--"]).arg(program);
        command
    }

    /// From now on what is sent to the other host vanishes, and nothing comes from there.
    pub fn cut(&self) {
        self.ip_there(&format!("address delete {THERE} dev there"));
    }

    fn ip_there(&self, words: &str) {
        ip_output(self, words);
    }
}

impl Drop for Severed {
    fn drop(&mut self) {
        let _ = self.other.kill();
        let _ = self.other.wait();
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("ip runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn ip_output(network: &Severed, words: &str) -> String {
    let output = network.there("ip").args(words.split(' ')).output().expect("ip runs");
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

//! What a broker says on standard output when it has started: where it listens, and what to try.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// What a started broker tells of itself.
pub(crate) struct Greeting<'a> {
    /// The listeners' names and addresses.
    pub(crate) addresses: &'a [(String, net::Address)],
    /// Where plain MQTT over TCP is served, if it is.
    pub(crate) mqtt: Option<SocketAddr>,
    pub(crate) data_dir: &'a Path,
    /// How this program was called, so that the commands work as pasted.
    pub(crate) program: &'a str,
}

/// Says the password of the admin user, which was made just now.
pub(crate) fn print_password(password: &str) {
    // Who closes our output, such as `head`, does not end the broker.
    let _ = writeln!(
        io::stdout().lock(),
        "admin password: {password}\n  (printed once; the command line on this machine needs none)"
    );
}

impl Greeting<'_> {
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (name, address) in self.addresses {
            writeln!(out, "listening {name} {address}")?;
        }
        writeln!(out, "data in {}", self.data_dir.display())?;
        if let Some(mqtt) = self.mqtt {
            let (program, at) = (self.program, flags(mqtt));
            writeln!(out, "try, in two other terminals:")?;
            writeln!(out, "  {program} sub{at} -q 1 -t '$q/sensor/+/data' -v")?;
            writeln!(out, "  {program} pub{at} -q 1 -t sensor/1/data -m hello")?;
        }
        out.flush()
    }
}

/// The flags that name this address to `weir pub` and `weir sub`; none for the default.
fn flags(address: SocketAddr) -> String {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut flags = String::new();
    if host != Ipv4Addr::LOCALHOST {
        flags.push_str(&format!(" -h {host}"));
    }
    if address.port() != 1883 {
        flags.push_str(&format!(" -p {}", address.port()));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_reach_the_listener() {
        for (address, expected) in [
            ("127.0.0.1:1883", ""),
            ("127.0.0.1:2883", " -p 2883"),
            ("0.0.0.0:1883", ""),
            ("10.1.2.3:1883", " -h 10.1.2.3"),
            ("[::]:2883", " -h ::1 -p 2883"),
        ] {
            assert_eq!(flags(address.parse().expect("an address")), expected, "{address}");
        }
    }

    #[test]
    fn it_shows_where_it_listens_and_what_to_try() {
        let addresses = [("mqtt", 1883), ("http", 18083)]
            .map(|(name, port)| (name.to_owned(), SocketAddr::from(([127, 0, 0, 1], port)).into()));
        let mut out = Vec::new();
        let greeting = Greeting {
            addresses: &addresses,
            mqtt: addresses[0].1.ip(),
            data_dir: Path::new("weir-data"),
            program: "target/release/weir",
        };
        greeting.write(&mut out).expect("written");
        let expected = "listening mqtt 127.0.0.1:1883\n\
            listening http 127.0.0.1:18083\n\
            data in weir-data\n\
            try, in two other terminals:\n\
            \x20 target/release/weir sub -q 1 -t '$q/sensor/+/data' -v\n\
            \x20 target/release/weir pub -q 1 -t sensor/1/data -m hello\n";
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }
}

//! The flags that `pub` and `sub` share: where to connect, as whom, how. Their letters are mosquitto's.

use std::io::ErrorKind;
use std::process;
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};
use clap::{ArgAction, Args};
use mqtt_client::{Acknowledge, Client, CloseReason, ConnectOptions, Error, Will};
use mqtt_types::{Property, ProtocolVersion, QoS, ReasonCode};
use stdx::parse_duration;

use crate::failure::Usage;
use crate::property_args::{PropertyArgs, PropertyBlocks};
use crate::server_args::ServerArgs;

/// Where to connect, as whom, how.
#[derive(Clone, Debug, Args)]
pub struct ConnectionArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// The client identifier [default: a new one]
    #[arg(short, long, value_name = "CLIENT_ID")]
    pub id: Option<String>,
    /// Seconds without traffic after which a ping is sent; 0 is never
    #[arg(short, long, default_value_t = 60, value_name = "SECONDS")]
    pub keepalive: u16,
    /// The user name
    #[arg(short, long)]
    pub username: Option<String>,
    /// The password
    #[arg(short = 'P', long, alias = "pw", requires = "username")]
    pub password: Option<String>,
    /// Prove the password by SCRAM-SHA-256 instead of sending it; MQTT 5 only
    #[arg(long, requires = "password")]
    pub scram: bool,
    /// The version of MQTT: 31, 311 or 5
    #[arg(short = 'V', long, default_value = "5", value_parser = parse_version, value_name = "VERSION")]
    pub protocol_version: ProtocolVersion,
    /// Keep the session: do not start clean, and let it outlive the connection
    #[arg(short = 'c', long, requires = "id")]
    pub disable_clean_session: bool,
    /// Seconds that a kept session outlives the connection [default: for ever]
    #[arg(short = 'x', long, value_name = "SECONDS", requires = "disable_clean_session", value_parser = crate::number_args::number::<u32>)]
    pub session_expiry_interval: Option<u32>,
    /// The topic of the will, which the broker publishes when the connection is lost
    #[arg(long, value_name = "TOPIC")]
    pub will_topic: Option<String>,
    /// The payload of the will
    #[arg(long, value_name = "TEXT", requires = "will_topic")]
    pub will_payload: Option<String>,
    /// The QoS of the will
    #[arg(long, value_name = "QOS", default_value = "0", value_parser = parse_qos, requires = "will_topic")]
    pub will_qos: QoS,
    /// Publish the will as a retained message
    #[arg(long, requires = "will_topic")]
    pub will_retain: bool,
    #[command(flatten)]
    pub properties: PropertyArgs,
    /// Say on standard error what happens
    #[arg(short, long)]
    pub debug: bool,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

impl ConnectionArgs {
    /// What they come to, apart from what only one command has.
    pub fn options(&self, blocks: &PropertyBlocks) -> Result<ConnectOptions> {
        let server = self.server.server()?;
        if !self.properties.is_empty() && !self.protocol_version.is_v5() {
            return Err(Usage("--property needs MQTT 5; leave out -V".to_owned()).into());
        }
        if self.scram && !self.protocol_version.is_v5() {
            return Err(Usage("--scram needs MQTT 5; leave out -V".to_owned()).into());
        }
        let mut properties = blocks.connect.clone();
        let says_expiry = properties.properties().session_expiry_interval().is_some();
        if self.disable_clean_session && !says_expiry {
            let seconds = self.session_expiry_interval.unwrap_or(u32::MAX);
            properties.push(&Property::SessionExpiryInterval(seconds))?;
        }
        let will = self.will_topic.as_ref().map(|topic| Will {
            topic: topic.clone(),
            payload: self.will_payload.clone().unwrap_or_default().into_bytes(),
            qos: self.will_qos,
            retain: self.will_retain,
            properties: blocks.will.clone(),
        });
        Ok(ConnectOptions {
            version: self.protocol_version,
            client_id: self.id.clone().unwrap_or_else(new_client_id),
            clean_start: !self.disable_clean_session,
            keep_alive: self.keepalive,
            username: self.username.clone().or(server.username),
            password: self.password.clone().or(server.password).map(String::into_bytes),
            scram: self.scram,
            transport: server.transport,
            will,
            properties,
            acknowledge: Acknowledge::Manually,
            ..ConnectOptions::new(server.address)
        })
    }

    /// Connects, or says what to do about it.
    pub fn connect(&self, options: &ConnectOptions) -> Result<Client> {
        let client =
            Client::connect(options).map_err(|error| anyhow!("{error}{}", next_step(&error)))?;
        self.say(|| format!("connected to {} as '{}'", options.address, options.client_id));
        Ok(client)
    }

    /// Says something on standard error if asked to.
    pub fn say(&self, text: impl FnOnce() -> String) {
        if self.debug {
            eprintln!("weir: {}", text());
        }
    }
}

fn next_step(error: &Error) -> &'static str {
    match error {
        Error::Connect { source, .. } if source.kind() == ErrorKind::ConnectionRefused => {
            "; nobody listens there: start a broker with `weir serve`, or name one with -h and -p"
        }
        Error::Closed(CloseReason::Malformed(_) | CloseReason::Eof) => {
            "; is that an MQTT broker, and does it speak that? name its address with -h and -p, TLS with --tls"
        }
        Error::Handshake { what: "TLS", why, .. } if why.contains("UnknownIssuer") => {
            "; name the file of the authority that signed the server's certificate with --cafile"
        }
        Error::Handshake { what: "TLS", why, .. } if why.contains("not valid for name") => {
            "; connect by a name of the certificate, or give --insecure"
        }
        Error::Handshake { what: "TLS", why, .. } if why.contains("CertificateRequired") => {
            "; the server wants a certificate of yours: give --cert and --key"
        }
        Error::Refused { reason_code: ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, .. } => {
            "; try -V 311"
        }
        Error::Refused {
            reason_code: ReasonCode::BAD_USER_NAME_OR_PASSWORD | ReasonCode::NOT_AUTHORIZED,
            ..
        } => "; give -u and -P",
        _ => "",
    }
}

/// Short enough for 3.1, which allows 23 characters. `[MQTT311-3.1.3-5]`
fn new_client_id() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("weir-{:x}-{:x}", process::id(), now.subsec_nanos())
}

/// Reads `31`, `311` or `5`, also with mosquitto's `mqttv` before it.
pub fn parse_version(text: &str) -> Result<ProtocolVersion, String> {
    match text.trim_start_matches("mqttv") {
        "31" | "3.1" => Ok(ProtocolVersion::V3_1),
        "311" | "3.1.1" => Ok(ProtocolVersion::V3_1_1),
        "5" | "5.0" => Ok(ProtocolVersion::V5),
        _ => Err("is none of 31, 311, 5".to_owned()),
    }
}

/// Reads `0`, `1` or `2`.
pub fn parse_qos(text: &str) -> Result<QoS, String> {
    let qos = text.parse().ok().and_then(QoS::from_u8);
    qos.ok_or_else(|| "is none of 0, 1, 2".to_owned())
}

/// Reads `30s` and the like; a bare number is in seconds.
pub fn parse_wait(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => parse_duration(text).map_err(|error| error.to_string()),
    }
}

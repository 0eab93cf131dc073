//! `weir sub`.

mod printer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::{Args, ValueEnum};
use mqtt_client::{Client, Delivery, Error, PropertyBlock, RetainHandling, SubscribeOptions};
use mqtt_types::{Property, QoS, ReasonCode, StreamOffset};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::connection_args::{ConnectionArgs, parse_qos, parse_wait};
use crate::failure::{Said, Usage};
use printer::Printer;

/// How long the broker may take to answer SUBSCRIBE.
const SUBACK_TIMEOUT: Duration = Duration::from_secs(30);
/// Messages printed before the output is flushed and they are settled.
const MAX_UNSETTLED: usize = 256;
/// A wait that is as good as none.
const FOREVER: Duration = Duration::from_secs(86_400);

/// The arguments of `weir sub`.
#[derive(Debug, Args)]
pub struct SubArgs {
    /// A topic filter, a queue (`$q/<filter>`, `$queue/<name>`, `$dead/<name>`) or a stream (`$stream/<name>`,
    /// `$s/<offset>/<filter>`); may be given several times
    #[arg(short, long, required = true)]
    topic: Vec<String>,
    /// The highest QoS wanted: 0, 1 or 2
    #[arg(short, long, default_value = "0", value_parser = parse_qos)]
    qos: QoS,
    /// End after that many messages
    #[arg(short = 'C', long, value_name = "N", value_parser = crate::number_args::count::<u64>)]
    count: Option<u64>,
    /// End after that many seconds, or with a unit; fails if --count was not reached
    #[arg(short = 'W', long = "timeout", value_name = "DURATION", value_parser = parse_wait)]
    timeout: Option<Duration>,
    /// Print the topic before each payload; JSON has it anyway
    #[arg(short, long)]
    verbose: bool,
    /// Print each message as one line of JSON, with its properties
    #[arg(short, long)]
    json: bool,
    /// Leave out retained messages
    #[arg(short = 'R', long)]
    no_retained: bool,
    /// How each message of QoS 1 and 2 is settled
    #[arg(long, value_enum, default_value_t = Ack::Accept)]
    ack: Ack,
    /// Where to begin in a stream: earliest, latest, next, an offset, or `@` and a time; MQTT 5 only
    #[arg(long, value_name = "OFFSET", value_parser = parse_stream_offset)]
    stream_offset: Option<StreamOffset>,
    /// Read a stream as a member of this group; MQTT 5 only
    #[arg(long, value_name = "GROUP")]
    stream_group: Option<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// How a message is settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Ack {
    /// It is done (0x00)
    Accept,
    /// Try again later, an attempt is counted (0x83)
    Release,
    /// This consumer needs a rest, another gets it at once (0x97)
    Busy,
    /// To the dead letters (0x99)
    Reject,
    /// Say nothing
    Never,
}

impl Ack {
    const fn reason_code(self) -> Option<ReasonCode> {
        match self {
            Self::Accept => Some(ReasonCode::SUCCESS),
            Self::Release => Some(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR),
            Self::Busy => Some(ReasonCode::QUOTA_EXCEEDED),
            Self::Reject => Some(ReasonCode::PAYLOAD_FORMAT_INVALID),
            Self::Never => None,
        }
    }
}

/// Prints what comes until there was enough, the time is over, or someone ends it.
pub fn run(args: &SubArgs) -> Result<()> {
    let says_code = matches!(args.ack, Ack::Release | Ack::Busy | Ack::Reject);
    if says_code && !args.connection.protocol_version.is_v5() {
        return Err(Usage("--ack with a failure needs MQTT 5; leave out -V".to_owned()).into());
    }
    let mut blocks = args.connection.properties.blocks()?;
    add_stream_properties(args, &mut blocks.subscribe)?;
    let deadline = args.timeout.map(|timeout| Instant::now() + timeout);
    let client = Arc::new(args.connection.connect(&args.connection.options(&blocks)?)?);
    end_on_signal(&client)?;
    subscribe(args, &client, &blocks.subscribe)?;
    let received = receive(args, &client, deadline)?;
    client.disconnect(ReasonCode::SUCCESS)?;
    match args.count {
        Some(count)
            if received < count && deadline.is_some_and(|deadline| Instant::now() >= deadline) =>
        {
            Err(anyhow!("{received} of {count} messages came in time"))
        }
        _ => Ok(()),
    }
}

/// Says where in a stream to begin, and for which group.
fn add_stream_properties(args: &SubArgs, block: &mut PropertyBlock) -> Result<()> {
    let offset = args.stream_offset.map(|offset| offset.to_string());
    for (flag, key, value) in [
        ("--stream-offset", StreamOffset::USER_PROPERTY, &offset),
        ("--stream-group", "stream-group", &args.stream_group),
    ] {
        let Some(value) = value else { continue };
        if !args.connection.protocol_version.is_v5() {
            let words = "needs MQTT 5; leave out -V, or subscribe to `$s/<offset>/<filter>`";
            return Err(Usage(format!("{flag} {words}")).into());
        }
        block.push(&Property::UserProperty(key, value))?;
    }
    Ok(())
}

fn parse_stream_offset(text: &str) -> Result<StreamOffset, String> {
    text.parse().map_err(|_| {
        "is none of earliest, latest, next, an offset, and @ with a time such as @2026-11-24T10:00:00Z"
            .to_owned()
    })
}

/// Has SIGINT and SIGTERM end the subscription in order: nothing more is printed, and what was printed is settled. A
/// second one ends the process at once, for an output that nobody reads.
fn end_on_signal(client: &Arc<Client>) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let client = Arc::clone(client);
    std::thread::spawn(move || {
        let mut is_first = true;
        for signal in signals.forever() {
            if is_first {
                client.interrupt();
            } else if let Err(error) = emulate_default_handler(signal) {
                eprintln!("weir: cannot end at once: {error}");
            }
            is_first = false;
        }
    });
    Ok(())
}

/// Subscribes, says what was refused, and fails when nothing was granted.
fn subscribe(args: &SubArgs, client: &Client, properties: &PropertyBlock) -> Result<()> {
    let retain_handling =
        if args.no_retained { RetainHandling::DoNotSend } else { RetainHandling::SendAtSubscribe };
    let options = SubscribeOptions { retain_handling, ..SubscribeOptions::qos(args.qos) };
    let filters: Vec<_> = args.topic.iter().map(|filter| (filter.as_str(), options)).collect();
    let outcomes = client.subscribe(&filters, properties, SUBACK_TIMEOUT)?;
    let words = outcomes.reason_string.map(|words| format!(": {words}")).unwrap_or_default();
    let mut granted = 0;
    for (filter, code) in args.topic.iter().zip(&outcomes.reason_codes) {
        if code.is_error() {
            eprintln!("weir: subscription to '{filter}' was refused: {code}{words}");
        } else {
            granted += 1;
            args.connection.say(|| format!("subscribed to '{filter}' with QoS {}", code.0));
        }
    }
    if granted == 0 { Err(Said.into()) } else { Ok(()) }
}

/// Prints and settles. A message is settled only once it is out, so that a pipe that breaks loses nothing.
fn receive(args: &SubArgs, client: &Client, deadline: Option<Instant>) -> Result<u64> {
    let mut printer = Printer::new(args.verbose, args.json);
    let mut unsettled = Vec::new();
    let mut received = 0;
    while args.count.is_none_or(|count| received < count) {
        let at_once = if unsettled.len() < MAX_UNSETTLED {
            next(client, Duration::ZERO)?
        } else {
            Next::None
        };
        let delivery = match at_once {
            Next::Message(delivery) => delivery,
            Next::End => break,
            Next::None => {
                settle(args, client, &mut printer, &mut unsettled)?;
                let left =
                    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                match next(client, left.unwrap_or(FOREVER))? {
                    Next::Message(delivery) => delivery,
                    Next::None if deadline.is_none() => continue,
                    Next::None | Next::End => break,
                }
            }
        };
        if args.no_retained && delivery.retain {
            unsettled.push(delivery);
            continue;
        }
        printer.print(&delivery)?;
        unsettled.push(delivery);
        received += 1;
    }
    settle(args, client, &mut printer, &mut unsettled)?;
    Ok(received)
}

fn settle(
    args: &SubArgs,
    client: &Client,
    printer: &mut Printer,
    unsettled: &mut Vec<Delivery>,
) -> Result<()> {
    printer.flush()?;
    for delivery in unsettled.drain(..) {
        if let Some(code) = args.ack.reason_code() {
            client.settle(&delivery, code, None)?;
        }
    }
    Ok(())
}

enum Next {
    Message(Delivery),
    None,
    /// Someone has ended it.
    End,
}

fn next(client: &Client, wait: Duration) -> Result<Next> {
    match client.next(wait) {
        Ok(Some(delivery)) => Ok(Next::Message(delivery)),
        Ok(None) => Ok(Next::None),
        Err(Error::Interrupted) => Ok(Next::End),
        Err(error) => Err(error.into()),
    }
}

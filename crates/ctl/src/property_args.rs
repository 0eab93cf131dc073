//! `-D PACKET NAME VALUE…`: MQTT 5.0 properties by their names, as mosquitto's clients take them.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use mqtt_client::PropertyBlock;
use mqtt_types::Property;

use crate::failure::Usage;

const ID: &str = "property";

/// The properties that were given, each as its words.
#[derive(Clone, Debug, Default)]
pub struct PropertyArgs {
    given: Vec<Vec<String>>,
}

/// Properties by the packet that bears them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PropertyBlocks {
    pub connect: PropertyBlock,
    pub publish: PropertyBlock,
    pub subscribe: PropertyBlock,
    pub will: PropertyBlock,
}

impl PropertyArgs {
    /// Whether there are any.
    pub const fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Reads the words.
    pub fn blocks(&self) -> Result<PropertyBlocks, Usage> {
        let mut blocks = PropertyBlocks::default();
        for words in &self.given {
            blocks
                .add(words)
                .map_err(|cause| Usage(format!("--property {}: {cause}", words.join(" "))))?;
        }
        Ok(blocks)
    }
}

impl Args for PropertyArgs {
    fn augment_args(command: Command) -> Command {
        let help = "Add an MQTT 5 property to connect, publish, subscribe or will, such as \
                    `-D publish user-property key value` or `-D connect receive-maximum 10`";
        command.arg(
            Arg::new(ID)
                .short('D')
                .long(ID)
                .num_args(3..=4)
                .action(ArgAction::Append)
                .value_names(["PACKET", "NAME", "VALUE"])
                .help(help),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for PropertyArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let occurrences = matches.get_occurrences::<String>(ID).into_iter().flatten();
        Ok(Self { given: occurrences.map(|words| words.cloned().collect()).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl PropertyBlocks {
    fn add(&mut self, words: &[String]) -> Result<(), String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let [packet, name, values @ ..] = words.as_slice() else {
            return Err("is too short".to_owned());
        };
        let packet = packet.to_ascii_lowercase();
        let property = property(&packet, name, values)?;
        let block = match packet.as_str() {
            "connect" => &mut self.connect,
            "publish" => &mut self.publish,
            "subscribe" => &mut self.subscribe,
            _ => &mut self.will,
        };
        block.push(&property).map_err(|error| error.to_string())
    }
}

/// The property of that name in that packet.
fn property<'a>(packet: &str, name: &str, values: &[&'a str]) -> Result<Property<'a>, String> {
    if name == "user-property" && matches!(packet, "connect" | "publish" | "subscribe" | "will") {
        return match *values {
            [key, value] => Ok(Property::UserProperty(key, value)),
            _ => Err("needs a key and a value".to_owned()),
        };
    }
    let [value] = *values else { return Err("needs one value".to_owned()) };
    match (packet, name) {
        ("connect", "session-expiry-interval") => {
            number(value).map(Property::SessionExpiryInterval)
        }
        ("connect", "receive-maximum") => number(value).map(Property::ReceiveMaximum),
        ("connect", "maximum-packet-size") => number(value).map(Property::MaximumPacketSize),
        ("connect", "topic-alias-maximum") => number(value).map(Property::TopicAliasMaximum),
        ("connect", "request-problem-information") => {
            number(value).map(Property::RequestProblemInformation)
        }
        ("connect", "request-response-information") => {
            number(value).map(Property::RequestResponseInformation)
        }
        ("subscribe", "subscription-identifier") => {
            number(value).map(Property::SubscriptionIdentifier)
        }
        ("will", "will-delay-interval") => number(value).map(Property::WillDelayInterval),
        ("publish" | "will", "payload-format-indicator") => {
            number(value).map(Property::PayloadFormatIndicator)
        }
        ("publish" | "will", "message-expiry-interval") => {
            number(value).map(Property::MessageExpiryInterval)
        }
        ("publish" | "will", "content-type") => Ok(Property::ContentType(value)),
        ("publish" | "will", "response-topic") => Ok(Property::ResponseTopic(value)),
        ("publish" | "will", "correlation-data") => Ok(Property::CorrelationData(value.as_bytes())),
        ("connect" | "publish" | "subscribe" | "will", _) => {
            Err(format!("{packet} has no property '{name}'"))
        }
        _ => Err(format!("'{packet}' is none of connect, publish, subscribe, will")),
    }
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("'{value}' is no number that fits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(given: &[&[&str]]) -> Result<PropertyBlocks, String> {
        let owned = |words: &&[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        PropertyArgs { given: given.iter().map(owned).collect() }
            .blocks()
            .map_err(|Usage(message)| message)
    }

    #[test]
    fn properties_go_to_the_packet_they_name() {
        let blocks = blocks(&[
            &["CONNECT", "receive-maximum", "10"],
            &["publish", "user-property", "k", "v"],
            &["publish", "message-expiry-interval", "5"],
            &["subscribe", "user-property", "metadata", "on"],
            &["will", "will-delay-interval", "3"],
        ]);
        let block = |properties: &[Property<'_>]| PropertyBlock::of(properties).expect("short");
        let expected = PropertyBlocks {
            connect: block(&[Property::ReceiveMaximum(10)]),
            publish: block(&[Property::UserProperty("k", "v"), Property::MessageExpiryInterval(5)]),
            subscribe: block(&[Property::UserProperty("metadata", "on")]),
            will: block(&[Property::WillDelayInterval(3)]),
        };
        assert_eq!(blocks, Ok(expected));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (words, cause) in [
            (&["publish", "user-property", "k"][..], "needs a key and a value"),
            (&["publish", "content-type", "a", "b"], "needs one value"),
            (&["publish", "receive-maximum", "5"], "publish has no property 'receive-maximum'"),
            (&["connect", "receive-maximum", "70000"], "'70000' is no number that fits"),
            (&["connack", "reason-string", "x"], "'connack' is none of"),
        ] {
            let message = blocks(&[words]).expect_err("makes no sense");
            assert!(message.contains(cause) && message.contains(&words.join(" ")), "{message}");
        }
    }
}

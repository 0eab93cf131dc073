//! What a scripted client says and hears: words to packets, packets to words.

use mqtt_codec::{
    AckKind, Auth, ConnAckProperties, Connect, Disconnect, Limits, OutgoingPublish, Packet, Peer,
    PropertyBlock, Subscribe, SubscribeFilters, SubscribeOptions, Unsubscribe, UnsubscribeFilters,
    Will, decode, encode, encode_ack, encode_publish,
};
use mqtt_types::{PacketId, Property, ProtocolVersion, QoS, ReasonCode};

/// The words of a command: the first ones in order, then `key=value` and flags in any order.
pub(super) struct Words<'a>(pub(super) Vec<&'a str>);

impl<'a> Words<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self(line.split_whitespace().collect())
    }

    pub(super) fn at(&self, place: usize) -> &'a str {
        self.0.get(place).copied().unwrap_or_default()
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn number(&self, key: &str) -> Option<u32> {
        self.value(key).map(|value| value.parse().expect("a number"))
    }

    /// All values of a key, in their order.
    fn values<'b>(&'b self, key: &'b str) -> impl Iterator<Item = &'a str> + 'b {
        self.0.iter().filter_map(move |word| word.strip_prefix(key)?.strip_prefix('='))
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.0.contains(&flag)
    }
}

fn id(text: &str) -> PacketId {
    PacketId::new(text.parse().expect("a packet id")).expect("not 0")
}

pub(super) fn qos(text: &str) -> QoS {
    QoS::from_u8(text.parse().expect("a QoS")).expect("a QoS")
}

fn code(text: &str) -> ReasonCode {
    ReasonCode(u8::from_str_radix(if text.is_empty() { "0" } else { text }, 16).expect("a code"))
}

/// The version a `connect` asks for.
pub(super) fn version(words: &Words<'_>) -> ProtocolVersion {
    match words.value("v") {
        Some("3.1") => ProtocolVersion::V3_1,
        Some("3.1.1") => ProtocolVersion::V3_1_1,
        _ => ProtocolVersion::V5,
    }
}

/// `connect [v=] [keep] [id=] [noid] [user=] [password=] [expiry=] [rm=] [mps=] [keepalive=] [aliases=] [auth=] [data=]
/// [noproblems] /// [will=topic:payload:qos] [delay=] [retainwill] [wup=key:value]`
pub(super) fn connect(name: &str, words: &Words<'_>) -> Vec<u8> {
    let mut block = PropertyBlock::new();
    let mut push = |property: Property<'_>| block.push(&property).expect("fits");
    if let Some(n) = words.number("expiry") {
        push(Property::SessionExpiryInterval(n));
    }
    if let Some(n) = words.number("rm") {
        push(Property::ReceiveMaximum(n as u16));
    }
    if let Some(n) = words.number("mps") {
        push(Property::MaximumPacketSize(n));
    }
    if let Some(n) = words.number("aliases") {
        push(Property::TopicAliasMaximum(n as u16));
    }
    if let Some(method) = words.value("auth") {
        push(Property::AuthenticationMethod(method));
    }
    if words.has("response") {
        push(Property::RequestResponseInformation(1));
    }
    if words.has("noproblems") {
        push(Property::RequestProblemInformation(0));
    }
    if let Some(data) = words.value("data") {
        push(Property::AuthenticationData(data.as_bytes()));
    }
    let mut will_block = PropertyBlock::new();
    if let Some(delay) = words.number("delay") {
        will_block.push(&Property::WillDelayInterval(delay)).expect("fits");
    }
    push_user_properties(&mut will_block, words.values("wup"));
    let will: Option<Vec<&str>> = words.value("will").map(|will| will.split(':').collect());
    let will = will.as_ref().map(|will| Will {
        qos: qos(will[2]),
        retain: words.has("retainwill"),
        topic: will[0],
        payload: will[1].as_bytes(),
        properties: will_block.properties(),
    });
    let version = version(words);
    let connect = Connect {
        version,
        clean_start: !words.has("keep"),
        keep_alive: words.number("keepalive").unwrap_or(0) as u16,
        client_id: if words.has("noid") { "" } else { words.value("id").unwrap_or(name) },
        will,
        username: words.value("user"),
        password: words.value("password").map(str::as_bytes),
        properties: block.properties(),
    };
    let mut bytes = Vec::new();
    encode(&Packet::Connect(connect), version, &mut bytes).expect("a legal CONNECT");
    bytes
}

fn push_user_properties<'a>(block: &mut PropertyBlock, pairs: impl Iterator<Item = &'a str>) {
    for pair in pairs {
        let (key, value) = pair.split_once(':').expect("key:value");
        block.push(&Property::UserProperty(key, value)).expect("fits");
    }
}

/// Any command but `connect` that sends a packet.
pub(super) fn packet(version: ProtocolVersion, words: &Words<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let ack = |out: &mut Vec<u8>, kind| {
        encode_ack(out, version, kind, id(words.at(2)), code(words.at(3)), None).expect("legal");
    };
    match words.at(1) {
        "publish" => publish(version, words, &mut out),
        "subscribe" => subscribe(version, words, &mut out),
        "unsubscribe" => {
            let packet = Unsubscribe {
                packet_id: id(words.at(2)),
                properties: mqtt_codec::Properties::EMPTY,
                filters: UnsubscribeFilters::of(&words.0[3..]),
            };
            encode(&Packet::Unsubscribe(packet), version, &mut out).expect("legal");
        }
        "puback" => ack(&mut out, AckKind::PubAck),
        "pubrec" => ack(&mut out, AckKind::PubRec),
        "pubrel" => ack(&mut out, AckKind::PubRel),
        "pubcomp" => ack(&mut out, AckKind::PubComp),
        "ping" => out.extend_from_slice(&[0xC0, 0]),
        "disconnect" => {
            let packet = Disconnect::new(code(words.at(2)));
            encode(&Packet::Disconnect(packet), version, &mut out).expect("legal");
        }
        "auth" => auth(words, &mut out),
        // Any bytes at all, as hexadecimal.
        "raw" => out.extend(
            words.0[2..].iter().map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")),
        ),
        other => panic!("unknown command {other}"),
    }
    out
}

/// `auth <code> <method> <data>`
fn auth(words: &Words<'_>, out: &mut Vec<u8>) {
    let (method, data) = (words.at(3), words.at(4).as_bytes());
    let properties = [Property::AuthenticationMethod(method), Property::AuthenticationData(data)];
    let block = PropertyBlock::of(&properties).expect("fits");
    let auth = Auth { reason_code: code(words.at(2)), properties: block.properties() };
    encode(&Packet::Auth(auth), ProtocolVersion::V5, out).expect("a legal AUTH");
}

/// `publish <qos> <topic> <payload> [id=] [retain] [dup] [expiry=] [alias=] [size=] [format=] [type=] [reply=]
/// [correlation=] [up=key:value]`
fn publish(version: ProtocolVersion, words: &Words<'_>, out: &mut Vec<u8>) {
    let payload = match words.number("size") {
        Some(size) => vec![b'x'; size as usize],
        None => words.at(4).as_bytes().to_vec(),
    };
    let mut block = PropertyBlock::new();
    let mut push = |property: Property<'_>| block.push(&property).expect("fits");
    if let Some(format) = words.number("format") {
        push(Property::PayloadFormatIndicator(format as u8));
    }
    if let Some(text) = words.value("type") {
        push(Property::ContentType(text));
    }
    if let Some(topic) = words.value("reply") {
        push(Property::ResponseTopic(topic));
    }
    if let Some(data) = words.value("correlation") {
        push(Property::CorrelationData(data.as_bytes()));
    }
    push_user_properties(&mut block, words.values("up"));
    let publish = OutgoingPublish {
        properties: block.properties().raw(),
        dup: words.has("dup"),
        qos: qos(words.at(2)),
        retain: words.has("retain"),
        topic: if words.at(3) == "-" { "" } else { words.at(3) },
        packet_id: words.value("id").map(id),
        topic_alias: words.number("alias").map(|alias| alias as u16),
        message_expiry_interval: words.number("expiry"),
        payload: if payload == b"-" { b"" } else { &payload },
        ..OutgoingPublish::default()
    };
    encode_publish(out, version, &publish).expect("a legal PUBLISH");
}

/// `subscribe <id> <filter>,<qos>[,nl][,rap][,rh1|rh2] … [sid=] [metadata] [up=key:value]`
fn subscribe(version: ProtocolVersion, words: &Words<'_>, out: &mut Vec<u8>) {
    let mut block = PropertyBlock::new();
    if let Some(sid) = words.number("sid") {
        block.push(&Property::SubscriptionIdentifier(sid)).expect("fits");
    }
    if words.has("metadata") {
        block.push(&Property::UserProperty("metadata", "on")).expect("fits");
    }
    push_user_properties(&mut block, words.values("up"));
    let of = |word: &'_ str| {
        let mut parts = word.split(',').skip(1);
        let mut options = SubscribeOptions::qos(qos(parts.next().unwrap_or("0")));
        for part in parts {
            match part {
                "nl" => options.no_local = true,
                "rap" => options.retain_as_published = true,
                "rh1" => options.retain_handling = mqtt_codec::RetainHandling::SendIfNew,
                "rh2" => options.retain_handling = mqtt_codec::RetainHandling::DoNotSend,
                other => panic!("unknown option {other}"),
            }
        }
        options
    };
    let filters: Vec<(&str, SubscribeOptions)> = words.0[3..]
        .iter()
        .filter(|word| word.contains(','))
        .map(|word| (word.split(',').next().unwrap_or_default(), of(word)))
        .collect();
    let packet = Subscribe {
        packet_id: id(words.at(2)),
        properties: block.properties(),
        filters: SubscribeFilters::of(&filters),
    };
    encode(&Packet::Subscribe(packet), version, out).expect("a legal SUBSCRIBE");
}

/// Decodes what came and says it, a line for each packet.
pub(super) fn heard(bytes: &mut Vec<u8>, version: ProtocolVersion) -> Vec<String> {
    let limits = Limits { max_packet_size: u32::MAX, ..Limits::default() }.from(Peer::Server);
    let mut said = Vec::new();
    let mut at = 0;
    while let Some((packet, len)) = decode(&bytes[at..], version, &limits).expect("legal") {
        said.push(words_of(&packet));
        at += len;
    }
    assert_eq!(at, bytes.len(), "whole packets leave the shard");
    bytes.clear();
    said
}

fn words_of(packet: &Packet<'_>) -> String {
    let reason = |text: Option<&str>| text.map(|text| format!(" {text:?}")).unwrap_or_default();
    match packet {
        Packet::ConnAck(ack) => {
            let present = if ack.session_present { " present" } else { "" };
            let properties = ConnAckProperties::of(ack.properties);
            let assigned = properties.assigned_client_identifier.map_or("", |_| " assigned");
            let keep_alive = properties.server_keep_alive;
            let keep_alive = keep_alive.map(|seconds| format!(" keepalive={seconds}"));
            let keep_alive = keep_alive.unwrap_or_default();
            let rest = limit_words(&properties, ack.properties)
                + &exchange_words(ack.properties)
                + &reason(ack.properties.reason_string());
            format!("connack {:02x}{present}{assigned}{keep_alive}{rest}", ack.reason_code.0)
        }
        Packet::Publish(publish) => {
            let mut text = format!("publish {}", publish.qos.as_u8());
            if let Some(id) = publish.packet_id {
                text += &format!(" id={}", id.get());
            }
            text += if publish.dup { " dup" } else { "" };
            text += if publish.retain { " retain" } else { "" };
            text += &format!(" {}", if publish.topic.is_empty() { "-" } else { publish.topic });
            let payload = String::from_utf8_lossy(publish.payload);
            let long = format!("<{} bytes>", payload.len());
            text += &format!(" {}", if payload.len() > 40 { &long } else { &*payload });
            let properties = publish.properties;
            if let Some(expiry) = properties.message_expiry_interval {
                text += &format!(" expiry={expiry}");
            }
            if let Some(alias) = properties.topic_alias {
                text += &format!(" alias={alias}");
            }
            for property in properties.properties() {
                match property {
                    Property::PayloadFormatIndicator(format) => {
                        text += &format!(" format={format}")
                    }
                    Property::ContentType(kind) => text += &format!(" type={kind}"),
                    Property::ResponseTopic(topic) => text += &format!(" reply={topic}"),
                    Property::CorrelationData(data) => {
                        text += &format!(" correlation={}", String::from_utf8_lossy(data));
                    }
                    _ => {}
                }
            }
            for sid in properties.subscription_identifiers() {
                text += &format!(" sid={sid}");
            }
            for (key, value) in properties.user_properties() {
                text += &format!(" {key}:{value}");
            }
            text
        }
        Packet::PubAck(ack) => ack_words("puback", ack),
        Packet::PubRec(ack) => ack_words("pubrec", ack),
        Packet::PubRel(ack) => ack_words("pubrel", ack),
        Packet::PubComp(ack) => ack_words("pubcomp", ack),
        Packet::SubAck(ack) => {
            let codes: Vec<String> = ack.reason_codes.iter().map(|c| format!("{c:02x}")).collect();
            let why = reason(ack.properties.reason_string());
            format!("suback {} {}{why}", ack.packet_id.get(), codes.join(" "))
        }
        Packet::UnsubAck(ack) => {
            let codes: Vec<String> = ack.reason_codes.iter().map(|c| format!(" {c:02x}")).collect();
            format!("unsuback {}{}", ack.packet_id.get(), codes.concat())
        }
        Packet::PingResp => "pingresp".to_owned(),
        Packet::Disconnect(disconnect) => {
            let why = reason(disconnect.properties.reason_string());
            let elsewhere = reference_words(disconnect.properties);
            format!("disconnect {:02x}{elsewhere}{why}", disconnect.reason_code.0)
        }
        Packet::Auth(auth) => {
            format!("auth {:02x}{}", auth.reason_code.0, exchange_words(auth.properties))
        }
        other => format!("{:?}", other.packet_type()),
    }
}

/// What CONNACK says of limits, where a test sets them.
fn limit_words(known: &ConnAckProperties<'_>, all: mqtt_codec::Properties<'_>) -> String {
    let mut text = String::new();
    if known.maximum_qos < QoS::ExactlyOnce {
        text += &format!(" maxqos={}", known.maximum_qos.as_u8());
    }
    if !known.retain_available {
        text += " noretain";
    }
    if let Some(information) = known.response_information {
        text += &format!(" response={information}");
    }
    text + &reference_words(all)
}

fn reference_words(properties: mqtt_codec::Properties<'_>) -> String {
    properties
        .iter()
        .find_map(|property| match property {
            Property::ServerReference(server) => Some(format!(" reference={server}")),
            _ => None,
        })
        .unwrap_or_default()
}

fn exchange_words(properties: mqtt_codec::Properties<'_>) -> String {
    let method = properties.authentication_method().map(|method| format!(" {method}"));
    let data = properties.authentication_data().map(String::from_utf8_lossy);
    method.unwrap_or_default() + &data.map(|data| format!(" {data}")).unwrap_or_default()
}

fn ack_words(name: &str, ack: &mqtt_codec::Ack<'_>) -> String {
    let why = ack.properties.reason_string().map(|text| format!(" {text:?}")).unwrap_or_default();
    format!("{name} {} {:02x}{why}", ack.packet_id.get(), ack.reason_code.0)
}

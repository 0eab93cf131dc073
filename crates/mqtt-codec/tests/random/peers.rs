//! Other codecs read what ours writes, and what they write again is the same packet. Legal traffic only: what is not
//! legal they judge too mildly to be a measure. What they get wrong is named where it is left out.

use std::sync::Arc;

use bytes::BytesMut;
use mqtt_codec::{Limits, Packet, Peer, decode, encode};
use mqtt_protocol_core::mqtt::packet::{v3_1_1, v5_0};
use mqtt_types::{Property, ProtocolVersion};
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

use crate::packets::packet;

/// Reads a body of 5.0 and writes the packet again.
fn core_v5(kind: &Packet<'_>, first: u8, body: &[u8]) -> Option<Vec<u8>> {
    macro_rules! again {
        ($type:ident) => {
            v5_0::$type::parse(body).ok().map(|(packet, _)| packet.to_continuous_buffer())
        };
    }
    match kind {
        Packet::Connect(_) => again!(Connect),
        Packet::ConnAck(_) => again!(Connack),
        Packet::Publish(_) => v5_0::Publish::parse(first & 0x0F, Arc::from(body))
            .ok()
            .map(|(packet, _)| packet.to_continuous_buffer()),
        Packet::PubAck(_) => again!(Puback),
        Packet::PubRec(_) => again!(Pubrec),
        Packet::PubRel(_) => again!(Pubrel),
        Packet::PubComp(_) => again!(Pubcomp),
        Packet::Subscribe(_) => again!(Subscribe),
        Packet::SubAck(_) => again!(Suback),
        Packet::Unsubscribe(_) => again!(Unsubscribe),
        Packet::UnsubAck(_) => again!(Unsuback),
        Packet::PingReq => again!(Pingreq),
        Packet::PingResp => again!(Pingresp),
        Packet::Disconnect(_) => again!(Disconnect),
        Packet::Auth(_) => again!(Auth),
    }
}

/// The same for 3.1.1.
fn core_v3(kind: &Packet<'_>, first: u8, body: &[u8]) -> Option<Vec<u8>> {
    macro_rules! again {
        ($type:ident) => {
            v3_1_1::$type::parse(body).ok().map(|(packet, _)| packet.to_continuous_buffer())
        };
    }
    match kind {
        Packet::Connect(_) => again!(Connect),
        Packet::ConnAck(_) => again!(Connack),
        Packet::Publish(_) => v3_1_1::Publish::parse(first & 0x0F, Arc::from(body))
            .ok()
            .map(|(packet, _)| packet.to_continuous_buffer()),
        Packet::PubAck(_) => again!(Puback),
        Packet::PubRec(_) => again!(Pubrec),
        Packet::PubRel(_) => again!(Pubrel),
        Packet::PubComp(_) => again!(Pubcomp),
        Packet::Subscribe(_) => again!(Subscribe),
        Packet::SubAck(_) => again!(Suback),
        Packet::Unsubscribe(_) => again!(Unsubscribe),
        Packet::UnsubAck(_) => again!(Unsuback),
        Packet::PingReq => again!(Pingreq),
        Packet::PingResp => again!(Pingresp),
        Packet::Disconnect(_) => again!(Disconnect),
        Packet::Auth(_) => None,
    }
}

/// A codec of `tokio_util` reads one packet and writes it again.
fn rmqtt<C, P>(mut codec: C, bytes: &[u8]) -> Option<Vec<u8>>
where
    C: Decoder<Item = (P, u32)> + Encoder<P>,
{
    let mut stream = BytesMut::from(bytes);
    let (packet, _) = codec.decode(&mut stream).ok()??;
    let mut out = BytesMut::new();
    codec.encode(packet, &mut out).ok()?;
    stream.is_empty().then(|| out.to_vec())
}

fn written(packet: &Packet<'_>, version: ProtocolVersion) -> (Vec<u8>, usize) {
    let mut bytes = Vec::new();
    encode(packet, version, &mut bytes).expect("legal");
    let body_at = 1 + bytes[1..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    (bytes, body_at)
}

/// The packet as text, its properties sorted and those left out that say what is the default.
fn sorted(packet: &Packet<'_>) -> (String, Vec<String>) {
    let mut bare = *packet;
    let mut all: Vec<Property<'_>> = Vec::new();
    match &mut bare {
        Packet::Connect(connect) => {
            all.extend(std::mem::take(&mut connect.properties));
            if let Some(will) = &mut connect.will {
                all.extend(std::mem::take(&mut will.properties));
            }
        }
        Packet::ConnAck(packet) => all.extend(std::mem::take(&mut packet.properties)),
        Packet::Publish(packet) => all.extend(std::mem::take(&mut packet.properties).properties()),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            all.extend(std::mem::take(&mut ack.properties));
        }
        Packet::Subscribe(packet) => all.extend(std::mem::take(&mut packet.properties)),
        Packet::SubAck(packet) => all.extend(std::mem::take(&mut packet.properties)),
        Packet::Unsubscribe(packet) => all.extend(std::mem::take(&mut packet.properties)),
        Packet::UnsubAck(packet) => all.extend(std::mem::take(&mut packet.properties)),
        Packet::Disconnect(packet) => all.extend(std::mem::take(&mut packet.properties)),
        Packet::Auth(packet) => all.extend(std::mem::take(&mut packet.properties)),
        Packet::PingReq | Packet::PingResp => {}
    }
    let says_something = |property: &&Property<'_>| {
        !matches!(
            property,
            Property::PayloadFormatIndicator(0)
                | Property::TopicAliasMaximum(0)
                | Property::SessionExpiryInterval(0)
                | Property::RequestProblemInformation(1)
                | Property::RequestResponseInformation(0)
                | Property::RetainAvailable(1)
                | Property::SharedSubscriptionAvailable(1)
                | Property::ReceiveMaximum(u16::MAX)
        )
    };
    let mut texts: Vec<_> =
        all.iter().filter(says_something).map(|property| format!("{property:?}")).collect();
    texts.sort();
    let text = match bare {
        // A walk looks the same whether the filters came by wire or by list.
        Packet::Subscribe(packet) => {
            format!("{} {:?}", packet.packet_id, packet.filters.iter().collect::<Vec<_>>())
        }
        Packet::Unsubscribe(packet) => {
            format!("{} {:?}", packet.packet_id, packet.filters.iter().collect::<Vec<_>>())
        }
        bare => format!("{bare:?}"),
    };
    (text, texts)
}

fn any_of(version: ProtocolVersion) -> impl Strategy<Value = (Peer, Packet<'static>)> {
    prop_oneof![Just(Peer::Client), Just(Peer::Server)]
        .prop_flat_map(move |from| packet(version, from).prop_map(move |packet| (from, packet)))
}

/// What 3.1.1 answers with return code 2; rmqtt-codec refuses it while it decodes, and in 5.0 too, where it is legal.
fn asks_to_keep_a_session_of_nobody(packet: &Packet<'_>) -> bool {
    matches!(packet, Packet::Connect(connect) if connect.client_id.is_empty() && !connect.clean_start)
}

proptest! {
    #![proptest_config(crate::packets::cases(2_000))]

    #[test]
    fn mqtt_protocol_core_reads_and_writes_the_same_bytes_of_5_0(
        (_, packet) in any_of(ProtocolVersion::V5),
    ) {
        // It refuses a password without a user name, which 5.0 allows (§3.1.2.9).
        if let Packet::Connect(connect) = packet {
            prop_assume!(connect.password.is_none() || connect.username.is_some());
        }
        let (bytes, body_at) = written(&packet, ProtocolVersion::V5);
        let again = core_v5(&packet, bytes[0], &bytes[body_at..]);
        prop_assert_eq!(again, Some(bytes));
    }

    #[test]
    fn mqtt_protocol_core_reads_and_writes_the_same_bytes_of_3_1_1(
        (_, packet) in any_of(ProtocolVersion::V3_1_1),
    ) {
        let (bytes, body_at) = written(&packet, ProtocolVersion::V3_1_1);
        let again = core_v3(&packet, bytes[0], &bytes[body_at..]);
        prop_assert_eq!(again, Some(bytes));
    }

    #[test]
    fn rmqtt_codec_reads_and_writes_the_same_packet_of_5_0(
        (from, packet) in any_of(ProtocolVersion::V5),
    ) {
        prop_assume!(!asks_to_keep_a_session_of_nobody(&packet));
        // It refuses a Message Expiry Interval of 0, which is legal (§3.3.2.3.3).
        prop_assume!(!sorted(&packet).1.contains(&"MessageExpiryInterval(0)".to_owned()));
        let (bytes, _) = written(&packet, ProtocolVersion::V5);
        let again = rmqtt(rmqtt_codec::v5::Codec::new(0, 0), &bytes);
        let Some(again) = again else { panic!("{packet:?} is refused") };
        let decoded = decode(&again, ProtocolVersion::V5, &Limits::default().from(from));
        let Ok(Some((decoded, len))) = decoded else { panic!("{decoded:?}") };
        prop_assert_eq!(len, again.len());
        prop_assert_eq!(sorted(&decoded), sorted(&packet));
    }

    #[test]
    fn rmqtt_codec_reads_and_writes_the_same_bytes_of_3_1_1(
        (_, packet) in any_of(ProtocolVersion::V3_1_1),
    ) {
        prop_assume!(!asks_to_keep_a_session_of_nobody(&packet));
        let (bytes, _) = written(&packet, ProtocolVersion::V3_1_1);
        prop_assert_eq!(rmqtt(rmqtt_codec::v3::Codec::new(0), &bytes), Some(bytes));
    }
}

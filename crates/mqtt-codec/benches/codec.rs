//! PUBLISH at QoS 1, 31 bytes of topic, 128 bytes of payload, 256 to a buffer: ours against other codecs, in one run.
//! "props" adds Message Expiry, Content Type and two user properties. Read ns per packet off the item rate.

use std::hint::black_box;
use std::sync::Arc;

use bytes::BytesMut;
use divan::Bencher;
use divan::counter::ItemsCount;
use mqtt_codec::{
    Limits, OutgoingPublish, Packet, PublishTemplate, decode, encode_publish, encoded_publish_len,
};
use mqtt_types::{PacketId, ProtocolVersion, QoS};
use tokio_util::codec::{Decoder as _, Encoder as _};

const BATCH: usize = 256;
const TOPIC: &str = "factory/line-07/sensor/42/temps";
const PAYLOAD: [u8; 128] = [0x5A; 128];
const EXPIRY: u32 = 60;
/// Content Type, a user property, a traceparent.
const BLOCK: &[u8] = b"\x03\x00\x10application/json\
    \x26\x00\x06tenant\x00\x04acme\
    \x26\x00\x0Btraceparent\x00\x3700-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn main() {
    divan::main();
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Props,
}

const KINDS: [Kind; 2] = [Kind::Plain, Kind::Props];

fn publish(kind: Kind) -> OutgoingPublish<'static> {
    let plain = OutgoingPublish {
        qos: QoS::AtLeastOnce,
        topic: TOPIC,
        packet_id: PacketId::new(7),
        payload: &PAYLOAD,
        ..OutgoingPublish::default()
    };
    match kind {
        Kind::Plain => plain,
        Kind::Props => {
            OutgoingPublish { message_expiry_interval: Some(EXPIRY), properties: BLOCK, ..plain }
        }
    }
}

fn batch(kind: Kind) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..BATCH {
        encode_publish(&mut out, ProtocolVersion::V5, &publish(kind)).expect("legal");
    }
    out
}

#[divan::bench_group]
mod decoding {
    use super::*;

    #[divan::bench(args = KINDS)]
    fn ours(bencher: Bencher<'_, '_>, kind: Kind) {
        let (bytes, limits) = (batch(kind), Limits::default());
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            let mut rest = black_box(&bytes[..]);
            while let Ok(Some((packet, len))) = decode(rest, ProtocolVersion::V5, &limits) {
                black_box(&packet);
                rest = &rest[len..];
            }
            assert!(rest.is_empty());
        });
    }

    #[divan::bench(args = KINDS)]
    fn ours_after_a_copy_of_the_batch(bencher: Bencher<'_, '_>, kind: Kind) {
        let (bytes, limits) = (batch(kind), Limits::default());
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            let copy = BytesMut::from(black_box(&bytes[..]));
            let mut rest = &copy[..];
            while let Ok(Some((packet, len))) = decode(rest, ProtocolVersion::V5, &limits) {
                black_box(&packet);
                rest = &rest[len..];
            }
            assert!(rest.is_empty());
        });
    }

    #[divan::bench(args = KINDS)]
    fn rumqttc(bencher: Bencher<'_, '_>, kind: Kind) {
        use ::rumqttc::v5::mqttbytes::v5::Packet;
        let bytes = batch(kind);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            let mut stream = BytesMut::from(black_box(&bytes[..]));
            while !stream.is_empty() {
                black_box(Packet::read(&mut stream, None).expect("legal"));
            }
        });
    }

    #[divan::bench(args = KINDS)]
    fn rmqtt_codec(bencher: Bencher<'_, '_>, kind: Kind) {
        let bytes = batch(kind);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            let mut codec = ::rmqtt_codec::v5::Codec::new(0, 0);
            let mut stream = BytesMut::from(black_box(&bytes[..]));
            while let Some(packet) = codec.decode(&mut stream).expect("legal") {
                black_box(packet);
            }
        });
    }

    #[divan::bench(args = KINDS)]
    fn mqtt_protocol_core(bencher: Bencher<'_, '_>, kind: Kind) {
        use ::mqtt_protocol_core::mqtt::packet::v5_0::Publish;
        let bytes = batch(kind);
        let limits = Limits::default();
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            let mut rest = black_box(&bytes[..]);
            while let Ok(mqtt_codec::FrameStatus::Complete { len }) =
                mqtt_codec::frame(rest, &limits)
            {
                let (packet, others) = rest.split_at(len);
                // Its own connection makes one `Arc` for each packet too.
                let body = Arc::<[u8]>::from(&packet[3..]);
                black_box(Publish::parse(packet[0] & 0x0F, body).expect("legal"));
                rest = others;
            }
            assert!(rest.is_empty());
        });
    }
}

#[divan::bench_group]
mod encoding {
    use super::*;

    fn decoded_by_rumqttc(kind: Kind) -> ::rumqttc::v5::mqttbytes::v5::Packet {
        let mut stream = BytesMut::from(&batch(kind)[..]);
        ::rumqttc::v5::mqttbytes::v5::Packet::read(&mut stream, None).expect("legal")
    }

    #[divan::bench(args = KINDS)]
    fn ours(bencher: Bencher<'_, '_>, kind: Kind) {
        let mut out = Vec::with_capacity(256 * 1024);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            out.clear();
            for _ in 0..BATCH {
                let publish = black_box(publish(kind));
                black_box(encode_publish(&mut out, ProtocolVersion::V5, &publish)).expect("legal");
            }
            black_box(&out);
        });
    }

    #[divan::bench(args = KINDS)]
    fn ours_from_a_template(bencher: Bencher<'_, '_>, kind: Kind) {
        let template = PublishTemplate::new(ProtocolVersion::V5, &publish(kind)).expect("legal");
        let mut out = Vec::with_capacity(256 * 1024);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            out.clear();
            for number in 1..=BATCH as u16 {
                let written = template.write_to(&mut out, PacketId::new(number), false);
                black_box(written).expect("QoS 1");
            }
            black_box(&out);
        });
    }

    #[divan::bench(args = KINDS)]
    fn ours_length_only(bencher: Bencher<'_, '_>, kind: Kind) {
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            for _ in 0..BATCH {
                let publish = black_box(publish(kind));
                black_box(encoded_publish_len(ProtocolVersion::V5, &publish)).expect("legal");
            }
        });
    }

    #[divan::bench(args = KINDS)]
    fn rumqttc(bencher: Bencher<'_, '_>, kind: Kind) {
        let packet = decoded_by_rumqttc(kind);
        let mut out = BytesMut::with_capacity(256 * 1024);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            out.clear();
            for _ in 0..BATCH {
                black_box(&packet).write(&mut out, None).expect("legal");
            }
            black_box(&out);
        });
    }

    #[divan::bench(args = KINDS)]
    fn rmqtt_codec(bencher: Bencher<'_, '_>, kind: Kind) {
        let mut codec = ::rmqtt_codec::v5::Codec::new(0, 0);
        let mut stream = BytesMut::from(&batch(kind)[..]);
        let (packet, _) = codec.decode(&mut stream).expect("legal").expect("whole");
        let mut out = BytesMut::with_capacity(256 * 1024);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            out.clear();
            for _ in 0..BATCH {
                codec.encode(black_box(&packet).clone(), &mut out).expect("legal");
            }
            black_box(&out);
        });
    }

    #[divan::bench(args = KINDS)]
    fn mqtt_protocol_core(bencher: Bencher<'_, '_>, kind: Kind) {
        use ::mqtt_protocol_core::mqtt::packet::v5_0::Publish;
        let bytes = batch(kind);
        let body = Arc::<[u8]>::from(&bytes[3..bytes.len() / BATCH]);
        let (packet, _) = Publish::parse(bytes[0] & 0x0F, body).expect("legal");
        let mut out = Vec::with_capacity(256 * 1024);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            out.clear();
            for _ in 0..BATCH {
                for part in black_box(&packet).to_buffers() {
                    out.extend_from_slice(&part);
                }
            }
            black_box(&out);
        });
    }
}

#[divan::bench_group]
mod acks {
    use super::*;
    use mqtt_codec::{AckKind, encode_ack};
    use mqtt_types::ReasonCode;

    #[divan::bench]
    fn decode_puback(bencher: Bencher<'_, '_>) {
        let (bytes, limits) = (b"\x40\x02\x00\x07".repeat(BATCH), Limits::default());
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            let mut rest = black_box(&bytes[..]);
            while let Ok(Some((Packet::PubAck(ack), len))) =
                decode(rest, ProtocolVersion::V5, &limits)
            {
                black_box(ack);
                rest = &rest[len..];
            }
            assert!(rest.is_empty());
        });
    }

    #[divan::bench]
    fn encode_puback(bencher: Bencher<'_, '_>) {
        let mut out = Vec::with_capacity(BATCH * 4);
        bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
            out.clear();
            for _ in 0..BATCH {
                let id = black_box(PacketId::MIN);
                let kind = AckKind::PubAck;
                encode_ack(&mut out, ProtocolVersion::V5, kind, id, ReasonCode::SUCCESS, None)
                    .expect("short");
            }
            black_box(&out);
        });
    }
}

//! What the key of a message costs, for each form of expression; and what JSON costs by its size.

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use key_expression::{Facts, KeyExpression, KeySeed, Scratch};
use mqtt_codec::{Properties, PropertyBlock};
use mqtt_types::Property;

/// Shows that a key allocates nothing.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const TOPIC: &str = "fleet/eu-west/vehicle-4711/position";
const PAYLOAD: &[u8] = br#"{"ts":1795516620500,"vehicle":{"id":"WBA-4711","plate":"M\u00fc-X 17","speed":[43.5,44.1]},"position":{"lat":48.137154,"lon":11.576124,"fix":true},"driver":null}"#;

const FORMS: [&str; 16] = [
    "topic",
    "level(1)",
    "level(3)",
    "level(-1)",
    "client_id",
    "username",
    "user_property(\"region\")",
    "payload.ts",
    "payload.vehicle.id",
    "payload.vehicle.plate",
    "payload.vehicle.speed[1]",
    "payload.missing",
    "concat(level(3), \"/\", payload.vehicle.id)",
    "coalesce(payload.driver, client_id)",
    "lower(payload.vehicle.id)",
    "hash(payload.vehicle.id, 64)",
];

fn properties() -> PropertyBlock {
    PropertyBlock::of(&[
        Property::ContentType("application/json"),
        Property::UserProperty("traceparent", "00-0af7651916cd43dd8448eb211c80319c-01"),
        Property::UserProperty("region", "eu-west"),
    ])
    .expect("short")
}

#[divan::bench(args = FORMS, sample_count = 50, sample_size = 20_000)]
fn form(bencher: Bencher<'_, '_>, text: &str) {
    let expression = KeyExpression::parse(text).expect("legal");
    let block = properties();
    let properties: Properties<'_> = block.properties();
    let user_property = |name: &str| properties.user_property(name);
    let mut scratch = Scratch::default();
    bencher.bench_local(|| {
        let facts = black_box(Facts {
            topic: TOPIC,
            client_id: Some("vehicle-4711"),
            username: Some("fleet"),
            user_property: &user_property,
            payload: PAYLOAD,
        });
        black_box(expression.evaluate(&facts, &mut scratch)).key().len()
    });
}

/// The hash of a key of that many bytes.
#[divan::bench(args = [8, 32, 128], sample_count = 50, sample_size = 20_000)]
fn hash(bencher: Bencher<'_, '_>, len: usize) {
    let (expression, topic) = (KeyExpression::default(), "x".repeat(len));
    let (seed, mut scratch) = (KeySeed([7; 16]), Scratch::default());
    let facts = Facts::of_topic(&topic);
    bencher.bench_local(|| expression.evaluate(black_box(&facts), &mut scratch).hash(&seed));
}

/// A document of that many readings.
fn readings(count: usize) -> String {
    let reading = r#"{"sensor":"temperature","value":21.5,"unit":"C","ok":true},"#;
    format!("{{\"readings\":[{}{{}}],\"id\":\"s-17\"}}", reading.repeat(count))
}

#[divan::bench(args = [1, 10, 100, 1000], sample_count = 50, sample_size = 100)]
fn payload_of_readings(bencher: Bencher<'_, '_>, count: usize) {
    let expression = KeyExpression::parse("payload.id").expect("legal");
    let (document, mut scratch) = (readings(count), Scratch::default());
    bencher.counter(BytesCount::of_str(&document)).bench_local(|| {
        let facts = Facts { payload: document.as_bytes(), ..Facts::of_topic(TOPIC) };
        black_box(expression.evaluate(black_box(&facts), &mut scratch)).key().len()
    });
}

/// The same with the tree that is not built.
#[divan::bench(args = [1, 10, 100, 1000], sample_count = 50, sample_size = 100)]
fn tree_of_readings(bencher: Bencher<'_, '_>, count: usize) {
    let document = readings(count);
    bencher.counter(BytesCount::of_str(&document)).bench_local(|| {
        let tree: serde_json::Value =
            serde_json::from_slice(black_box(document.as_bytes())).expect("our own");
        tree.get("id").and_then(|id| id.as_str()).map(str::len)
    });
}

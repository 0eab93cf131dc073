//! Which keys cost memory: none, once the scratch has grown to what an expression puts together.

use key_expression::{Facts, KeyExpression, KeySeed, Problem, Scratch};
use mqtt_codec::PropertyBlock;
use mqtt_types::Property;

const PAYLOAD: &[u8] =
    br#"{"x":[1,{"y":"z"}],"id":"WBA-4711","n":1.50,"on":true,"name":"a\u00e4\n","no":null}"#;

/// How often memory is asked for by one evaluation, and what came out.
fn allocations(text: &str, scratch: &mut Scratch) -> (u64, String, Option<Problem>) {
    let expression = KeyExpression::parse(text).expect("legal");
    let block = PropertyBlock::of(&[
        Property::ContentType("application/json"),
        Property::UserProperty("region", "EU-West"),
    ])
    .expect("short");
    let properties = block.properties();
    let facts = Facts {
        topic: "fleet/17/position",
        client_id: Some("gateway-3"),
        username: Some("acme"),
        user_property: &|name| properties.user_property(name),
        payload: PAYLOAD,
    };
    let mut problem = None;
    let info = allocation_counter::measure(|| {
        let evaluation = expression.evaluate(&facts, scratch);
        problem = evaluation.problem();
        std::hint::black_box(evaluation.hash(&KeySeed::default()));
    });
    (info.count_total, expression.evaluate(&facts, scratch).key().to_owned(), problem)
}

#[test]
fn the_usual_forms_take_no_memory_at_all() {
    for (text, key) in [
        ("topic", "fleet/17/position"),
        ("level(2)", "17"),
        ("level(-1)", "position"),
        ("client_id", "gateway-3"),
        ("username", "acme"),
        ("user_property(\"region\")", "EU-West"),
        ("\"text\"", "text"),
        ("payload.id", "WBA-4711"),
        ("payload.x[1].y", "z"),
        ("payload.n", "1.50"),
        ("payload.on", "true"),
        ("payload.no", "fleet/17/position"),
        ("payload.x", "fleet/17/position"),
        ("coalesce(payload.no, payload.id, topic)", "WBA-4711"),
        ("lower(client_id)", "gateway-3"),
    ] {
        let (count, found, _) = allocations(text, &mut Scratch::default());
        assert_eq!((count, found.as_str()), (0, key), "{text}");
    }
}

#[test]
fn what_is_put_together_takes_memory_once() {
    for (text, key) in [
        ("hash(payload.id, 1)", "0"),
        ("payload.name", "aä\n"),
        ("lower(user_property(\"region\"))", "eu-west"),
        ("concat(level(2), \"-\", payload.id)", "17-WBA-4711"),
        ("concat(level(2), hash(concat(topic, payload.name), 1), lower(\"A\"))", "170a"),
    ] {
        let mut scratch = Scratch::default();
        let (first, ..) = allocations(text, &mut scratch);
        assert!(first > 0, "{text}: the count would see an allocation");
        let (count, found, problem) = allocations(text, &mut scratch);
        assert_eq!((count, found.as_str(), problem), (0, key, None), "{text}");
    }
}

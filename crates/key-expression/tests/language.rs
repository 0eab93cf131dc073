//! What the language means, and what it says about texts that are none of it.

use key_expression::{
    ARGUMENTS_MAX, EXPRESSION_BYTES_MAX, Facts, KEY_BYTES_MAX, KeyExpression, NESTING_MAX,
    PATH_STEPS_MAX, Problem, Scratch,
};
use mqtt_codec::PropertyBlock;
use mqtt_types::Property;

const PAYLOAD: &str = r#"{
    "id": 17, "name": "Fl\u00fcgel \"7\"", "plain": "WBA-4711", "empty": "", "on": true, "off": false, "no": null,
    "odd key": "o", "a": {"b": [1.0, {"c": "deep"}, [], -0.5e+3]}
}"#;

/// The key and the problem of a message that has everything.
fn evaluate(text: &str) -> (String, Option<Problem>) {
    let block = PropertyBlock::of(&[
        Property::ContentType("application/json"),
        Property::UserProperty("region", "EU-West"),
        Property::UserProperty("region", "second"),
        Property::UserProperty("blank", ""),
    ])
    .expect("short");
    let properties = block.properties();
    let facts = Facts {
        topic: "fleet/17//Position",
        client_id: Some("gateway-3"),
        username: Some("acme"),
        user_property: &|name| properties.user_property(name),
        payload: PAYLOAD.as_bytes(),
    };
    let expression = KeyExpression::parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(expression.as_str(), text);
    let mut scratch = Scratch::default();
    let evaluation = expression.evaluate(&facts, &mut scratch);
    (evaluation.key().to_owned(), evaluation.problem())
}

#[test]
fn every_form_has_its_value() {
    for (text, key) in [
        ("topic", "fleet/17//Position"),
        ("level(1)", "fleet"),
        ("level(2)", "17"),
        ("level(3)", ""),
        ("level( 4 )", "Position"),
        ("level(-1)", "Position"),
        ("level(-4)", "fleet"),
        ("client_id", "gateway-3"),
        ("username", "acme"),
        ("user_property(\"region\")", "EU-West"),
        ("user_property('blank')", ""),
        ("payload.id", "17"),
        ("payload.name", "Flügel \"7\""),
        ("payload.plain", "WBA-4711"),
        ("payload.empty", ""),
        ("payload.on", "true"),
        ("payload.off", "false"),
        ("payload[\"odd key\"]", "o"),
        ("payload['a'].b[0]", "1.0"),
        ("payload.a.b[1].c", "deep"),
        ("payload.a.b[3]", "-0.5e+3"),
        ("\"a text\"", "a text"),
        ("'it\\'s \"a\" \\\\'", "it's \"a\" \\"),
        ("\"\"", ""),
        ("concat(level(1))", "fleet"),
        (" concat ( level(2) ,\t\"-\"\n, payload.id ) ", "17-17"),
        ("concat(lower(level(4)), hash(topic, 1), \"ä\")", "position0ä"),
        ("concat(concat(\"a\", \"b\"), concat(payload.name, \"c\"))", "abFlügel \"7\"c"),
        ("coalesce(payload.no, payload.a, payload.missing, client_id)", "gateway-3"),
        ("coalesce(payload.empty, client_id)", ""),
        ("coalesce(concat(payload.name, payload.no), \"else\")", "else"),
        ("concat(\"<\", coalesce(concat(\"x\", payload.no), \"else\"), \">\")", "<else>"),
        ("lower(\"ÄBC\")", "Äbc"),
        ("lower(client_id)", "gateway-3"),
        ("lower(payload.name)", "flügel \"7\""),
        ("concat(\"A\", lower(concat(\"B\", \"C\")))", "Abc"),
        ("hash(\"vehicle-1\", 64)", "6"),
        ("hash(concat(\"vehicle\", \"-1\"), 64)", "6"),
        ("concat(\"p\", hash(\"vehicle-1\", 64), \"!\")", "p6!"),
        ("lower(hash(\"vehicle-1\", 4294967295))", "2385069830"),
    ] {
        assert_eq!(evaluate(text), (key.to_owned(), None), "{text}");
    }
}

#[test]
fn without_a_value_the_topic_stands_in() {
    for (text, problem) in [
        ("level(5)", Problem::Missing),
        ("level(-5)", Problem::Missing),
        ("level(-2147483647)", Problem::Missing),
        ("user_property(\"Region\")", Problem::Missing),
        ("payload.no", Problem::Missing),
        ("payload.a.x", Problem::Missing),
        ("payload.id.x", Problem::Missing),
        ("payload.a.b[4]", Problem::Missing),
        ("payload.a[0]", Problem::Missing),
        ("payload.a.b.c", Problem::Missing),
        ("payload", Problem::NotScalar),
        ("payload.a", Problem::NotScalar),
        ("payload.a.b[2]", Problem::NotScalar),
        ("concat(topic, payload.no)", Problem::Missing),
        ("concat(\"x\", payload.a)", Problem::NotScalar),
        ("lower(payload.a)", Problem::NotScalar),
        ("hash(payload.no, 8)", Problem::Missing),
        ("coalesce(payload.a, level(9))", Problem::NotScalar),
    ] {
        assert_eq!(evaluate(text), ("fleet/17//Position".to_owned(), Some(problem)), "{text}");
    }
}

#[test]
fn a_message_that_nobody_published_has_its_topic_only() {
    let mut scratch = Scratch::default();
    for (text, problem) in [
        ("client_id", Problem::Missing),
        ("username", Problem::Missing),
        ("user_property(\"region\")", Problem::Missing),
        ("payload", Problem::NotJson),
    ] {
        let expression = KeyExpression::parse(text).expect("legal");
        let evaluation = expression.evaluate(&Facts::of_topic("a/b"), &mut scratch);
        assert_eq!((evaluation.key(), evaluation.problem()), ("a/b", Some(problem)), "{text}");
    }
    assert_eq!(
        KeyExpression::default().evaluate(&Facts::of_topic("a/b"), &mut scratch).problem(),
        None
    );
}

#[test]
fn a_key_is_bounded() {
    let mut scratch = Scratch::default();
    for (text, len, problem) in [
        ("payload", KEY_BYTES_MAX, None),
        ("payload", KEY_BYTES_MAX + 1, Some(Problem::TooLong)),
        ("concat(payload)", KEY_BYTES_MAX, None),
        ("concat(payload)", KEY_BYTES_MAX + 1, Some(Problem::TooLong)),
        ("concat(payload, \"x\")", KEY_BYTES_MAX, Some(Problem::TooLong)),
        ("concat(payload, payload)", KEY_BYTES_MAX / 2, None),
        ("concat(payload, payload)", KEY_BYTES_MAX / 2 + 1, Some(Problem::TooLong)),
        ("lower(payload)", KEY_BYTES_MAX + 1, Some(Problem::TooLong)),
        ("hash(payload, 8)", KEY_BYTES_MAX * 2, None),
    ] {
        let payload = format!("\"{}\"", "X".repeat(len));
        let facts = Facts { payload: payload.as_bytes(), ..Facts::of_topic("a/b") };
        let expression = KeyExpression::parse(text).expect("legal");
        let evaluation = expression.evaluate(&facts, &mut scratch);
        assert_eq!(evaluation.problem(), problem, "{text} of {len}");
        assert_eq!(evaluation.key() == "a/b", problem.is_some(), "{text} of {len}");
    }
}

#[test]
fn what_is_no_expression_is_refused_at_its_place() {
    let unknown = "unknown name '%'; there are topic, level(n), client_id, username, user_property(\"name\"), \
                   payload.a.b[0], \"text\", concat(…), coalesce(…), lower(x) and hash(x, n)";
    for (text, position, message) in [
        ("", 0, "expected an expression, found the end"),
        ("  ", 2, "expected an expression, found the end"),
        ("toppic", 0, &unknown.replace('%', "toppic") as &str),
        ("Topic", 0, &unknown.replace('%', "Topic")),
        ("17", 0, "expected an expression, found '1'"),
        ("topic level(1)", 6, "expected the end, found 'l'"),
        ("topic()", 5, "expected the end, found '('"),
        ("level", 5, "expected '(', found the end"),
        ("level()", 6, "expected the number of a level, such as 1 or -1, found ')'"),
        ("level(0)", 6, "levels count from 1 for the first, or from -1 for the last"),
        ("level(1 x)", 8, "expected ')', found 'x'"),
        ("level(- 1)", 7, "expected the number of a level, such as 1 or -1, found ' '"),
        ("level( 2147483648)", 7, "the number is too large; 2147483647 is the most"),
        ("user_property(region)", 14, "expected a text, such as \"region\", found 'r'"),
        ("user_property(\"region)", 14, "the text has no closing quote"),
        ("'\\n'", 1, "in a text, '\\' stands only before a quote or another '\\'"),
        (
            "payload.",
            8,
            "expected the name of a member; one of other characters is written [\"so\"], found the end",
        ),
        (
            "payload.ä",
            8,
            "expected the name of a member; one of other characters is written [\"so\"], found 'ä'",
        ),
        ("payload .a", 8, "expected the end, found '.'"),
        ("payload[-1]", 8, "expected the number of an element, from 0, or a text, found '-'"),
        ("payload[4294967296]", 8, "the number is too large; 4294967295 is the most"),
        ("payload[0", 9, "expected ']', found the end"),
        ("concat()", 7, "expected an expression, found ')'"),
        ("concat(topic", 12, "expected ',' or ')', found the end"),
        ("concat(topic,)", 13, "expected an expression, found ')'"),
        ("coalesce(topic; topic)", 14, "expected ',' or ')', found ';'"),
        ("lower(topic, topic)", 11, "expected ')', found ','"),
        ("hash(topic)", 10, "expected ',' and the number of buckets, found ')'"),
        ("hash(topic, 0)", 12, "a hash needs at least one bucket"),
        ("hash(topic, x)", 12, "expected the number of buckets, found 'x'"),
        ("topic\u{7}", 5, "expected the end, found '\\u{7}'"),
    ] {
        let error = KeyExpression::parse(text).expect_err(text);
        assert_eq!(
            (error.position(), error.problem().to_string().as_str()),
            (position, message),
            "{text}"
        );
    }
}

#[test]
fn an_error_shows_the_place() {
    for (text, shown) in [
        (
            "concat('ä', level(0))",
            "column 19: levels count from 1 for the first, or from -1 for the last\n  \
             concat('ä', level(0))\n                    ^",
        ),
        (
            "lower(\ntopic",
            "column 13: expected ')', found the end\n  lower( topic\n              ^",
        ),
    ] {
        assert_eq!(KeyExpression::parse(text).expect_err(text).to_string(), shown);
    }
}

#[test]
fn limits_hold_at_their_edge() {
    let nested = |depth: usize| format!("{}topic{}", "lower(".repeat(depth), ")".repeat(depth));
    let arguments = |count: usize| format!("concat({})", vec!["topic"; count].join(","));
    let steps = |count: usize| format!("payload{}", ".a".repeat(count));
    let long = |len: usize| format!("\"{}\"", "ä".repeat((len - 2) / 2));
    for (legal, beyond, position, message) in [
        (
            nested(NESTING_MAX),
            nested(NESTING_MAX + 1),
            48,
            "functions stand more than 8 deep in each other",
        ),
        (arguments(ARGUMENTS_MAX), arguments(ARGUMENTS_MAX + 1), 103, "more than 16 arguments"),
        (steps(PATH_STEPS_MAX), steps(PATH_STEPS_MAX + 1), 39, "the path has more than 16 steps"),
        (
            long(EXPRESSION_BYTES_MAX),
            long(EXPRESSION_BYTES_MAX + 2),
            EXPRESSION_BYTES_MAX - 1,
            "the expression is longer than 1024 bytes",
        ),
    ] {
        assert!(KeyExpression::parse(&legal).is_ok(), "{legal}");
        let error = KeyExpression::parse(&beyond).expect_err(&beyond);
        assert_eq!((error.position(), error.problem().to_string().as_str()), (position, message));
        assert!(error.to_string().len() < EXPRESSION_BYTES_MAX * 3);
    }
}

//! Payload paths against serde_json, which builds the tree that we do not.

use key_expression::{Facts, JSON_DEPTH_MAX, KeyExpression, Problem, Scratch};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

#[derive(Clone, Debug)]
enum Step {
    Member(String),
    Element(usize),
}

fn expression(path: &[Step]) -> KeyExpression {
    let mut text = "payload".to_owned();
    for step in path {
        match step {
            Step::Member(name) => {
                text += &format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"));
            }
            Step::Element(number) => text += &format!("[{number}]"),
        }
    }
    KeyExpression::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn ours(path: &[Step], document: &[u8]) -> Result<String, Problem> {
    let (expression, mut scratch) = (expression(path), Scratch::default());
    let facts = Facts { payload: document, ..Facts::of_topic("t") };
    let evaluation = expression.evaluate(&facts, &mut scratch);
    match evaluation.problem() {
        None => Ok(evaluation.key().to_owned()),
        Some(problem) => Err(problem),
    }
}

/// `None` where serde_json has no opinion: it does not take numbers beyond those of a double.
fn theirs(path: &[Step], document: &[u8]) -> Option<Result<Value, Problem>> {
    let tree: Value = match serde_json::from_slice(document) {
        Ok(tree) => tree,
        Err(error) if error.to_string().contains("number out of range") => return None,
        Err(_) => return Some(Err(Problem::NotJson)),
    };
    let mut place = &tree;
    for step in path {
        let next = match step {
            Step::Member(name) => place.as_object().and_then(|object| object.get(name)),
            Step::Element(number) => place.as_array().and_then(|array| array.get(*number)),
        };
        match next {
            Some(next) => place = next,
            None => return Some(Err(Problem::Missing)),
        }
    }
    Some(match place {
        Value::Null => Err(Problem::Missing),
        Value::Array(_) | Value::Object(_) => Err(Problem::NotScalar),
        scalar => Ok(scalar.clone()),
    })
}

fn compare(path: &[Step], document: &[u8]) {
    let ours = ours(path, document);
    let shown = || format!("{path:?} in {}", String::from_utf8_lossy(document));
    match (ours, theirs(path, document)) {
        (_, None) => {}
        (Err(ours), Some(Err(theirs))) => assert_eq!(ours, theirs, "{}", shown()),
        (Ok(ours), Some(Ok(Value::String(theirs)))) => assert_eq!(ours, theirs, "{}", shown()),
        (Ok(ours), Some(Ok(Value::Bool(theirs)))) => {
            assert_eq!(ours, theirs.to_string(), "{}", shown());
        }
        // Ours is the number as it is written; it must be the same number.
        (Ok(ours), Some(Ok(theirs))) => {
            assert_eq!(serde_json::from_str::<Value>(&ours).ok(), Some(theirs), "{}", shown());
        }
        (ours, theirs) => panic!("{ours:?}, serde_json {theirs:?}: {}", shown()),
    }
}

#[test]
fn documents_one_by_one() {
    let member = |name: &str| Step::Member(name.to_owned());
    for (path, document, expected) in [
        (vec![], "17", Ok("17")),
        (vec![], " \t\r\n\"x\"\n", Ok("x")),
        (vec![], "", Err(Problem::NotJson)),
        (vec![], "\u{feff}17", Err(Problem::NotJson)),
        (vec![], "1 2", Err(Problem::NotJson)),
        (vec![], "null", Err(Problem::Missing)),
        (vec![], "{}", Err(Problem::NotScalar)),
        (vec![], "1e999", Ok("1e999")),
        (vec![], "123456789012345678901234567890", Ok("123456789012345678901234567890")),
        // The last member of a name counts, at every level of the path.
        (vec![member("a")], r#"{"a":1,"a":2}"#, Ok("2")),
        (vec![member("a")], r#"{"a":1,"\u0061":2}"#, Ok("2")),
        (vec![member("a")], r#"{"a":1,"a":null}"#, Err(Problem::Missing)),
        (vec![member("a")], r#"{"a":1,"a":[]}"#, Err(Problem::NotScalar)),
        (vec![member("a"), member("b")], r#"{"a":{"b":1},"a":{"c":2}}"#, Err(Problem::Missing)),
        (vec![member("a"), member("b")], r#"{"a":{"b":1},"a":2}"#, Err(Problem::Missing)),
        (vec![member("a"), Step::Element(1)], r#"{"a":[1,2],"a":[3]}"#, Err(Problem::Missing)),
        // Only what stands at the path: not the same name deeper or beside it.
        (vec![member("a")], r#"{"b":{"a":1},"c":[{"a":2}]}"#, Err(Problem::Missing)),
        (vec![member("a"), member("b")], r#"{"b":1,"a":{"x":{"b":2},"b":3},"c":{"b":4}}"#, Ok("3")),
        (vec![Step::Element(1), Step::Element(0)], "[[1,2],[3,4],[5]]", Ok("3")),
        (vec![Step::Element(0)], "[]", Err(Problem::Missing)),
        // What follows the value, or is cut off, makes the document no JSON.
        (vec![member("a")], r#"{"a":1"#, Err(Problem::NotJson)),
        (vec![member("a")], r#"{"a":1}}"#, Err(Problem::NotJson)),
        (vec![member("a")], r#"{"a":1,"b":"\x"}"#, Err(Problem::NotJson)),
        (vec![member("a")], r#"{"a":1,"b":"\ud800"}"#, Err(Problem::NotJson)),
        // Escapes.
        (vec![], r#""\"\\\/\b\f\n\r\t""#, Ok("\"\\/\u{8}\u{c}\n\r\t")),
        (vec![], r#""\u00E4\u20ac\ud83d\uDE9B""#, Ok("ä€🚛")),
        (vec![], r#""\u0000""#, Ok("\0")),
        (vec![], r#""\ud83d""#, Err(Problem::NotJson)),
        (vec![], r#""\ude9b\ud83d""#, Err(Problem::NotJson)),
        (vec![], r#""\ud83dx""#, Err(Problem::NotJson)),
        (vec![], r#""\ud83d\ud83d""#, Err(Problem::NotJson)),
        (vec![], r#""\u12""#, Err(Problem::NotJson)),
        (vec![], r#""\u+123""#, Err(Problem::NotJson)),
    ] {
        assert_eq!(ours(&path, document.as_bytes()), expected.map(str::to_owned), "{document}");
        compare(&path, document.as_bytes());
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for document in [
        "tru",
        "trues",
        "nul",
        "True",
        "+1",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "1_000",
        "NaN",
        "Infinity",
        "'x'",
        "\"x",
        "\"x\n\"",
        "\"\t\"",
        "\"\u{1f}\"",
        "[",
        "]",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{\"a\":1]",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "[1]x",
        "// c\n1",
        "/* c */1",
        "[1,2],",
        "\\",
        ",",
        ":",
        "\"\\",
        "\"\\u",
        "<a/>",
        "a=1",
    ] {
        assert_eq!(ours(&[], document.as_bytes()), Err(Problem::NotJson), "{document}");
        compare(&[], document.as_bytes());
    }
    for bytes in [&b"\"\xff\""[..], b"\"\xc3\"", b"\xff\xfe1\x00", b"\"\xed\xa0\x80\"", b"1\0"] {
        assert_eq!(ours(&[], bytes), Err(Problem::NotJson), "{bytes:?}");
        compare(&[], bytes);
    }
}

#[test]
fn depth_is_bounded() {
    let arrays = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for (depth, problem) in [
        (JSON_DEPTH_MAX, Problem::NotScalar),
        (JSON_DEPTH_MAX + 1, Problem::NotJson),
        (1_000_000, Problem::NotJson),
    ] {
        assert_eq!(ours(&[], arrays(depth).as_bytes()), Err(problem), "{depth}");
        compare(&[], arrays(depth).as_bytes());
        let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert_eq!(ours(&[], objects.as_bytes()), Err(problem), "{depth}");
        compare(&[], objects.as_bytes());
    }
}

/// Few names, so that paths meet members and members meet their like.
const NAMES: [&str; 6] = ["a", "b", "ä", "o k", "q\"", "\u{1f69b}"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let member = select(&NAMES[..]).prop_map(|name| Step::Member(name.to_owned()));
    prop::collection::vec(prop_oneof![3 => member, 1 => (0_usize..3).prop_map(Step::Element)], 0..4)
}

fn white_space() -> impl Strategy<Value = &'static str> {
    select(&["", "", "", " ", "\n", "\t\r "][..])
}

/// A string as a document may write it: each character plain, or escaped in one of the ways there are.
fn string() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        3 => select(&NAMES[..]).prop_map(str::to_owned),
        1 => "[\\PC\u{0}-\u{1f}]{0,12}".prop_map(String::from),
    ];
    (text, any::<u64>()).prop_map(|(text, escaped)| {
        let mut written = "\"".to_owned();
        for (at, c) in text.chars().enumerate() {
            if (escaped >> (at % 64)) & 3 == 3 {
                c.encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|unit| written += &format!("\\u{unit:04x}"));
            } else {
                written += serde_json::to_string(&c).expect("a text").trim_matches('"');
                if c == '"' {
                    written.push('"');
                }
            }
        }
        written + "\""
    })
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        select(
            &["null", "true", "false", "0", "-0", "1.50", "1e3", "-2.5E-3", "18446744073709551616"]
                [..]
        )
        .prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| serde_json::to_string(&number).expect("a number or null")),
        string(),
    ]
}

/// Documents as texts, not as trees, so that there are white space, escapes and members of one name.
fn document() -> impl Strategy<Value = String> {
    scalar().prop_recursive(5, 40, 5, |inner| {
        let spaced = (white_space(), inner, white_space());
        let spaced = spaced.prop_map(|(a, b, c)| format!("{a}{b}{c}")).boxed();
        let member = (white_space(), string(), white_space(), spaced.clone())
            .prop_map(|(before, name, after, value)| format!("{before}{name}{after}:{value}"));
        prop_oneof![
            prop::collection::vec(spaced, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..5)
                .prop_map(|items| format!("{{{}}}", items.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn documents_are_read_as_serde_json_reads_them(path in steps(), document in document()) {
        prop_assert!(serde_json::from_str::<Value>(&document).is_ok(), "{}", document);
        compare(&path, document.as_bytes());
    }

    /// Bytes exchanged, put in and cut out: still the same verdict, and never a panic.
    #[test]
    fn broken_documents_are_refused_as_serde_json_refuses_them(
        path in steps(),
        document in document(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_u8..4, prop_oneof![any::<u8>(), select(&b"{}[]\",:\\u0e-. \xc3"[..])]),
            1..4,
        ),
    ) {
        let mut bytes = document.into_bytes();
        for (at, kind, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        compare(&path, &bytes);
    }

    #[test]
    fn any_bytes_are_taken(path in steps(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        compare(&path, &bytes);
    }

    /// Texts of all kinds are parsed or refused at a place within them.
    #[test]
    fn any_text_is_taken_as_an_expression(
        text in prop_oneof![
            "\\PC{0,40}",
            "(concat|coalesce|lower|hash|payload|level|topic|[(),. \"'\\\\\\[\\]0-9a-]){0,24}",
        ],
    ) {
        match KeyExpression::parse(&text) {
            Ok(expression) => {
                let mut scratch = Scratch::default();
                let facts = Facts { payload: b"{\"a\":[1]}", ..Facts::of_topic("t/u") };
                let evaluation = expression.evaluate(&facts, &mut scratch);
                prop_assert_eq!(evaluation.problem().is_some() && evaluation.key() != "t/u", false);
            }
            Err(error) => {
                prop_assert!(text.is_char_boundary(error.position()));
                prop_assert_eq!(error.to_string().lines().count(), 3);
            }
        }
    }
}

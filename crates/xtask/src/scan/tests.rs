use super::*;

#[test]
fn comments_and_texts_are_told_from_code() {
    for (text, code, comments) in [
        ("a // b", "a     ", "  // b"),
        ("a /* b /* c */ d */ e", "a                   e", "  /* b /* c */ d */  "),
        ("\"// no\" x", "        x", "         "),
        ("\"\\\"{\" x", "      x", "       "),
        ("r#\"a\"{\"# x", "         x", "          "),
        ("br\"{\" x", "      x", "       "),
        ("'{' '\\'' 'a x", "         'a x", "             "),
        ("var\"{\"", "var   ", "      "),
    ] {
        let scanned = Scanned::new(text);
        assert_eq!((scanned.code.as_str(), scanned.comments.as_str()), (code, comments), "{text}");
    }
}

#[test]
fn lines_stay_where_they_are() {
    let text = "/* é\n */ fn f() {\n  'é'; \"a\nb\"\n}\n";
    let scanned = Scanned::new(text);
    for view in [&scanned.code, &scanned.comments, &scanned.shipped] {
        assert_eq!(view.lines().count(), text.lines().count());
    }
    let expected = Function { name: "f".to_owned(), line: 2, lines: 4 };
    assert_eq!(scanned.functions(), [expected]);
}

#[test]
fn functions_are_measured_and_those_without_body_or_in_tests_are_not() {
    let text = "\
trait T { fn none(&self) -> [u8; 2]; }
fn one() {}
fn two(f: fn(u8) -> u8) {
    if x { y } else { z }
}
#[cfg(test)]
mod tests {
    fn three() {
    }
}
fn four() {}
";
    let found = Scanned::new(text).functions();
    let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
    assert_eq!(found, [("one", 2, 1), ("two", 3, 3), ("four", 11, 1)]);
}

#[test]
fn declared_modules_are_those_in_files_of_their_own() {
    let text = "mod a;\npub(crate) mod b;\n// mod c;\nmod d { }\n#[cfg(test)]\nmod tests;\n";
    assert_eq!(Scanned::new(text).declared_modules(), ["a", "b", "tests"]);
}

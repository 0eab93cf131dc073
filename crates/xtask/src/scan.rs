//! A Rust file in two views of the same length: code without comments and texts, and comments alone.
//! It must not know any rule. It is no parser: it knows where texts, characters, comments and braces are.

mod token;

pub(crate) use token::{Token, tokens};

/// A scanned file. In each view what does not belong is blanked by spaces, line ends stay.
pub(crate) struct Scanned {
    /// Code; texts and comments are blank.
    pub(crate) code: String,
    /// Code without `#[cfg(test)]` items.
    pub(crate) shipped: String,
    /// Comments only.
    pub(crate) comments: String,
}

/// A function with a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The line of its `fn`, from 1.
    pub(crate) line: usize,
    /// From its `fn` to its closing brace.
    pub(crate) lines: usize,
}

impl Scanned {
    pub(crate) fn new(text: &str) -> Self {
        let (code, comments) = separate(text);
        let shipped = without_tests(&code);
        Self { code, shipped, comments }
    }

    /// The functions that are no tests.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let tokens = tokens(&self.shipped);
        let names = tokens.windows(2).enumerate().filter(|(_, pair)| pair[0].text == "fn");
        names
            .filter(|(_, pair)| pair[1].is_word())
            .filter_map(|(at, pair)| {
                let end = body_end(&tokens[at..])?;
                let lines = end.line - pair[0].line + 1;
                Some(Function { name: pair[1].text.to_owned(), line: pair[0].line, lines })
            })
            .collect()
    }

    /// The modules that the file declares with `mod name;`.
    pub(crate) fn declared_modules(&self) -> Vec<String> {
        let tokens = tokens(&self.code);
        let declared = tokens.windows(3).filter(|w| w[0].text == "mod" && w[2].text == ";");
        declared.map(|w| w[1].text.to_owned()).collect()
    }
}

/// The brace that closes the body of the function whose `fn` comes first; none when it has no body.
pub(crate) fn body_end<'a, 'b>(tokens: &'b [Token<'a>]) -> Option<&'b Token<'a>> {
    let mut brackets = 0_usize;
    let open = tokens.iter().position(|token| {
        match token.text {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        brackets == 0 && matches!(token.text, "{" | ";")
    })?;
    if tokens[open].text == ";" {
        return None;
    }
    closing(&tokens[open..])
}

/// The brace that closes the one that comes first.
fn closing<'a, 'b>(tokens: &'b [Token<'a>]) -> Option<&'b Token<'a>> {
    let mut depth = 0_usize;
    tokens.iter().find(|token| {
        match token.text {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}

const TEST_MARK: &str = "#[cfg(test)]";

/// Blanks each item that `#[cfg(test)]` stands before.
fn without_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code[from..].find(TEST_MARK) {
        let start = from + found;
        let rest = tokens(&code[start + TEST_MARK.len()..]);
        let open = rest.iter().position(|token| matches!(token.text, "{" | ";"));
        let last = open.and_then(|at| {
            if rest[at].text == ";" { Some(&rest[at]) } else { closing(&rest[at..]) }
        });
        let end = last.map_or(code.len(), |token| start + TEST_MARK.len() + token.offset + 1);
        out[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        from = end;
    }
    String::from_utf8(out).expect("only whole items of blanked ASCII code were blanked")
}

/// What the bytes at a point belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

/// Splits a file into its code and its comments.
fn separate(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let (mut code, mut comments) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < bytes.len() {
        let (kind, length) = span(&bytes[at..], at.checked_sub(1).map(|before| bytes[before]));
        for byte in &bytes[at..at + length] {
            let blank = if *byte == b'\n' { b'\n' } else { b' ' };
            let code_byte = if byte.is_ascii() { *byte } else { b'_' };
            code.push(if kind == Kind::Code { code_byte } else { blank });
            let comment_byte = if byte.is_ascii() { *byte } else { b' ' };
            comments.push(if kind == Kind::Comment { comment_byte } else { blank });
        }
        at += length;
    }
    let ascii = "non-ASCII bytes were replaced";
    (String::from_utf8(code).expect(ascii), String::from_utf8(comments).expect(ascii))
}

/// The kind and the length of what starts here.
fn span(rest: &[u8], before: Option<u8>) -> (Kind, usize) {
    let in_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest {
        [b'/', b'/', ..] => {
            (Kind::Comment, rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()))
        }
        [b'/', b'*', ..] => (Kind::Comment, block_comment(rest)),
        [b'"', ..] => (Kind::Text, quoted(rest, 0)),
        [b'b' | b'c', b'"', ..] if !in_word => (Kind::Text, quoted(rest, 1)),
        [b'r', b'"' | b'#', ..] if !in_word => raw(rest, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !in_word => raw(rest, 2),
        [b'\'', b'\\', ..] => (Kind::Text, character(rest)),
        [b'\'', first, ..] => match 1 + width(*first) {
            end if rest.get(end) == Some(&b'\'') => (Kind::Text, end + 1),
            _ => (Kind::Code, 1),
        },
        _ => (Kind::Code, 1),
    }
}

/// The bytes of the UTF-8 character that starts with `first`.
const fn width(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], prefix: usize) -> usize {
    let mut at = prefix + 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw(rest: &[u8], prefix: usize) -> (Kind, usize) {
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return (Kind::Code, 1);
    }
    let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = prefix + hashes + 1;
    let found = rest[body..].windows(end.len()).position(|window| window == end);
    (Kind::Text, found.map_or(rest.len(), |found| body + found + end.len()))
}

/// The length of a character that starts with a backslash.
fn character(rest: &[u8]) -> usize {
    let close = rest.iter().skip(3).position(|byte| *byte == b'\'');
    close.map_or(rest.len(), |close| close + 4)
}

#[cfg(test)]
mod tests;

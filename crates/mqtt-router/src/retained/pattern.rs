//! A topic filter held against one retained topic after the other, in their order.
//! It must not know where they are kept.

use mqtt_types::TopicFilter;
use smallvec::SmallVec;

/// A topic filter, taken apart.
pub struct Pattern<'a> {
    levels: SmallVec<[&'a str; 16]>,
}

/// What to do about a topic, and where the next one is that may match.
#[derive(PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It matches; the one after it may too.
    Match,
    /// It does not; the one after it may.
    Next,
    /// It does not, nor does any before this one, which is after it.
    Seek(String),
    /// It does not, nor does any after it.
    End,
}

impl<'a> Pattern<'a> {
    /// Takes a filter apart.
    pub fn new(filter: TopicFilter<'a>) -> Self {
        Self { levels: filter.levels().collect() }
    }

    /// The first key that may match.
    pub fn first(&self) -> String {
        let mut first = String::new();
        for (at, level) in self.levels.iter().enumerate() {
            if matches!(*level, "+" | "#") {
                break;
            }
            if at > 0 {
                first.push('\0');
            }
            first.push_str(level);
        }
        first
    }

    /// Holds the filter against a key: a topic with `/` written as U+0000.
    pub fn verdict(&self, key: &str) -> Verdict {
        let mut names = key.split('\0');
        // Where the level begins in the key, and where the last one ended that `+` matched.
        let mut start = 0;
        let mut plus_end = None;
        for (at, &level) in self.levels.iter().enumerate() {
            // [MQTT-4.7.2-1]: on from the first text that does not start with `$`.
            if at == 0 && matches!(level, "+" | "#") && key.starts_with('$') {
                return Verdict::Seek("%".into());
            }
            if level == "#" {
                return Verdict::Match;
            }
            let Some(name) = names.next() else {
                return if level == "+" {
                    Verdict::Next
                } else {
                    Verdict::Seek([key, "\0", level].concat())
                };
            };
            if level == "+" {
                plus_end = Some(start + name.len());
            } else if name < level {
                return Verdict::Seek([key.get(..start).unwrap_or_default(), level].concat());
            } else if name > level {
                return next_plus(key, plus_end);
            }
            start += name.len() + 1;
        }
        if names.next().is_none() { Verdict::Match } else { next_plus(key, plus_end) }
    }
}

/// Nothing more matches below the level that the last `+` stands for: on with what that may be next.
fn next_plus(key: &str, plus_end: Option<usize>) -> Verdict {
    match plus_end.and_then(|end| key.get(..end)) {
        Some(below) => Verdict::Seek([below, "\u{1}"].concat()),
        None => Verdict::End,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_where_to_go_on() {
        let seek = |to: &str| Verdict::Seek(to.replace('/', "\0"));
        for (filter, topic, expected) in [
            ("a/b", "a/b", Verdict::Match),
            ("a/b", "a/b/c", Verdict::End),
            ("a/b", "a/c", Verdict::End),
            ("a/b", "a/a", seek("a/b")),
            ("a/b", "a", seek("a/b")),
            ("a/#", "a", Verdict::Match),
            ("a/#", "a/b/c", Verdict::Match),
            ("a/#", "ab", Verdict::End),
            ("a/+", "a", Verdict::Next),
            ("a/+/c", "a/b", seek("a/b/c")),
            ("a/+/c", "a/b/d", seek("a/b\u{1}")),
            ("a/+", "a/b/c", seek("a/b\u{1}")),
            ("+/+/c", "a/b/d", seek("a/b\u{1}")),
            ("+/b/+/d", "a/c", seek("a\u{1}")),
            ("#", "$SYS", seek("%")),
            ("+/x", "$SYS/x", seek("%")),
            ("$SYS/+", "$SYS/x", Verdict::Match),
            ("#", "/", Verdict::Match),
            ("/+", "/", Verdict::Match),
        ] {
            let filter = TopicFilter::new(filter).expect("legal");
            let verdict = Pattern::new(filter).verdict(&topic.replace('/', "\0"));
            assert_eq!(verdict, expected, "{filter} on {topic}");
        }
    }
}

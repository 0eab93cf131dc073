//! What an expression asks for. It must not know how it is answered.

use crate::expression::KeyExpression;
use crate::term::Term;

/// What of a message an expression may ask for beside its topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// The client id of the publisher.
    pub client_id: bool,
    /// The user name with which the publisher signed in.
    pub username: bool,
    /// A user property.
    pub user_property: bool,
    /// The payload.
    pub payload: bool,
}

impl KeyExpression {
    /// What it may ask for.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        needs.add(self.term());
        needs
    }
}

impl Needs {
    fn add(&mut self, term: &Term) {
        match term {
            Term::Topic | Term::Level(_) | Term::Literal(_) => {}
            Term::ClientId => self.client_id = true,
            Term::Username => self.username = true,
            Term::UserProperty(_) => self.user_property = true,
            Term::Payload(_) => self.payload = true,
            Term::Concat(parts) | Term::Coalesce(parts) => {
                parts.iter().for_each(|part| self.add(part));
            }
            Term::Lower(inner) | Term::Hash(inner, _) => self.add(inner),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_says_what_it_asks_for() {
        let none = Needs::default();
        for (text, needs) in [
            ("topic", none),
            ("concat(level(1), \"-\", hash(level(-1), 8))", none),
            ("lower(client_id)", Needs { client_id: true, ..none }),
            ("coalesce(username, topic)", Needs { username: true, ..none }),
            (
                "hash(concat(user_property(\"k\"), payload.a), 4)",
                Needs { user_property: true, payload: true, ..none },
            ),
        ] {
            let expression = KeyExpression::parse(text).expect("legal");
            assert_eq!(expression.needs(), needs, "{text}");
        }
    }
}

//! `users.toml`: users to text and back, and the `users.json` of before. It must not know who reads it when.
//!
//! ```toml
//! version = 1
//! secret = "<base64>"                                    # makes up the keys of users that do not exist
//!
//! [[users]]
//! username = "ada"
//! roles = ["admin"]
//! password = "$argon2id$v=19$…"
//! scram = "SCRAM-SHA-256$16384:<salt>$<stored key>:<server key>"
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use policy::{User, UserError, Users, check_roles, check_username};
use serde::{Deserialize, Serialize};

use crate::password;

const VERSION: u32 = 1;
const HEADER: &str = "# The users of this broker, written by it. `weir users` changes them; who edits this file by hand sends SIGHUP.\n\n";

/// What the file holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct UserFile {
    pub(crate) users: Users,
    /// Makes up what does not exist, see [`policy::ScramKeys::of_nobody`].
    pub(crate) secret: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u32,
    secret: String,
    #[serde(default)]
    users: Vec<RawUser>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUser {
    username: String,
    #[serde(default)]
    roles: Vec<String>,
    password: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scram: Option<String>,
}

/// `users.json`, which the first versions wrote.
#[derive(Deserialize)]
struct RawJson {
    version: u32,
    users: Vec<RawUser>,
}

/// What a parser says, but for the texts that it quotes from the file: one may be a secret in the wrong place.
fn without_values(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}\"…{}", &message[..first], &message[last..])
        }
        _ => message.to_owned(),
    }
}

impl UserFile {
    pub(crate) fn to_text(&self) -> String {
        let raw = |user: &std::sync::Arc<User>| RawUser {
            username: user.username().to_owned(),
            roles: user.identity.roles.iter().map(|role| String::from(&**role)).collect(),
            password: user.password.to_string(),
            scram: user.scram.as_ref().map(ToString::to_string),
        };
        let users = self.users.iter().map(raw).collect();
        let raw = Raw { version: VERSION, secret: STANDARD.encode(self.secret), users };
        format!("{HEADER}{}", toml::to_string(&raw).expect("plain data is TOML"))
    }

    /// Reads a file; what is wrong with it is said without its secrets.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line}: {}", without_values(error.message()))
        })?;
        if raw.version != VERSION {
            return Err(format!("it has version {}, this program knows {VERSION}", raw.version));
        }
        let secret = STANDARD.decode(&raw.secret).ok().and_then(|secret| secret.try_into().ok());
        let secret = secret.ok_or("secret: is not 32 bytes in base64")?;
        Ok(Self { users: users(raw.users)?, secret })
    }

    /// Reads the `users.json` of before.
    pub(crate) fn parse_json(text: &str, secret: [u8; 32]) -> Result<Self, String> {
        let raw: RawJson = serde_json::from_str(text)
            .map_err(|error| format!("line {}: no file of users", error.line()))?;
        if raw.version != VERSION {
            return Err(format!("it has version {}, this program knows {VERSION}", raw.version));
        }
        Ok(Self { users: users(raw.users)?, secret })
    }
}

fn users(raw: Vec<RawUser>) -> Result<Users, String> {
    let mut users = Users::default();
    for raw in raw {
        let named = |error: String| format!("user '{}': {error}", raw.username.escape_debug());
        let check = || -> Result<(), UserError> {
            check_username(&raw.username)?;
            check_roles(&raw.roles)
        };
        check().map_err(|error| named(error.to_string()))?;
        password::check(&raw.password).map_err(named)?;
        let scram = raw.scram.as_deref().map(str::parse).transpose().map_err(named)?;
        let user = User::new(&raw.username, &raw.roles, raw.password.as_str().into(), scram);
        users = users.with(user, usize::MAX).map_err(|error| error.to_string())?;
    }
    Ok(users)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use policy::ScramKeys;

    use super::*;

    fn file() -> UserFile {
        let keys = ScramKeys::of(b"secret", b"salt", 4_096);
        let roles = ["admin".to_owned()];
        let users = Users::default()
            .with(User::new("admin", &roles, password::NOBODY.into(), None), 9)
            .and_then(|users| {
                users.with(User::new("ä=,b", &[], password::NOBODY.into(), Some(keys)), 9)
            });
        UserFile { users: users.expect("two users"), secret: [7; 32] }
    }

    #[test]
    fn users_come_back_from_their_text() {
        let text = file().to_text();
        assert_eq!(UserFile::parse(&text), Ok(file()));
        let none = format!("version = 1\nsecret = \"{}\"\n", STANDARD.encode([7; 32]));
        assert!(UserFile::parse(&none).expect("nobody yet").users.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_without_secrets() {
        let good = file().to_text();
        for (from, to, expected) in [
            ("version = 1", "version = 2", "version 2"),
            ("username = \"admin\"", "username = ", "line 7"),
            ("username = \"admin\"", "name = \"admin\"", "unknown field `name`"),
            ("username = \"admin\"", "username = \"ä=,b\"", "user 'ä=,b' exists already"),
            ("username = \"admin\"", "username = \"\"", "username: is empty"),
            ("[\"admin\"]", "[\"a b\"]", "user 'admin': roles: 'a b'"),
            ("$argon2id$", "argon2id$", "user 'admin': no password hash"),
            ("SCRAM-SHA-256$", "SCRAM-SHA-1$", "user 'ä=,b': no keys"),
            ("secret = \"", "secret = \"x", "secret: is not 32 bytes"),
        ] {
            let error = UserFile::parse(&good.replacen(from, to, 1)).expect_err(to);
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("AAAA"), "{error}");
        }
    }

    #[test]
    fn the_file_of_before_is_understood() {
        let json = format!(
            r#"{{"version":1,"users":[{{"username":"admin","password":"{}","roles":["admin"]}}]}}"#,
            password::NOBODY
        );
        let file = UserFile::parse_json(&json, [1; 32]).expect("legal");
        assert!(file.users.get("admin").expect("is there").is_admin());
        for bad in ["{", r#"{"version":2,"users":[]}"#, r#"{"version":1,"users":[{}]}"#] {
            assert!(UserFile::parse_json(bad, [1; 32]).is_err(), "{bad}");
        }
    }
}

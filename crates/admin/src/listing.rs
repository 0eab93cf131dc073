//! What lists of every resource share: their query, their cursor, and names in paths.

use admin_api::{Page, PageRequest};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::failure::Failure;
use crate::secret::{hex, unhex};

/// The query of a list. Texts, so that a wrong value is refused with the field named.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// How many at most; 100 if not given.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1_000)]
    pub limit: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$")]
    pub cursor: Option<String>,
}

/// A query that was understood.
pub fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Failure> {
    let query = query.map_err(|rejection| Failure::field("query", rejection.body_text()));
    query.map(|Query(query)| query)
}

/// The part of a list that was asked for.
pub fn page<T>(
    list_query: Result<Query<ListQuery>, QueryRejection>,
    list: Vec<T>,
    key: impl Fn(&T) -> &str,
) -> Result<Page<T>, Failure> {
    let ListQuery { limit, cursor } = query(list_query)?;
    Ok(with_cursor(page_request(limit, cursor)?.cut(list, key)?))
}

/// The page with its `next` as clients give it back.
pub fn with_cursor<T>(page: Page<T>) -> Page<T> {
    Page { next: page.next.map(|name| hex(name.as_bytes())), ..page }
}

/// Which part of a list is asked for.
pub fn page_request(limit: Option<String>, cursor: Option<String>) -> Result<PageRequest, Failure> {
    let limit = match limit {
        Some(text) => Some(
            text.parse()
                .map_err(|_| Failure::field("limit", format!("'{text}' is no whole number")))?,
        ),
        None => None,
    };
    // The first page has none before.
    let after = match cursor.filter(|text| !text.is_empty()) {
        Some(text) => {
            let name = unhex(&text).and_then(|bytes| String::from_utf8(bytes).ok());
            Some(
                name.ok_or_else(|| Failure::field("cursor", "is not the `next` of a page before"))?,
            )
        }
        None => None,
    };
    Ok(PageRequest { limit, after })
}

/// The one name in a path, called `name`.
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        name("name", Path::from_request_parts(parts, state).await).map(Self)
    }
}

/// A name in a path.
pub fn name(field: &str, name: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    name.map(|Path(name)| name).map_err(|rejection| Failure::field(field, rejection.body_text()))
}

/// A name as one segment of a path: all but unreserved characters are encoded (RFC 3986 §2.3).
pub fn percent_encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte))
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

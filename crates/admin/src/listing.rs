//! What lists of every resource share: their query, their cursor, and names in paths.

use admin_api::{Page, PageRequest};
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::rejection::{PathRejection, QueryRejection};
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
    limit: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$")]
    cursor: Option<String>,
}

/// The part of a list that was asked for.
pub fn page<T>(
    query: Result<Query<ListQuery>, QueryRejection>,
    list: Vec<T>,
    key: impl Fn(&T) -> &str,
) -> Result<Page<T>, Failure> {
    let Query(query) = query.map_err(|rejection| Failure::field("query", rejection.body_text()))?;
    let page = page_request(query)?.cut(list, key)?;
    Ok(Page { next: page.next.map(|name| hex(name.as_bytes())), ..page })
}

fn page_request(query: ListQuery) -> Result<PageRequest, Failure> {
    let limit = match query.limit {
        Some(text) => Some(
            text.parse()
                .map_err(|_| Failure::field("limit", format!("'{text}' is no whole number")))?,
        ),
        None => None,
    };
    let after = match query.cursor {
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

/// The name in a path.
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

//! Lists, a page at a time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ApiError;

/// A part of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The things of this page.
    pub data: Vec<T>,
    /// What to give as `cursor` to get the page behind this one; `null` when there is none.
    pub next: Option<String>,
}

/// Which part of a list is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageRequest {
    /// How many at most.
    pub limit: Option<usize>,
    /// The key of the last thing of the page before.
    pub after: Option<String>,
}

impl PageRequest {
    /// Things on a page when nothing is said.
    pub const LIMIT_DEFAULT: usize = 100;
    /// Things on a page at most.
    pub const LIMIT_MAX: usize = 1_000;

    /// The page's size.
    ///
    /// # Errors
    /// The limit is 0 or above [`Self::LIMIT_MAX`].
    pub fn limit(&self) -> Result<usize, ApiError> {
        match self.limit.unwrap_or(Self::LIMIT_DEFAULT) {
            limit @ 1..=Self::LIMIT_MAX => Ok(limit),
            limit => Err(ApiError::invalid(
                "limit",
                format!("{limit} is not from 1 to {}", Self::LIMIT_MAX),
            )),
        }
    }

    /// Cuts the page out of the whole list, ordered by key. A list that changes between two pages neither repeats
    /// nor skips what stays in it. `next` is the key of the last thing when there are more.
    ///
    /// # Errors
    /// The limit is out of bounds.
    pub fn cut<T>(&self, mut list: Vec<T>, key: impl Fn(&T) -> &str) -> Result<Page<T>, ApiError> {
        let limit = self.limit()?;
        list.sort_by(|a, b| key(a).cmp(key(b)));
        let start = match &self.after {
            Some(after) => list.partition_point(|thing| key(thing) <= after.as_str()),
            None => 0,
        };
        let more = list.len() - start > limit;
        let data: Vec<T> = list.into_iter().skip(start).take(limit).collect();
        let next = if more { data.last().map(|thing| key(thing).to_owned()) } else { None };
        Ok(Page { data, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(limit: Option<usize>, after: Option<&str>) -> Result<Page<&'static str>, ApiError> {
        let request = PageRequest { limit, after: after.map(str::to_owned) };
        request.cut(vec!["d", "a", "c", "b"], |name| name)
    }

    #[test]
    fn pages_follow_each_other_until_the_list_ends() {
        for (limit, after, data, next) in [
            (None, None, vec!["a", "b", "c", "d"], None),
            (Some(3), None, vec!["a", "b", "c"], Some("c")),
            (Some(3), Some("c"), vec!["d"], None),
            (Some(4), None, vec!["a", "b", "c", "d"], None),
            (Some(2), Some("bb"), vec!["c", "d"], None),
            (Some(1), Some("z"), vec![], None),
        ] {
            let page = cut(limit, after).expect("legal limit");
            assert_eq!(page, Page { data, next: next.map(str::to_owned) }, "{limit:?} {after:?}");
        }
    }

    #[test]
    fn a_limit_out_of_bounds_is_refused_by_name() {
        for limit in [0, 1_001] {
            let error = cut(Some(limit), None).expect_err("out of bounds");
            assert_eq!(error.body().details.field.as_deref(), Some("limit"));
        }
    }
}

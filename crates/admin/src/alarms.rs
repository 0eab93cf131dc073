//! `/api/v1/alarms`.

use std::sync::Arc;

use admin_api::{AlarmView, Page};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

use crate::failure::Failure;
use crate::listing::{self, ListQuery};
use crate::openapi::{Refused, Wrong};
use crate::shared::Shared;

/// The alarms that stand.
#[utoipa::path(
    get, path = "/api/v1/alarms", tag = "node", operation_id = "list_alarms",
    params(ListQuery),
    responses((status = 200, body = Page<AlarmView>, description = "A page of alarms."), Refused, Wrong),
)]
pub async fn list(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<AlarmView>>, Failure> {
    let key = |alarm: AlarmView| (format!("{}/{}", alarm.name, alarm.resource), alarm);
    let alarms = shared.backend.alarms().into_iter().map(key).collect();
    let Page { data, next } = listing::page(query, alarms, |(key, _)| key)?;
    Ok(Json(Page { data: data.into_iter().map(|(_, alarm)| alarm).collect(), next }))
}

//! `/api/v1/explain`.

use std::sync::Arc;

use admin_api::{ExplainQuery, Explanation};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

use crate::failure::Failure;
use crate::listing;
use crate::openapi::{Refused, Unknown, Wrong};
use crate::shared::Shared;

/// Why a message goes where it goes, or stays where it is, as far as the broker knows now. Nothing is recorded of what became
/// of each publish: `topic` says what one would come to now, `queue` or `stream` with `offset` what is still known of a message.
#[utoipa::path(
    get, path = "/api/v1/explain", tag = "messages", operation_id = "explain",
    params(ExplainQuery),
    responses(
        (status = 200, body = Explanation, description = "What there is to say.", examples(
            ("a publish" = (value = json!({
                "question": {"topic": "orders/7", "client_id": "shop"},
                "at": "2026-11-24T10:37:00.000Z",
                "verdict": "refused",
                "summary": "a publish to 'orders/7' would be refused (0x97): nobody would get it",
                "reasons": [{
                    "code": "full",
                    "message": "queue 'billing' is full, its max_messages is 1000",
                    "details": {"queue": "billing", "reason_code": 151}
                }],
                "publish": {
                    "topic": "orders/7",
                    "delayed_seconds": null,
                    "reason_code": 151,
                    "policy": {
                        "allowed": true, "rule": null,
                        "message": "there are no rules for topics: who is connected may publish",
                        "username": "ada", "roles": [], "connected": true
                    },
                    "has_retained": false,
                    "may_retain": true,
                    "subscriptions": {"count": 1, "data": [{
                        "client_id": "board", "topic_filter": "orders/#", "qos": 0, "connected": true, "durable": false
                    }]},
                    "groups": {"count": 0, "data": []},
                    "sinks": {"count": 1, "data": [{
                        "kind": "queue", "name": "billing", "topic_filter": "orders/+", "outcome": "refused",
                        "reasons": [{
                            "code": "full",
                            "message": "queue 'billing' is full, its max_messages is 1000",
                            "details": {"queue": "billing", "reason_code": 151}
                        }]
                    }]}
                },
                "alarms": []
            }))),
            ("a message" = (value = json!({
                "question": {"queue": "billing", "offset": 17},
                "at": "2026-11-24T10:37:00.000Z",
                "verdict": "ready",
                "summary": "the message at offset 17 of queue 'billing' is ready and not delivered: the message at offset 12, of the same key, is unsettled",
                "reasons": [{
                    "code": "key_busy",
                    "message": "the message at offset 12, of the same key, is unsettled",
                    "details": {"queue": "billing", "client_id": "worker-3", "offset": 12, "count": 1}
                }],
                "message": {
                    "offset": 17, "attempts": 0, "publish_ts": "2026-11-24T10:36:58.000Z",
                    "expires": "2026-12-01T10:36:58.000Z", "topic": "orders/7", "qos": 1, "payload_bytes": 42,
                    "key": "orders/7"
                },
                "source": {
                    "kind": "queue", "name": "billing", "topic_filter": "orders/+", "earliest_offset": 12,
                    "next_offset": 18, "first_since": null,
                    "counts": {"consumers": 1, "delayed": 0, "in_flight": 1, "ready": 5},
                    "left_as": {"settled": 12}
                },
                "consumers": [{
                    "client_id": "worker-3", "address": "$queue/billing", "qos": 1, "in_flight": 1, "credit": 31,
                    "resting": false, "since": "2026-11-24T08:00:00.000Z"
                }],
                "alarms": []
            }))),
        )),
        Refused, Wrong, Unknown,
    ),
)]
pub async fn explain(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Result<Json<Explanation>, Failure> {
    let request = listing::query(query)?.request()?;
    Ok(Json(shared.backend.explain(request).await?))
}

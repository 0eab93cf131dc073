//! `/api/v1/backup`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use admin_api::{BackupDownload, ESTIMATED_BYTES, Pieces};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;

use crate::failure::Failure;
use crate::openapi::{Refused, Taken};
use crate::shared::Shared;
use crate::sign_in::Identity;

/// A backup of this node, with all that was acknowledged before: a tar file for `weir restore`. The broker goes on meanwhile.
#[utoipa::path(
    get, path = "/api/v1/backup", tag = "node", operation_id = "backup",
    responses(
        (
            status = 200, body = Vec<u8>, content_type = "application/x-tar",
            description = "The backup. One whose connection ends early is none: its last file, `manifest.sha256`, is missing.",
            headers(("x-weir-estimated-bytes" = u64, description = "About how many bytes it will have.")),
        ),
        Refused, Taken,
    ),
)]
pub async fn download(
    State(shared): State<Arc<Shared>>,
    Extension(Identity(by)): Extension<Identity>,
) -> Result<Response, Failure> {
    let BackupDownload { estimated_bytes, pieces } = shared.backend.backup().await?;
    tracing::info!(estimated_bytes, %by, "a backup begins");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar")),
        (HeaderName::from_static(ESTIMATED_BYTES), HeaderValue::from(estimated_bytes)),
    ];
    Ok((headers, Body::new(PiecesBody(pieces))).into_response())
}

/// The pieces as a body. An error ends the connection before the body's end.
struct PiecesBody(Box<dyn Pieces>);

impl hyper::body::Body for PiecesBody {
    type Data = Bytes;
    type Error = String;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, String>>> {
        let piece = ready!(self.0.poll_next(context));
        Poll::Ready(piece.map(|piece| Ok(Frame::data(Bytes::from(piece?)))))
    }
}

//! Answers that come by callback, waited for.

use std::time::Duration;

use admin_api::ApiError;
use tokio::sync::oneshot;

/// When a client may ask again while the log takes nothing.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Waits for the answer to a request that was given a callback.
pub(crate) async fn answer<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(T) + Send>),
) -> Result<T, ApiError> {
    let (sender, receiver) = oneshot::channel();
    // A client that does not wait for the answer drops the receiver.
    ask(Box::new(move |result| drop(sender.send(result))));
    receiver.await.map_err(|_| ApiError::Unavailable {
        message: "the broker is shutting down".to_owned(),
        retry_after: RETRY_AFTER,
    })
}

mod fuzz;
mod no_streams;

use std::net::SocketAddr;

use admin_api::{
    AlarmView, ApiError, Backend, BackupDownload, BoxFuture, ClientView, ConsumerView, DelayedView,
    ExplainRequest, Explanation, Health, MessageSpec, NodeMetrics, Page, PageRequest, PeekRequest,
    PublishOutcome, PurgeBody, PurgeResult, QueueMessageView, QueuePatch, QueueSpec, QueueView,
    RedriveBody, RedriveResult, RetainedView, Seek, SeekResult, SubscriptionView,
    SubscriptionsWanted,
};
use axum::Extension;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::*;
use crate::access::Peer;
use crate::sign_in::SignIn;
use crate::{AdminToken, Config};

/// Has numbers and nothing else.
struct Numbers;

fn refused<T: Send + 'static>() -> BoxFuture<'static, Result<T, ApiError>> {
    Box::pin(std::future::ready(Err(ApiError::no_queue("any"))))
}

impl Backend for Numbers {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueView>, ApiError>> {
        refused()
    }

    fn queue(&self, _: String) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        refused()
    }

    fn create_queue(&self, _: QueueSpec) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        refused()
    }

    fn patch_queue(&self, _: String, _: QueuePatch) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        refused()
    }

    fn delete_queue(&self, _: String) -> BoxFuture<'_, Result<(), ApiError>> {
        refused()
    }

    fn peek_queue(
        &self,
        _: String,
        _: PeekRequest,
    ) -> BoxFuture<'_, Result<Page<QueueMessageView>, ApiError>> {
        refused()
    }

    fn purge_queue(&self, _: String, _: PurgeBody) -> BoxFuture<'_, Result<PurgeResult, ApiError>> {
        refused()
    }

    fn redrive_queue(
        &self,
        _: String,
        _: RedriveBody,
    ) -> BoxFuture<'_, Result<RedriveResult, ApiError>> {
        refused()
    }

    fn seek_queue(&self, _: String, _: Seek) -> BoxFuture<'_, Result<SeekResult, ApiError>> {
        refused()
    }

    fn set_queue_paused(&self, _: String, _: bool) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        refused()
    }

    fn queue_consumers(
        &self,
        _: String,
        _: PageRequest,
    ) -> BoxFuture<'_, Result<Page<ConsumerView>, ApiError>> {
        refused()
    }

    fn delayed(&self, _: PageRequest) -> BoxFuture<'_, Result<Page<DelayedView>, ApiError>> {
        refused()
    }

    fn cancel_delayed(&self, _: String) -> BoxFuture<'_, Result<(), ApiError>> {
        refused()
    }

    fn retained(
        &self,
        _: PageRequest,
        _: String,
    ) -> BoxFuture<'_, Result<Page<RetainedView>, ApiError>> {
        refused()
    }

    fn remove_retained(&self, _: String) -> BoxFuture<'_, Result<u64, ApiError>> {
        refused()
    }

    fn clients(
        &self,
        _: PageRequest,
        _: Option<bool>,
    ) -> BoxFuture<'_, Result<Page<ClientView>, ApiError>> {
        refused()
    }

    fn client(&self, _: String) -> BoxFuture<'_, Result<ClientView, ApiError>> {
        refused()
    }

    fn end_client(&self, _: String, _: bool) -> BoxFuture<'_, Result<(), ApiError>> {
        refused()
    }

    fn subscriptions(
        &self,
        _: PageRequest,
        _: SubscriptionsWanted,
    ) -> BoxFuture<'_, Result<Page<SubscriptionView>, ApiError>> {
        refused()
    }

    fn publish(&self, _: Vec<MessageSpec>) -> BoxFuture<'_, Result<Vec<PublishOutcome>, ApiError>> {
        refused()
    }

    fn backup(&self) -> BoxFuture<'_, Result<BackupDownload, ApiError>> {
        refused()
    }

    fn explain(&self, _: ExplainRequest) -> BoxFuture<'_, Result<Explanation, ApiError>> {
        refused()
    }

    fn alarms(&self) -> Vec<AlarmView> {
        Vec::new()
    }

    fn health(&self) -> Health {
        Health::default()
    }

    fn metrics(&self) -> BoxFuture<'_, Result<NodeMetrics, ApiError>> {
        Box::pin(std::future::ready(Ok(NodeMetrics::default())))
    }
}

#[test]
fn metrics_need_a_sign_in_from_elsewhere_and_health_does_not() {
    let data_dir = tempfile::tempdir().expect("temporary directory");
    let (store, _) = policy_backends::UserStore::open(data_dir.path(), 4_096).expect("created");
    let users = policy_backends::SignIn::start(policy_backends::Config::default(), store);
    let admin_token = AdminToken::load_or_create(data_dir.path()).expect("created");
    let token = std::fs::read_to_string(data_dir.path().join("admin.token")).expect("made");
    let config = Config::new(([127, 0, 0, 1], 0).into(), "1");
    let sign_in = SignIn::new(admin_token, users.expect("threads"), config.token_lifetime, 10);
    let sign_in = Arc::new(sign_in);
    let routes = routes(Arc::new(Shared { config, sign_in, backend: Arc::new(Numbers) }));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    for (peer, path, authorization, expected) in [
        ("127.0.0.1:1", "/metrics", "", StatusCode::OK),
        ("10.0.0.1:1", "/metrics", "", StatusCode::UNAUTHORIZED),
        ("10.0.0.1:1", "/metrics", "Bearer nonsense", StatusCode::UNAUTHORIZED),
        ("10.0.0.1:1", "/metrics", &format!("Bearer {}", token.trim()), StatusCode::OK),
        ("10.0.0.1:1", "/healthz", "", StatusCode::OK),
        ("10.0.0.1:1", "/readyz", "", StatusCode::SERVICE_UNAVAILABLE),
        ("127.0.0.1:1", "/api/v1/queues", "", StatusCode::UNAUTHORIZED),
    ] {
        let peer: SocketAddr = peer.parse().expect("an address");
        let service = TowerToHyperService::new(routes.clone().layer(Extension(Peer(peer))));
        let request = Request::get(path).header("authorization", authorization);
        let request = request.body(Body::empty()).expect("a request");
        let response = runtime.block_on(service.call(request)).expect("an answer");
        assert_eq!(response.status(), expected, "{path} from {peer}");
    }
}

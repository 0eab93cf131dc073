//! A backend that keeps queues in a map and has only some of the properties.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use admin_api::{
    AlarmView, ApiError, Backend, BoxFuture, Health, NodeMetrics, QueueMetrics, QueuePatch,
    QueueProperties, QueueSpec, QueueStats, QueueView,
};

const SUPPORTED: &[&str] =
    &["max_inflight", "ack_timeout", "retry_delay", "retry_delay_max", "paused"];

#[derive(Default)]
pub struct FakeBackend {
    pub queues: Mutex<BTreeMap<String, QueueView>>,
    pub alarms: Mutex<Vec<AlarmView>>,
    pub health: Mutex<Health>,
    /// Set when every request shall be refused for a while.
    pub overloaded: Mutex<bool>,
    /// Set when the metrics shall never come.
    pub stuck: Mutex<bool>,
}

fn answer<T: Send + 'static>(value: T) -> BoxFuture<'static, T> {
    Box::pin(std::future::ready(value))
}

impl FakeBackend {
    fn create(&self, spec: &QueueSpec) -> Result<QueueView, ApiError> {
        let properties = spec.properties(&QueueProperties::default())?;
        properties.refuse_unsupported(SUPPORTED)?;
        let mut queues = self.queues.lock().expect("not poisoned");
        if queues.contains_key(spec.name()) {
            return Err(ApiError::Conflict { message: format!("queue '{}' exists", spec.name()) });
        }
        let view = QueueView {
            name: spec.name().to_owned(),
            topic_filter: spec.topic_filter().map(str::to_owned),
            properties,
            stats: QueueStats { enqueued: 5, ready: 5, lag_ms: 1_500, ..QueueStats::default() },
        };
        queues.insert(view.name.clone(), view.clone());
        Ok(view)
    }

    fn patch(&self, name: String, patch: &QueuePatch) -> Result<QueueView, ApiError> {
        let mut queues = self.queues.lock().expect("not poisoned");
        let view = queues.get_mut(&name).ok_or_else(|| ApiError::no_queue(name))?;
        let properties = patch.properties(&view.properties)?;
        properties.refuse_unsupported(SUPPORTED)?;
        view.properties = properties;
        Ok(view.clone())
    }
}

impl Backend for FakeBackend {
    fn queues(&self) -> BoxFuture<'_, Result<Vec<QueueView>, ApiError>> {
        if *self.overloaded.lock().expect("not poisoned") {
            let retry_after = Duration::from_millis(1_200);
            return answer(Err(ApiError::Unavailable {
                message: "the log is full".to_owned(),
                retry_after,
            }));
        }
        answer(Ok(self.queues.lock().expect("not poisoned").values().cloned().collect()))
    }

    fn queue(&self, name: String) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        let view = self.queues.lock().expect("not poisoned").get(&name).cloned();
        answer(view.ok_or_else(|| ApiError::no_queue(name)))
    }

    fn create_queue(&self, spec: QueueSpec) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        answer(self.create(&spec))
    }

    fn patch_queue(
        &self,
        name: String,
        patch: QueuePatch,
    ) -> BoxFuture<'_, Result<QueueView, ApiError>> {
        answer(self.patch(name, &patch))
    }

    fn delete_queue(&self, name: String) -> BoxFuture<'_, Result<(), ApiError>> {
        let removed = self.queues.lock().expect("not poisoned").remove(&name);
        answer(removed.map(|_| ()).ok_or_else(|| ApiError::no_queue(name)))
    }

    fn alarms(&self) -> Vec<AlarmView> {
        self.alarms.lock().expect("not poisoned").clone()
    }

    fn health(&self) -> Health {
        self.health.lock().expect("not poisoned").clone()
    }

    fn metrics(&self) -> BoxFuture<'_, Result<NodeMetrics, ApiError>> {
        if *self.stuck.lock().expect("not poisoned") {
            return Box::pin(std::future::pending());
        }
        let queues = self.queues.lock().expect("not poisoned");
        let queues = queues
            .values()
            .map(|view| QueueMetrics { name: view.name.clone(), stats: view.stats })
            .collect();
        answer(Ok(NodeMetrics { connections: 3, queues, ..NodeMetrics::default() }))
    }
}

//! Why a message goes where it goes: the operator's question put to the broker, in steps, and its answer in words.

mod client;
mod dead_letters;
mod publish;
mod reasons;
mod sinks;
mod stored;

use std::time::{SystemTime, UNIX_EPOCH};

use admin_api::{
    AlarmView, ApiError, ExplainAbout, ExplainRequest, Explanation, Timestamp, Verdict,
};
use broker::Handle;
use stdx::UnixMillis;

/// Things of each kind that are listed.
const LIST_MAX: usize = 100;

/// Answers a question.
pub(crate) async fn explain(
    handle: &Handle,
    alarms: Vec<AlarmView>,
    request: ExplainRequest,
) -> Result<Explanation, ApiError> {
    let since = request.since;
    let is_meant = |alarm: &AlarmView| since.is_none_or(|since| alarm.since >= since);
    let empty = Explanation {
        question: request.question(),
        at: Timestamp(now()),
        verdict: Verdict::NoTakers,
        summary: String::new(),
        reasons: Vec::new(),
        publish: None,
        message: None,
        source: None,
        client: None,
        consumers: Vec::new(),
        readers: Vec::new(),
        subscriptions: Vec::new(),
        alarms: alarms.into_iter().filter(is_meant).collect(),
    };
    match request.about {
        ExplainAbout::Publish { topic, client_id, only } => {
            publish::explain(handle, empty, publish::Question { topic, client_id, only }).await
        }
        ExplainAbout::Source(source, offset) => {
            stored::explain(handle, empty, &source, (offset, since)).await
        }
        ExplainAbout::Client(client_id) => client::explain(handle, empty, client_id).await,
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Keeps the alarms that are about these things, or about what concerns all messages.
fn keep_alarms(explanation: &mut Explanation, resources: &[String]) {
    const OF_ALL: [&str; 3] = [broker::DISK_FULL, broker::LOG_FAILED, broker::MEMORY];
    explanation
        .alarms
        .retain(|alarm| OF_ALL.contains(&&*alarm.name) || resources.contains(&alarm.resource));
}

/// One thing, or several.
fn count_of(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

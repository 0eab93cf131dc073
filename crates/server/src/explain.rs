//! Why a message goes where it goes: the operator's question put to the broker, in steps, and its answer in words.

mod client;
mod dead_letters;
mod publish;
mod reasons;
mod sinks;
mod stored;

use std::time::{SystemTime, UNIX_EPOCH};

use admin_api::{
    AlarmView, ApiError, ExplainAbout, ExplainQuestion, ExplainRequest, Explanation, Timestamp,
    Verdict,
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
    let empty = empty(request.question(), alarms);
    let since = request.since;
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

/// An answer that says nothing yet.
fn empty(question: ExplainQuestion, alarms: Vec<AlarmView>) -> Explanation {
    Explanation {
        question,
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
        alarms,
    }
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Keeps the alarms that are about these things, or about what concerns all messages, and were raised since the time that
/// was asked for.
fn keep_alarms(explanation: &mut Explanation, resources: &[String]) {
    const OF_ALL: [&str; 3] = [broker::DISK_FULL, broker::LOG_FAILED, broker::MEMORY];
    let since = explanation.question.since;
    explanation.alarms.retain(|alarm| {
        let is_about = OF_ALL.contains(&&*alarm.name) || resources.contains(&alarm.resource);
        is_about && since.is_none_or(|since| alarm.since >= since)
    });
}

/// One thing, or several.
fn count_of(count: u64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_about_what_was_asked_and_since_then() {
        let alarm = |name: &str, resource: &str, since: u64| AlarmView {
            name: name.to_owned(),
            resource: resource.to_owned(),
            since: Timestamp(UnixMillis(since)),
            reason: String::new(),
        };
        let kept = |since: Option<u64>| {
            let since = since.map(|since| Timestamp(UnixMillis(since)));
            let question = ExplainQuestion { since, ..ExplainQuestion::default() };
            let alarms = vec![
                alarm(broker::DISK_FULL, "log", 5),
                alarm(broker::QUEUE_STALLED, "jobs", 6),
                alarm(broker::QUEUE_STALLED, "other", 7),
                alarm(broker::STREAM_STALLED, "stream:jobs", 7),
                alarm(broker::LEDGER_IMBALANCE, "jobs", 7),
            ];
            let mut explanation = empty(question, alarms);
            keep_alarms(&mut explanation, &["jobs".to_owned()]);
            explanation.alarms.into_iter().map(|alarm| alarm.name).collect::<Vec<_>>()
        };
        assert_eq!(kept(None), ["disk_full", "queue_stalled", "ledger_imbalance"]);
        assert_eq!(kept(Some(6)), ["queue_stalled", "ledger_imbalance"]);
        assert_eq!(kept(Some(8)), Vec::<String>::new());
    }
}

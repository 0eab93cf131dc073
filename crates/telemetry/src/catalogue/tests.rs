use std::collections::HashSet;

use super::*;

#[test]
fn names_follow_the_rule() {
    let mut seen = HashSet::new();
    for metric in Metric::ALL {
        let name = metric.name();
        assert!(seen.insert(name), "{name} is there twice");
        assert!(name.starts_with("weir_"), "{name}");
        assert!(
            name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')),
            "{name}"
        );
        assert!(!name.contains("__") && !name.ends_with('_'), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind() == MetricKind::Counter, "{name}");
        assert!(
            matches!(
                metric.label(),
                None | Some(
                    "queue" | "stream" | "version" | "listener" | "reason" | "result" | "name"
                )
            ),
            "{name}: labels are bounded"
        );
        assert!(
            !metric.help().is_empty() && !metric.help().ends_with('.'),
            "{name}: {}",
            metric.help()
        );
        for unit in ["_ms", "_millis", "_kib", "_mib", "_seconds_total", "_percent"] {
            assert!(!name.contains(unit), "{name} is not in a base unit");
        }
    }
}

#[test]
fn every_name_of_the_contract_is_there() {
    let names: HashSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    for counter in [
        "enqueued",
        "settled",
        "expired",
        "dropped",
        "replaced",
        "dead_lettered",
        "purged",
        "redelivered",
    ] {
        assert!(names.contains(format!("weir_queue_{counter}_total").as_str()), "{counter}");
    }
    for gauge in
        ["ready", "in_flight", "delayed", "bytes", "consumers", "oldest_age_seconds", "lag_seconds"]
    {
        assert!(names.contains(format!("weir_queue_{gauge}").as_str()), "{gauge}");
    }
    for counter in ["appended", "expired", "dropped", "replaced", "purged"] {
        assert!(names.contains(format!("weir_stream_{counter}_total").as_str()), "{counter}");
    }
    for gauge in ["kept", "bytes", "readers", "reader_lag", "oldest_age_seconds"] {
        assert!(names.contains(format!("weir_stream_{gauge}").as_str()), "{gauge}");
    }
}

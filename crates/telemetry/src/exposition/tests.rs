use super::*;

#[test]
fn a_page_is_plain_prometheus_text() {
    let mut page = Exposition::new();
    page.value(Metric::Connections, 3);
    page.labelled(Metric::QueueEnqueued, [("billing", 7), ("a\"b\\c\nd", 0)]);
    page.labelled_seconds(Metric::QueueLag, [("sensor/+/data", 61_005)]);
    page.labelled(Metric::QueueReady, []);
    let expected = concat!(
        "# HELP weir_mqtt_connections Connections past CONNECT.\n",
        "# TYPE weir_mqtt_connections gauge\n",
        "weir_mqtt_connections 3\n",
        "# HELP weir_queue_enqueued_total Messages stored in the queue.\n",
        "# TYPE weir_queue_enqueued_total counter\n",
        "weir_queue_enqueued_total{queue=\"billing\"} 7\n",
        "weir_queue_enqueued_total{queue=\"a\\\"b\\\\c\\nd\"} 0\n",
        "# HELP weir_queue_lag_seconds How long the message that is next could have been delivered and was not.\n",
        "# TYPE weir_queue_lag_seconds gauge\n",
        "weir_queue_lag_seconds{queue=\"sensor/+/data\"} 61.005\n",
    );
    assert_eq!(page.finish(), expected);
}

use ProtocolVersion::{V3_1, V3_1_1, V5};

use super::*;

fn connack(request: &ConnectRequest<'_>, limits: &ServerLimits) -> Vec<String> {
    let negotiated = negotiate(request, limits, Some("assigned")).expect("acceptable");
    negotiated.connack_properties().map(|property| format!("{property:?}")).collect()
}

/// Limits under which a 5.0 CONNACK has nothing to say.
fn silent() -> ServerLimits {
    ServerLimits {
        receive_maximum: u16::MAX,
        topic_alias_maximum: 0,
        maximum_packet_size: u32::MAX,
        ..ServerLimits::default()
    }
}

#[test]
fn client_ids_are_given_assigned_or_rejected() {
    let rejected = |code| Err((ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, Some(code)));
    let long = "x".repeat(24);
    for (version, client_id, clean, expected) in [
        (V5, "", true, Ok(("assigned", true))),     // [MQTT-3.1.3-6]
        (V5, "", false, Ok(("assigned", true))),    // [MQTT-3.1.3-7]
        (V3_1_1, "", true, Ok(("assigned", true))), // [MQTT311-3.1.3-6]
        (V3_1_1, "", false, rejected(0x02)),        // [MQTT311-3.1.3-8]
        (V3_1, "", true, rejected(0x02)),           // [MQTT31-3]
        (V3_1, &long, true, Ok((long.as_str(), false))), // [MQTT31-4]
        (V5, "given", true, Ok(("given", false))),
    ] {
        let request = ConnectRequest::new(version, client_id, clean);
        let outcome = negotiate(&request, &ServerLimits::default(), Some("assigned"));
        let outcome = outcome.map(|n| (n.client_id.to_string(), n.client_id_assigned));
        let expected = expected.map(|(id, assigned)| (id.to_owned(), assigned));
        assert_eq!(
            outcome.map_err(|refusal| (refusal.reason, refusal.connack_code)),
            expected,
            "{version:?} {clean}"
        );
    }
    let limits = ServerLimits { client_id_bytes_max: 23, ..ServerLimits::default() };
    // [MQTT-3.1.3-8] [MQTT311-3.1.3-9]: longer than the server takes.
    for (version, code) in [(V5, 0x85), (V3_1_1, 0x02), (V3_1, 0x02)] {
        let refusal = negotiate(&ConnectRequest::new(version, &long, true), &limits, None);
        let refusal = refusal.expect_err("too long");
        assert_eq!(refusal.connack_code, Some(code), "{version:?}");
    }
    assert!(
        negotiate(&ConnectRequest::new(V5, "", true), &limits, None).is_err(),
        "none to assign"
    );
}

#[test]
fn session_expiry_by_version_clean_start_and_limit() {
    for (version, clean, asked, max, expected, told) in [
        (V5, true, 0, u32::MAX, 0, None),
        (V5, false, 60, u32::MAX, 60, None),
        (V5, true, 60, 30, 30, Some(30)), // §3.2.2.3.2: the server says what it uses instead
        (V5, false, u32::MAX, 30, 30, Some(30)),
        (V3_1_1, true, 0, 30, 0, None),
        (V3_1_1, false, 0, 30, 30, None),
        (V3_1, false, 0, u32::MAX, u32::MAX, None),
    ] {
        let mut request = ConnectRequest::new(version, "c", clean);
        request.session_expiry_interval = asked;
        let limits = ServerLimits { session_expiry_max: max, ..silent() };
        let negotiated = negotiate(&request, &limits, None).expect("acceptable");
        assert_eq!(negotiated.session_expiry_interval, expected);
        let properties: Vec<_> = negotiated.connack_properties().collect();
        assert_eq!(
            properties,
            told.map(Property::SessionExpiryInterval).into_iter().collect::<Vec<_>>()
        );
    }
}

#[test]
fn connack_says_only_what_differs() {
    let mut request = ConnectRequest::new(V5, "c", true);
    assert_eq!(connack(&request, &silent()), [""; 0]);
    assert_eq!(
        connack(&request, &ServerLimits::default()),
        ["ReceiveMaximum(1024)", "MaximumPacketSize(16777216)", "TopicAliasMaximum(32)"]
    );
    let strict = ServerLimits {
        maximum_qos: QoS::AtLeastOnce,
        retain_available: false,
        keep_alive_max: Some(60),
        response_information: Some("reply/".into()),
        ..silent()
    };
    // [MQTT-3.2.2-9]
    let always = ["MaximumQoS(1)", "RetainAvailable(0)"];
    assert_eq!(connack(&request, &strict), [always[0], always[1], "ServerKeepAlive(60)"]);
    request.keep_alive = 60;
    request.client_id = "";
    request.request_response_information = true; // [MQTT-3.1.2-28]
    let assigned = "AssignedClientIdentifier(\"assigned\")"; // [MQTT-3.2.2-16]
    let response = "ResponseInformation(\"reply/\")";
    assert_eq!(connack(&request, &strict), [always[0], always[1], assigned, response]);
    request.version = V3_1_1;
    assert_eq!(connack(&request, &strict), [""; 0], "no properties before 5.0");
}

#[test]
fn response_information_bears_the_client_id_if_that_makes_a_topic() {
    for (template, client_id, told) in [
        ("reply/${client_id}", "c", Some("ResponseInformation(\"reply/c\")")),
        ("${client_id}/in/${client_id}", "a/b", Some("ResponseInformation(\"a/b/in/a/b\")")),
        ("reply", "c", Some("ResponseInformation(\"reply\")")),
        ("reply/${client_id}", "c/#", None),
        ("reply/${client_id}", "+", None),
    ] {
        let mut request = ConnectRequest::new(V5, client_id, true);
        request.request_response_information = true;
        let limits = ServerLimits { response_information: Some(template.into()), ..silent() };
        assert_eq!(connack(&request, &limits), told.into_iter().collect::<Vec<_>>(), "{client_id}");
    }
}

#[test]
fn keep_alive_is_bounded_only_where_the_client_can_be_told() {
    for (version, asked, max, expected) in [
        (V5, 0, None, 0),
        (V5, 0, Some(60), 60), // [MQTT-3.1.2-21]
        (V5, 61, Some(60), 60),
        (V5, 59, Some(60), 59),
        (V3_1_1, 61, Some(60), 61),
        (V3_1_1, 0, Some(60), 0),
    ] {
        let mut request = ConnectRequest::new(version, "c", true);
        request.keep_alive = asked;
        let limits = ServerLimits { keep_alive_max: max, ..ServerLimits::default() };
        assert_eq!(negotiate(&request, &limits, None).expect("acceptable").keep_alive, expected);
    }
}

#[test]
fn what_the_server_does_not_do_is_refused() {
    let will = WillRequest {
        topic: "gone",
        payload: b"",
        qos: QoS::ExactlyOnce,
        retain: true,
        delay_interval: 0,
        message_expiry_interval: None,
        properties: &[],
    };
    let base = ConnectRequest::new(V5, "c", true);
    let limits = ServerLimits {
        maximum_qos: QoS::AtLeastOnce,
        retain_available: false,
        ..ServerLimits::default()
    };
    for (request, reason) in [
        (ConnectRequest { receive_maximum: 0, ..base.clone() }, ReasonCode::PROTOCOL_ERROR),
        (
            ConnectRequest { maximum_packet_size: Some(0), ..base.clone() },
            ReasonCode::PROTOCOL_ERROR,
        ),
        // [MQTT-4.12.0-1]
        (
            ConnectRequest { authentication_method: Some("X"), ..base.clone() },
            ReasonCode::BAD_AUTHENTICATION_METHOD,
        ),
        // [MQTT-3.2.2-12]
        (ConnectRequest { will: Some(will), ..base.clone() }, ReasonCode::QOS_NOT_SUPPORTED),
        // [MQTT-3.2.2-13]
        (
            ConnectRequest {
                will: Some(WillRequest { qos: QoS::AtLeastOnce, ..will }),
                ..base.clone()
            },
            ReasonCode::RETAIN_NOT_SUPPORTED,
        ),
    ] {
        let refusal = negotiate(&request, &limits, None).expect_err("refused");
        assert_eq!((refusal.reason, refusal.connack_code), (reason, Some(reason.0)));
    }
    let will = WillRequest { qos: QoS::AtLeastOnce, retain: false, ..will };
    assert!(negotiate(&ConnectRequest { will: Some(will), ..base }, &limits, None).is_ok());
}

#[test]
fn windows_are_the_lower_of_both_sides() {
    let mut request = ConnectRequest::new(V5, "c", true);
    request.receive_maximum = 10;
    request.topic_alias_maximum = 100;
    let negotiated = negotiate(&request, &ServerLimits::default(), None).expect("acceptable");
    assert_eq!((negotiated.send_window, negotiated.outgoing_topic_aliases), (10, 32));
    assert_eq!((negotiated.receive_maximum, negotiated.topic_alias_maximum), (1024, 32));
    let old = negotiate(&ConnectRequest::new(V3_1_1, "c", true), &ServerLimits::default(), None)
        .expect("acceptable");
    assert_eq!(
        (old.send_window, old.topic_alias_maximum, old.outgoing_topic_aliases),
        (1024, 0, 0)
    );
}

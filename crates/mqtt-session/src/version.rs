//! Where MQTT 3.1, 3.1.1 and 5.0 differ, as functions that return values. It must not hold state.

use mqtt_types::{ProtocolVersion, ReasonCode};

/// The session expiry interval that a CONNECT means, in seconds. Before 5.0 it follows from Clean Session: 1 ends the
/// session with the connection, 0 keeps it as long as the server does.
#[must_use]
pub fn session_expiry(
    version: ProtocolVersion,
    clean_start: bool,
    requested: u32,
    max: u32,
) -> u32 {
    match version {
        ProtocolVersion::V5 => requested.min(max),
        ProtocolVersion::V3_1 | ProtocolVersion::V3_1_1 if clean_start => 0,
        ProtocolVersion::V3_1 | ProtocolVersion::V3_1_1 => max,
    }
}

/// Whether a CONNECT with an empty client id gets one assigned. `[MQTT-3.1.3-6]`, and `[MQTT311-3.1.3-8]`; MQTT
/// 3.1 demands one character at least. (Its upper bound of 23 is not held: too many clients ignore it.)
#[must_use]
pub const fn may_assign_client_id(version: ProtocolVersion, clean_start: bool) -> bool {
    match version {
        ProtocolVersion::V5 => true,
        ProtocolVersion::V3_1_1 => clean_start,
        ProtocolVersion::V3_1 => false,
    }
}

/// The byte CONNACK carries for a refusal. `None`: the version has none that fits, so the connection is closed
/// without a CONNACK (`[MQTT311-3.2.2-6]`).
#[must_use]
pub const fn connack_code(version: ProtocolVersion, reason: ReasonCode) -> Option<u8> {
    if version.is_v5() {
        return Some(reason.0);
    }
    match reason {
        ReasonCode::SUCCESS => Some(0x00),
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => Some(0x01),
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID => Some(0x02),
        ReasonCode::SERVER_UNAVAILABLE
        | ReasonCode::SERVER_BUSY
        | ReasonCode::SERVER_SHUTTING_DOWN
        | ReasonCode::QUOTA_EXCEEDED
        | ReasonCode::USE_ANOTHER_SERVER
        | ReasonCode::SERVER_MOVED
        | ReasonCode::CONNECTION_RATE_EXCEEDED => Some(0x03),
        ReasonCode::BAD_USER_NAME_OR_PASSWORD | ReasonCode::BAD_AUTHENTICATION_METHOD => Some(0x04),
        ReasonCode::NOT_AUTHORIZED | ReasonCode::BANNED => Some(0x05),
        _ => None,
    }
}

/// The byte SUBACK carries: before 5.0 every failure is 0x80 (`[MQTT311-3.9.3-2]`).
#[must_use]
pub const fn suback_code(version: ProtocolVersion, reason: ReasonCode) -> u8 {
    if version.is_v5() || !reason.is_error() { reason.0 } else { 0x80 }
}

/// The reason code that PUBACK or PUBREC carries. `None`: the version has no way to say that the message was not
/// taken, and a plain acknowledgement would be a lie; the client is held or disconnected instead.
#[must_use]
pub const fn publish_ack_reason(
    version: ProtocolVersion,
    reason: ReasonCode,
) -> Option<ReasonCode> {
    match (version.is_v5(), reason.is_error()) {
        (true, _) => Some(reason),
        (false, false) => Some(ReasonCode::SUCCESS),
        (false, true) => None,
    }
}

/// The reason code of the DISCONNECT that a server sends. `None`: before 5.0 only clients
/// send DISCONNECT, a server just closes. A code that DISCONNECT cannot bear becomes 0x80, unspecified error.
#[must_use]
pub const fn disconnect_reason(version: ProtocolVersion, reason: ReasonCode) -> Option<ReasonCode> {
    if !version.is_v5() {
        return None;
    }
    match reason.0 {
        0x00 | 0x80..=0x83 | 0x87 | 0x89 | 0x8B | 0x8D..=0x90 | 0x93..=0xA2 => Some(reason),
        _ => Some(ReasonCode::UNSPECIFIED_ERROR),
    }
}

/// Whether a client that sends more than the server's Receive Maximum is disconnected; before 5.0 it was never told
/// one, so it is only held.
#[must_use]
pub const fn enforces_receive_maximum(version: ProtocolVersion) -> bool {
    version.is_v5()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProtocolVersion::{V3_1, V3_1_1, V5};

    #[test]
    fn connack_codes_by_version() {
        for (reason, v5, v3) in [
            (ReasonCode::SUCCESS, 0x00, Some(0)),
            (ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, 0x84, Some(1)),
            (ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, 0x85, Some(2)),
            (ReasonCode::SERVER_BUSY, 0x89, Some(3)),
            (ReasonCode::BAD_USER_NAME_OR_PASSWORD, 0x86, Some(4)),
            (ReasonCode::NOT_AUTHORIZED, 0x87, Some(5)),
            (ReasonCode::PROTOCOL_ERROR, 0x82, None),
            (ReasonCode::QOS_NOT_SUPPORTED, 0x9B, None),
        ] {
            assert_eq!(connack_code(V5, reason), Some(v5), "{reason}");
            assert_eq!(connack_code(V3_1_1, reason), v3, "{reason}");
            assert_eq!(connack_code(V3_1, reason), v3, "{reason}");
        }
    }

    #[test]
    fn suback_and_publish_acks_by_version() {
        assert_eq!(suback_code(V5, ReasonCode::NOT_AUTHORIZED), 0x87);
        assert_eq!(suback_code(V3_1_1, ReasonCode::NOT_AUTHORIZED), 0x80);
        assert_eq!(suback_code(V3_1, ReasonCode::GRANTED_QOS_2), 0x02);
        let none = ReasonCode::NO_MATCHING_SUBSCRIBERS;
        assert_eq!(publish_ack_reason(V5, none), Some(none));
        assert_eq!(publish_ack_reason(V3_1_1, none), Some(ReasonCode::SUCCESS));
        assert_eq!(
            publish_ack_reason(V5, ReasonCode::QUOTA_EXCEEDED),
            Some(ReasonCode::QUOTA_EXCEEDED)
        );
        assert_eq!(publish_ack_reason(V3_1, ReasonCode::QUOTA_EXCEEDED), None);
    }

    #[test]
    fn only_5_0_hears_why_it_is_disconnected() {
        for version in [V3_1, V3_1_1] {
            assert_eq!(disconnect_reason(version, ReasonCode::SESSION_TAKEN_OVER), None);
        }
        for (reason, sent) in [
            (ReasonCode::SESSION_TAKEN_OVER, ReasonCode::SESSION_TAKEN_OVER),
            (ReasonCode::KEEP_ALIVE_TIMEOUT, ReasonCode::KEEP_ALIVE_TIMEOUT),
            (ReasonCode::TOPIC_ALIAS_INVALID, ReasonCode::TOPIC_ALIAS_INVALID),
            // Codes of other packets, and 0x04, which only a client sends.
            (ReasonCode::PACKET_IDENTIFIER_IN_USE, ReasonCode::UNSPECIFIED_ERROR),
            (ReasonCode::BAD_USER_NAME_OR_PASSWORD, ReasonCode::UNSPECIFIED_ERROR),
            (ReasonCode::DISCONNECT_WITH_WILL, ReasonCode::UNSPECIFIED_ERROR),
        ] {
            assert_eq!(disconnect_reason(V5, reason), Some(sent), "{reason}");
        }
    }

    #[test]
    fn session_expiry_before_5_0_follows_from_clean_session() {
        for (version, clean, requested, max, expected) in [
            (V3_1, true, 77, 500, 0),
            (V3_1_1, true, 77, 500, 0),
            (V3_1_1, false, 0, 500, 500),
            (V3_1_1, false, 0, u32::MAX, u32::MAX),
            (V5, true, 77, 500, 77),
            (V5, false, 0, 500, 0),
            (V5, false, u32::MAX, 500, 500),
        ] {
            assert_eq!(
                session_expiry(version, clean, requested, max),
                expected,
                "{version:?} {clean}"
            );
        }
    }
}

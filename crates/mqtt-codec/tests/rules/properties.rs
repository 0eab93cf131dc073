//! Property blocks (§2.2.2): which packet bears which, how often, with which values.

use mqtt_codec::{Peer, Properties, PropertyBlock, PropertyOwner};
use mqtt_types::{Property, PropertyId};

use crate::verdict::*;

/// Table 2-4 of the specification, property by property, with a legal value of each.
const TABLE: &[(Property<'_>, &[PropertyOwner])] = {
    use PropertyOwner::*;
    &[
        (Property::PayloadFormatIndicator(1), &[Publish, Will]),
        (Property::MessageExpiryInterval(0), &[Publish, Will]),
        (Property::ContentType("t"), &[Publish, Will]),
        (Property::ResponseTopic("r/s"), &[Publish, Will]),
        (Property::CorrelationData(b"\x00\xFF"), &[Publish, Will]),
        (Property::SubscriptionIdentifier(268_435_455), &[Publish, Subscribe]),
        (Property::SessionExpiryInterval(u32::MAX), &[Connect, ConnAck, Disconnect]),
        (Property::AssignedClientIdentifier("c"), &[ConnAck]),
        (Property::ServerKeepAlive(0), &[ConnAck]),
        (Property::AuthenticationMethod("m"), &[Connect, ConnAck, Auth]),
        (Property::AuthenticationData(b"d"), &[Connect, ConnAck, Auth]),
        (Property::RequestProblemInformation(0), &[Connect]),
        (Property::WillDelayInterval(1), &[Will]),
        (Property::RequestResponseInformation(1), &[Connect]),
        (Property::ResponseInformation("i"), &[ConnAck]),
        (Property::ServerReference("s"), &[ConnAck, Disconnect]),
        (Property::ReasonString(""), &[ConnAck, Ack, SubAck, UnsubAck, Disconnect, Auth]),
        (Property::ReceiveMaximum(1), &[Connect, ConnAck]),
        (Property::TopicAliasMaximum(0), &[Connect, ConnAck]),
        (Property::TopicAlias(1), &[Publish]),
        (Property::MaximumQoS(1), &[ConnAck]),
        (Property::RetainAvailable(0), &[ConnAck]),
        (Property::UserProperty("", ""), OWNERS),
        (Property::MaximumPacketSize(1), &[Connect, ConnAck]),
        (Property::WildcardSubscriptionAvailable(1), &[ConnAck]),
        (Property::SubscriptionIdentifierAvailable(0), &[ConnAck]),
        (Property::SharedSubscriptionAvailable(1), &[ConnAck]),
    ]
};

const OWNERS: &[PropertyOwner] = &[
    PropertyOwner::Connect,
    PropertyOwner::Will,
    PropertyOwner::ConnAck,
    PropertyOwner::Publish,
    PropertyOwner::Ack,
    PropertyOwner::Subscribe,
    PropertyOwner::SubAck,
    PropertyOwner::Unsubscribe,
    PropertyOwner::UnsubAck,
    PropertyOwner::Disconnect,
    PropertyOwner::Auth,
];

/// The packet whose server may send every property of it, and whose client may.
fn sender(owner: PropertyOwner) -> Peer {
    if owner == PropertyOwner::Disconnect { Peer::Client } else { Peer::Server }
}

/// A block of the properties, and before them the method that authentication asks for.
fn block(owner: PropertyOwner, properties: &[Property<'_>]) -> PropertyBlock {
    let mut block = PropertyBlock::new();
    let needs = owner == PropertyOwner::Auth
        || properties.iter().any(|property| property.id() == PropertyId::AuthenticationData);
    let has = properties.iter().any(|property| property.id() == PropertyId::AuthenticationMethod);
    if needs && !has {
        block.push(&Property::AuthenticationMethod("m")).expect("short");
    }
    for property in properties {
        block.push(property).expect("short");
    }
    block
}

#[test]
fn each_packet_bears_its_own_properties_only() {
    for (property, owners) in TABLE {
        for &owner in OWNERS {
            let block = block(owner, &[*property]);
            let parsed = Properties::parse(block.properties().raw(), owner, sender(owner));
            if owners.contains(&owner) {
                let found = parsed.map(|properties| properties.find(property.id()));
                assert_eq!(found, Ok(Some(*property)), "{owner:?}");
            } else {
                // Data comes behind a method here, which most packets do not bear either.
                let data = property.id() == PropertyId::AuthenticationData;
                let id = if data { PropertyId::AuthenticationMethod } else { property.id() };
                assert_eq!(parsed, Err(Kind::PropertyNotAllowed(id)), "{owner:?}");
            }
        }
    }
}

#[test]
fn only_user_property_and_the_identifiers_of_publish_repeat() {
    for (property, owners) in TABLE {
        for &owner in *owners {
            let block = block(owner, &[*property, *property]);
            let parsed = Properties::parse(block.properties().raw(), owner, sender(owner));
            let repeats = match property.id() {
                PropertyId::UserProperty => true,
                PropertyId::SubscriptionIdentifier => owner == PropertyOwner::Publish,
                _ => false,
            };
            let expected = if repeats { Ok(()) } else { Err(Kind::PropertyTwice(property.id())) };
            assert_eq!(parsed.map(|_| ()), expected, "{owner:?}");
        }
    }
}

#[test]
fn every_cut_of_a_property_is_refused() {
    for (property, owners) in TABLE {
        let owner = owners[0];
        let block = PropertyBlock::of(&[*property]).expect("short");
        let raw = block.properties().raw();
        for end in 1..raw.len() {
            let parsed = Properties::parse(&raw[..end], owner, Peer::Server);
            assert_eq!(parsed, Err(Kind::Truncated), "{property:?} cut at {end}");
        }
    }
}

#[test]
fn unknown_identifiers_and_values_out_of_range() {
    let connect = PropertyOwner::Connect;
    let value = |id| Kind::PropertyValue(id);
    for (owner, raw, expected) in [
        (connect, &b"\x00"[..], Kind::PropertyUnknown(0)),
        (connect, b"\x04\x00", Kind::PropertyUnknown(4)),
        (connect, b"\x2B\x00", Kind::PropertyUnknown(0x2B)),
        (connect, b"\x7F", Kind::PropertyUnknown(0x7F)),
        (connect, b"\x81\x01", Kind::PropertyUnknown(0x81)),
        (connect, b"\xA1\x00\x00\x01", Kind::VarintNotMinimal),
        (connect, b"\x80", Kind::Truncated),
        (connect, b"\x21\x00\x00", value(PropertyId::ReceiveMaximum)), // §3.1.2.11.3
        (connect, b"\x27\x00\x00\x00\x00", value(PropertyId::MaximumPacketSize)), // §3.1.2.11.4
        (connect, b"\x19\x02", value(PropertyId::RequestResponseInformation)), // §3.1.2.11.6
        (connect, b"\x17\x02", value(PropertyId::RequestProblemInformation)), // §3.1.2.11.7
        (connect, b"\x26\x00\x01k\x00\x01\x00", Kind::StringHasNull),
        (connect, b"\x26\x00\x01\xFF\x00\x01v", Kind::StringNotUtf8),
        (PropertyOwner::Will, b"\x01\x02", value(PropertyId::PayloadFormatIndicator)),
        (PropertyOwner::ConnAck, b"\x28\x02", value(PropertyId::WildcardSubscriptionAvailable)),
        (PropertyOwner::ConnAck, b"\x29\x02", value(PropertyId::SubscriptionIdentifierAvailable)),
        (PropertyOwner::ConnAck, b"\x2A\xFF", value(PropertyId::SharedSubscriptionAvailable)),
    ] {
        assert_eq!(Properties::parse(raw, owner, Peer::Client), Err(expected), "{raw:02X?}");
    }
}

#[test]
fn lookups_find_the_first_and_keep_the_order() {
    let block = PropertyBlock::of(&[
        Property::UserProperty("k", "1"),
        Property::ReasonString("why"),
        Property::UserProperty("j", "2"),
        Property::UserProperty("k", "3"),
    ])
    .expect("short");
    let properties = block.properties();
    let users: Vec<_> = properties.user_properties().collect();
    assert_eq!(users, [("k", "1"), ("j", "2"), ("k", "3")]);
    assert_eq!(properties.user_property("k"), Some("1"));
    assert_eq!(properties.user_property("x"), None);
    assert_eq!(properties.reason_string(), Some("why"));
    assert_eq!(properties.iter().count(), 4);
    assert_eq!(properties.find(PropertyId::TopicAlias), None);
}

#[test]
fn a_failed_push_leaves_the_block_as_it_was() {
    let long = "x".repeat(65_536);
    let mut block = PropertyBlock::of(&[Property::ReasonString("r")]).expect("short");
    let before = block.clone();
    assert!(block.push(&Property::UserProperty("k", &long)).is_err());
    assert!(block.push(&Property::SubscriptionIdentifier(u32::MAX)).is_err());
    assert_eq!(block, before);
}

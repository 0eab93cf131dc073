"""Eclipse Paho for Python behind the shared command line."""

import queue

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import command_line


def connected(options):
    """A client whose CONNACK has come; its events come out of the queue."""
    protocol = paho.MQTTv5 if options.version == "5" else paho.MQTTv311
    transport = {"ws": "websockets", "wss": "websockets", "unix": "unix"}.get(options.transport, "tcp")
    own, begin = {}, {}
    if command_line.keeps_session(options) and options.version == "5":
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = command_line.SESSION_SECONDS
        begin = {"clean_start": False, "properties": properties}
    elif command_line.keeps_session(options):
        own = {"clean_session": False}
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=options.client_id, protocol=protocol, transport=transport, **own
    )
    if options.cafile:
        client.tls_set(ca_certs=options.cafile, certfile=options.cert, keyfile=options.key)
    if options.username:
        client.username_pw_set(options.username, options.password)
    client.max_queued_messages_set(0)
    events = queue.SimpleQueue()
    client.on_connect = lambda _c, _u, _f, code, _p: events.put(("connected", code))
    client.on_subscribe = lambda _c, _u, _m, codes, _p: events.put(("subscribed", codes[0]))
    client.on_publish = lambda _c, _u, mid, code, _p: events.put(("published", (mid, code)))
    client.on_message = lambda _c, _u, message: events.put(("message", message))
    client.on_disconnect = lambda _c, _u, _f, code, _p: events.put(("disconnected", code))
    client.connect(options.socket or options.host, options.port or 1883, **begin)
    client.loop_start()
    code = wait(events, "connected", options)
    if code.is_failure:
        command_line.fail(f"refused: {code}")
    return client, events


def wait(events, wanted, options):
    """The next event, which must be the wanted one."""
    try:
        event, value = events.get(timeout=options.timeout)
    except queue.Empty:
        command_line.fail(f"no event '{wanted}' in time")
    if event != wanted:
        command_line.fail(f"wanted '{wanted}', got '{event}': {value}")
    return value


def publish(options):
    """Publishes, and prints each completion."""
    client, events = connected(options)
    numbers = {}
    for number in range(options.count):
        sent = client.publish(command_line.topic(options.topic, number), str(number), options.qos)
        numbers[sent.mid] = number
    for _ in range(options.count):
        mid, code = wait(events, "published", options)
        if code.is_failure:
            command_line.fail(f"publish {numbers[mid]} refused: {code}")
        command_line.say(acked=numbers[mid])
    client.disconnect()


def subscribe(options):
    """Subscribes, and prints each message."""
    client, events = connected(options)
    if options.session != "resume":
        client.subscribe(options.filter, options.qos)
        granted = wait(events, "subscribed", options)
        command_line.say(ready=True, granted=granted.value)
    for _ in range(options.count):
        message = wait(events, "message", options)
        payload = message.payload.decode()
        command_line.say(topic=message.topic, payload=payload, qos=message.qos, retain=message.retain)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    chosen = command_line.parse()
    {"publish": publish, "subscribe": subscribe}[chosen.verb](chosen)

"""aiomqtt behind the shared command line."""

import asyncio

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import command_line


def client(options):
    """A client that connects when it is entered."""
    version = aiomqtt.ProtocolVersion.V5 if options.version == "5" else aiomqtt.ProtocolVersion.V311
    transport = "websockets" if options.transport in ("ws", "wss") else "tcp"
    tls_params = aiomqtt.TLSParameters(ca_certs=options.cafile) if options.cafile else None
    session = {}
    if command_line.keeps_session(options) and options.version == "5":
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = command_line.SESSION_SECONDS
        session = {"clean_start": False, "properties": properties}
    elif command_line.keeps_session(options):
        session = {"clean_session": False}
    return aiomqtt.Client(
        options.host, options.port, identifier=options.client_id, protocol=version, timeout=options.timeout,
        transport=transport, websocket_path="/mqtt", tls_params=tls_params,
        username=options.username, password=options.password, **session,
    )  # fmt: skip


async def publish(options):
    """Publishes one after the other, and prints each completion."""
    async with client(options) as connection:
        for number in range(options.count):
            await connection.publish(command_line.topic(options.topic, number), str(number), options.qos)
            command_line.say(acked=number)


async def subscribe(options):
    """Subscribes, and prints each message."""
    async with client(options) as connection:
        if options.session != "resume":
            granted = await connection.subscribe(options.filter, options.qos)
            code = granted[0]
            command_line.say(ready=True, granted=getattr(code, "value", code))
        if options.count == 0:
            return
        received = 0
        async for message in connection.messages:
            command_line.say(
                topic=str(message.topic),
                payload=message.payload.decode(),
                qos=message.qos,
                retain=bool(message.retain),
            )
            received += 1
            if received == options.count:
                return


async def run(options):
    """Runs the verb within its time."""
    verb = {"publish": publish, "subscribe": subscribe}[options.verb]
    try:
        await asyncio.wait_for(verb(options), options.timeout)
    except (TimeoutError, aiomqtt.MqttError) as error:
        command_line.fail(f"failed: {error!r}")


if __name__ == "__main__":
    asyncio.run(run(command_line.parse()))

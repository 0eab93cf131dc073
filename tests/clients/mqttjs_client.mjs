// MQTT.js behind the shared command line.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import mqtt from "mqtt";
import { Scram } from "./scram.mjs";

const text = { type: "string" };
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    host: { ...text, default: "127.0.0.1" },
    port: text,
    transport: { ...text, default: "tcp" },
    cafile: text,
    version: { ...text, default: "5" },
    "client-id": text,
    qos: { ...text, default: "1" },
    count: text,
    timeout: { ...text, default: "60" },
    topic: text,
    filter: text,
    session: { ...text, default: "none" },
    settle: text,
    username: text,
    password: text,
    scram: { type: "boolean", default: false },
  },
});
const qos = Number(values.qos);
const count = Number(values.count);

function say(fields) {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

async function publish(client) {
  const one = async (number) => {
    const topic = values.topic.replaceAll("{}", String(number).padStart(5, "0"));
    await client.publishAsync(topic, String(number), { qos });
    say({ acked: number });
  };
  await Promise.all(Array.from({ length: count }, (_, number) => one(number)));
}

// Messages can come in one piece with the CONNACK or the SUBACK, before its promise is settled: they are said after it.
let early = [];
let received = 0;
let resolveAll;
const all = new Promise((resolve) => {
  resolveAll = resolve;
});

function hear(topic, payload, packet) {
  const message = { topic, payload: payload.toString(), qos: packet.qos, retain: packet.retain };
  const attempt = packet.properties?.userProperties?.attempt;
  if (attempt) message.attempt = Number(attempt);
  if (early) early.push(message);
  else say(message);
  received += 1;
  if (received === count && !codes) resolveAll();
}

// With --settle each message is answered with the next of these reason codes, and comes alone.
const codes = values.settle?.split(",").map(Number);
const metadata = codes && { properties: { userProperties: { metadata: "on" } } };

function settle(topic, payload, packet, answer) {
  hear(topic, payload, packet);
  answer(null, codes.shift() ?? 0);
}

// The last word about a message; at QoS 2 that is PUBCOMP.
function said(packet) {
  const isLast = packet.cmd === "pubrec" ? packet.reasonCode >= 0x80 : ["puback", "pubcomp"].includes(packet.cmd);
  if (isLast && received === count) resolveAll();
}

async function subscribe(client) {
  if (values.session !== "resume") {
    const granted = await client.subscribeAsync(values.filter, { qos, ...metadata });
    say({ ready: true, granted: granted[0].qos });
  }
  if (count === 0) return;
  early.forEach(say);
  early = null;
  await all;
}

setTimeout(() => fail("not done in time"), Number(values.timeout) * 1000).unref();
const scram = values.scram && new Scram(values.username, values.password);
const keeps = values.session !== "none";
const expiry = keeps && values.version === "5" ? { properties: { sessionExpiryInterval: 600 } } : {};
const client = mqtt.connect({
  host: values.host,
  port: Number(values.port),
  protocol: { tcp: "mqtt", tls: "mqtts", ws: "ws", wss: "wss" }[values.transport],
  path: "/mqtt",
  ca: values.cafile && readFileSync(values.cafile),
  protocolVersion: values.version === "5" ? 5 : 4,
  clientId: values["client-id"],
  reconnectPeriod: 0,
  clean: !keeps,
  ...expiry,
  ...(codes && { customHandleAcks: settle, properties: { receiveMaximum: 1 } }),
  ...(scram
    ? { properties: { authenticationMethod: Scram.METHOD, authenticationData: scram.first() } }
    : { username: values.username, password: values.password }),
});
if (codes) client.on("packetsend", said);
else client.on("message", hear);
if (scram) {
  client.handleAuth = (packet, send) => {
    const authenticationData = scram.answer(packet.properties.authenticationData);
    const properties = { authenticationMethod: Scram.METHOD, authenticationData };
    send(undefined, { cmd: "auth", reasonCode: 0x18, properties });
  };
}
const [connack] = await once(client, "connect").catch((error) => fail(`refused: ${error}`));
if (scram && !scram.isServer(connack.properties.authenticationData)) fail("the broker does not know the password");
client.on("error", (error) => fail(`failed: ${error}`));
await { publish, subscribe }[positionals[0]](client);
await client.endAsync();

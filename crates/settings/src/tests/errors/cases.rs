//! The cases, each as typed.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case {
        file: r#"[mqtt]
publsher_hold = "30s"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: unknown key `mqtt.publsher_hold`
 --> weir.toml:2:1
  |
2 | publsher_hold = "30s"
  | ^^^^^^^^^^^^^ no such key
  |
  = help: did you mean `mqtt.publisher_hold`?
"#,
    },
    Case {
        file: r#"[mqtt]
publisher_hold = "30x"
receive_maximum = "5"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `mqtt.publisher_hold`
 --> weir.toml:2:18
  |
2 | publisher_hold = "30x"
  |                  ^^^^^ '30x' is no duration; write a whole number and ms, s, m, h or d, such as 30s

error: bad value for `mqtt.receive_maximum`
 --> weir.toml:3:19
  |
3 | receive_maximum = "5"
  |                   ^^^ expected a whole number without quotes, found a text
"#,
    },
    Case {
        file: r#"[mqtt]
publisher_hold = 30
receive_maximum = 0
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `mqtt.publisher_hold`
 --> weir.toml:2:18
  |
2 | publisher_hold = 30
  |                  ^^ '30' is no duration; write a whole number and ms, s, m, h or d, such as 30s

error: bad value for `mqtt.receive_maximum`
 --> weir.toml:3:19
  |
3 | receive_maximum = 0
  |                   ^ '0' is no whole number from 1 to 65535
"#,
    },
    Case {
        file: r#"[mqqt]
a = 1
b = 2
[queue]
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: unknown section `mqqt`
 --> weir.toml:1:2
  |
1 | [mqqt]
  |  ^^^^ no such section
  |
  = help: did you mean `mqtt`?

error: unknown section `queue`
 --> weir.toml:4:2
  |
4 | [queue]
  |  ^^^^^ no such section
  |
  = help: did you mean `queues`?
"#,
    },
    Case {
        file: r#"mqtt = 5
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: `mqtt` is a section, not a key
 --> weir.toml:1:1
  |
1 | mqtt = 5
  | ^^^^ a section
  |
  = help: write its keys below a line `[mqtt]`
"#,
    },
    Case {
        file: r#"[mqtt
publisher_hold = 30
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: this is no TOML
 --> weir.toml:1:6
  |
1 | [mqtt
  |      ^ unclosed table, expected `]`
"#,
    },
    Case {
        file: r#"[listeners.quic]
bind = "127.0.0.1:14567"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: the listener `quic` needs a certificate
 --> weir.toml:1:12
  |
1 | [listeners.quic]
  |            ^^^^ speaks TLS
  |
  = help: add cert = "server.pem" and key = "server.key", both PEM
"#,
    },
    Case {
        file: r#"[listeners.mqtt]
kind = "tls"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: the listener `mqtt` needs a certificate
 --> weir.toml:1:12
  |
1 | [listeners.mqtt]
  |            ^^^^ speaks TLS
  |
  = help: add cert = "server.pem" and key = "server.key", both PEM
"#,
    },
    Case {
        file: r#"[listeners.mqtts]
cert = "server.pem"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: the listener `mqtts` needs a private key
 --> weir.toml:1:12
  |
1 | [listeners.mqtts]
  |            ^^^^^ speaks TLS
  |
  = help: add cert = "server.pem" and key = "server.key", both PEM
"#,
    },
    Case {
        file: r#"[listeners.mqtts]
cert = "server.pem"
key = "server.key"
require_client_cert = true
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: the listener `mqtts` requires certificates that nothing can prove
 --> weir.toml:4:23
  |
4 | require_client_cert = true
  |                       ^^^^ needs client_ca
  |
  = help: add client_ca = "clients-ca.pem"
"#,
    },
    Case {
        file: r#"[listeners.mqtts]
cert = "server.pem"
key = "server.key"
identity = "certificate"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: the listener `mqtts` takes names from certificates that nothing can prove
 --> weir.toml:4:12
  |
4 | identity = "certificate"
  |            ^^^^^^^^^^^^^ needs client_ca
  |
  = help: add client_ca = "clients-ca.pem"
"#,
    },
    Case {
        file: r#"[listeners.mqtt]
identity = "certificate"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: the listener `mqtt` is of kind tcp, which has no use for `identity`
 --> weir.toml:2:12
  |
2 | identity = "certificate"
  |            ^^^^^^^^^^^^^ of no use here
  |
  = help: the kinds tls, wss and quic speak TLS
"#,
    },
    Case {
        file: r#"[listeners.mqtt]
cert = "server.pem"

[listeners.mqtts]
cert = "server.pem"
key = "server.key"
path = "/mqtt"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: the listener `mqtt` is of kind tcp, which has no use for `cert`
 --> weir.toml:2:8
  |
2 | cert = "server.pem"
  |        ^^^^^^^^^^^^ of no use here
  |
  = help: the kinds tls, wss and quic speak TLS

error: the listener `mqtts` is of kind tls, which has no use for `path`
 --> weir.toml:7:8
  |
7 | path = "/mqtt"
  |        ^^^^^^^ of no use here
  |
  = help: the kinds ws and wss have a path
"#,
    },
    Case {
        file: r#"[listeners.local]
kind = "unix"
bind = "/run/mqtt.sock"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `listeners.local.bind`
 --> weir.toml:3:8
  |
3 | bind = "/run/mqtt.sock"
  |        ^^^^^^^^^^^^^^^^ '/run/mqtt.sock' is no Unix socket
  |
  = help: write it as unix:/run/weir/mqtt.sock
"#,
    },
    Case {
        file: r#"[listeners.mqtt]
proxy_protocol = true
[listeners.mqtts]
cert = ["a.pem", "b.pem"]
key = "a.key"
[listeners.wss]
cert = "a.pem"
key = "a.key"
client_crl = "a.crl"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: the listener `mqtt` takes the word of no proxy
 --> weir.toml:2:18
  |
2 | proxy_protocol = true
  |                  ^^^^ needs proxy_trusted
  |
  = help: add proxy_trusted = ["10.0.0.0/8"], where the proxies are

error: the listener `mqtts` has 2 of `cert` and 1 of `key`
 --> weir.toml:5:7
  |
5 | key = "a.key"
  |       ^^^^^^^ one for each `cert`
  |
  = help: give both as lists of one order

error: the listener `wss` asks no client for a certificate that could be revoked
 --> weir.toml:9:14
  |
9 | client_crl = "a.crl"
  |              ^^^^^^^ needs client_ca
  |
  = help: add client_ca = "clients-ca.pem"
"#,
    },
    Case {
        file: r#"[listeners.local]
bind = "unix:/run/mqtt.sock"
proxy_protocol = true
proxy_trusted = "10.0.0.0/8"
[listeners.mqtt]
dual_stack = true
[listeners.ws]
proxy_trusted = "::1"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: the listener `local` is of kind unix, which has no use for `proxy_protocol`
 --> weir.toml:3:18
  |
3 | proxy_protocol = true
  |                  ^^^^ of no use here
  |
  = help: the kinds tcp, tls, ws and wss may have a proxy before them

error: the listener `mqtt` is bound to 127.0.0.1:1883, which has no use for `dual_stack`
 --> weir.toml:6:14
  |
6 | dual_stack = true
  |              ^^^^ of no use here
  |
  = help: it is for bind = "[::]:1883"

error: the listener `ws` trusts proxies and takes no header
 --> weir.toml:8:17
  |
8 | proxy_trusted = "::1"
  |                 ^^^^^ needs proxy_protocol
  |
  = help: add proxy_protocol = true
"#,
    },
    Case {
        file: r#"[listeners.mqtt]
proxy_trusted = ["10.0.0.0/40"]
max_connections = 0
max_packet_size = "1B"
cert = [1, 2]
key = 5
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `listeners.mqtt.proxy_trusted`
 --> weir.toml:2:17
  |
2 | proxy_trusted = ["10.0.0.0/40"]
  |                 ^^^^^^^^^^^^^^^ '10.0.0.0/40' is no network: the prefix is longer than an address; write an address or 10.0.0.0/8

error: bad value for `listeners.mqtt.max_connections`
 --> weir.toml:3:19
  |
3 | max_connections = 0
  |                   ^ '0' is no whole number from 1 to 4294967295
  |
  = help: `auto` is a value too

error: bad value for `listeners.mqtt.max_packet_size`
 --> weir.toml:4:19
  |
4 | max_packet_size = "1B"
  |                   ^^^^ '1B' is not from 128 to 268435460

error: bad value for `listeners.mqtt.cert`
 --> weir.toml:5:8
  |
5 | cert = [1, 2]
  |        ^^^^^^ expected a text in quotes or a list of them, found a list of other things than texts

error: bad value for `listeners.mqtt.key`
 --> weir.toml:6:7
  |
6 | key = 5
  |       ^ expected a text in quotes or a list of them, found a number
"#,
    },
    Case {
        file: r#"[listeners.ws]
path = "mqtt"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `listeners.ws.path`
 --> weir.toml:2:8
  |
2 | path = "mqtt"
  |        ^^^^^^ 'mqtt' is no path of a URL, such as /mqtt
"#,
    },
    Case {
        file: r#"[listeners.plant]
bind = "127.0.0.1:1884"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: the listener `plant` needs a kind
 --> weir.toml:1:12
  |
1 | [listeners.plant]
  |            ^^^^^ which kind?
  |
  = help: `plant` is no well-known name; add kind = "tcp"
"#,
    },
    Case {
        file: r#"[listeners.plant]
kind = "tcp"
bnd = "127.0.0.1:1884"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: unknown key `listeners.plant.bnd`
 --> weir.toml:3:1
  |
3 | bnd = "127.0.0.1:1884"
  | ^^^ no such key
  |
  = help: did you mean `listeners.plant.bind`?

error: the listener `plant` needs an address
 --> weir.toml:1:12
  |
1 | [listeners.plant]
  |            ^^^^^ bound to what?
  |
  = help: add bind = "127.0.0.1:1883"
"#,
    },
    Case {
        file: r#"[listeners.mqtt]
bind = "localhost:1883"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `listeners.mqtt.bind`
 --> weir.toml:2:8
  |
2 | bind = "localhost:1883"
  |        ^^^^^^^^^^^^^^^^ 'localhost:1883' is no IP address with a port
  |
  = help: write it as 127.0.0.1:1883, [::1]:1883 or, for all addresses, 0.0.0.0:1883
"#,
    },
    Case {
        file: r#"[listeners."a b"]
bind = "x"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: 'a b' is no name for a listener
 --> weir.toml:1:12
  |
1 | [listeners."a b"]
  |            ^^^^^ this name
  |
  = help: use letters, digits, `-` and `_`
"#,
    },
    Case {
        file: r#"[[listeners]]
name = "mqtt"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: `listeners` is a section, not a key
 --> weir.toml:1:3
  |
1 | [[listeners]]
  |   ^^^^^^^^^ a section
  |
  = help: write its keys below a line `[listeners]`
"#,
    },
    Case {
        file: r#"[listener.mqtt]
bind = "x"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: unknown section `listener`
 --> weir.toml:1:2
  |
1 | [listener.mqtt]
  |  ^^^^^^^^ no such section
  |
  = help: did you mean `listeners`?
"#,
    },
    Case {
        file: r#"max_inflight = 5
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: unknown key `max_inflight`
 --> weir.toml:1:1
  |
1 | max_inflight = 5
  | ^^^^^^^^^^^^ no such key
  |
  = help: did you mean `queues.defaults.max_inflight`?
"#,
    },
    Case {
        file: r#"[http]
bind = "127.0.0.1:1883"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: `http` and `listeners.mqtt` are both bound to 127.0.0.1:1883
 --> weir.toml:2:8
  |
2 | bind = "127.0.0.1:1883"
  |        ^^^^^^^^^^^^^^^^ taken
"#,
    },
    Case {
        file: r#"[queues.defaults]
dispatch_strategy = "roundrobin"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `queues.defaults.dispatch_strategy`
 --> weir.toml:2:21
  |
2 | dispatch_strategy = "roundrobin"
  |                     ^^^^^^^^^^^^ 'roundrobin' is none of round_robin, random, least_inflight, key_ordered, single_active
  |
  = help: did you mean `round_robin`?
"#,
    },
    Case {
        file: r#"[queues.defaults]
key_expression = "level(0)"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `queues.defaults.key_expression`
 --> weir.toml:2:18
  |
2 | key_expression = "level(0)"
  |                  ^^^^^^^^^^ levels count from 1 for the first, or from -1 for the last, at column 7
"#,
    },
    Case {
        file: r#"[queues.defaults]
retry_delay = "5m"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: `queues.defaults.retry_delay` is longer than `queues.defaults.retry_delay_max`
 --> weir.toml:2:15
  |
2 | retry_delay = "5m"
  |               ^^^^ too long
"#,
    },
    Case {
        file: r#"[streams.defaults]
key_expression = "level(0)"
retry_delay = "5m"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `streams.defaults.key_expression`
 --> weir.toml:2:18
  |
2 | key_expression = "level(0)"
  |                  ^^^^^^^^^^ levels count from 1 for the first, or from -1 for the last, at column 7

error: `streams.defaults.retry_delay` is longer than `streams.defaults.retry_delay_max`
 --> weir.toml:3:15
  |
3 | retry_delay = "5m"
  |               ^^^^ too long
"#,
    },
    Case {
        file: r#"[queues.defaults]
max_messages = "unlimited"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `queues.defaults.max_messages`
 --> weir.toml:2:16
  |
2 | max_messages = "unlimited"
  |                ^^^^^^^^^^^ 'unlimited' is no whole number from 1 to 18446744073709551615
  |
  = help: `none` is a value too
"#,
    },
    Case {
        file: r#"[mqtt]
publisher_hold = ["1s"]
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `mqtt.publisher_hold`
 --> weir.toml:2:18
  |
2 | publisher_hold = ["1s"]
  |                  ^^^^^^ expected a number or a text in quotes, found a list
"#,
    },
    Case {
        file: r#"[http]
enabled = "yes"
"#,
        environment: &[],
        flags: &[],
        text: r#"
error: bad value for `http.enabled`
 --> weir.toml:2:11
  |
2 | enabled = "yes"
  |           ^^^^^ expected `true` or `false` without quotes, found a text
"#,
    },
    Case {
        file: "",
        environment: &[("WEIR_MQTT__PUBLISHER_HOLDS", "1s")],
        flags: &[],
        text: r#"
error: unknown key `mqtt.publisher_holds`
--> environment:1:1
 |
 | WEIR_MQTT__PUBLISHER_HOLDS=1s
 | ^^^^^^^^^^^^^^^^^^^^^^^^^^ no such key
 |
 = help: did you mean `mqtt.publisher_hold`?
"#,
    },
    Case {
        file: "",
        environment: &[("WEIR_MQTT__PUBLISHER_HOLD", "1 s")],
        flags: &[],
        text: r#"
error: bad value for `mqtt.publisher_hold`
--> environment:1:27
 |
 | WEIR_MQTT__PUBLISHER_HOLD=1 s
 |                           ^^^ '1 s' is no duration; write a whole number and ms, s, m, h or d, such as 30s
"#,
    },
    Case {
        file: "",
        environment: &[],
        flags: &["mqtt.max_packet_size=1KB", "mqtt.max_packet_size=1GiB"],
        text: r#"
error: bad value for `mqtt.max_packet_size`
--> command line:1:28
 |
 | --set mqtt.max_packet_size=1GiB
 |                            ^^^^ '1GiB' is not from 128 to 268435460
"#,
    },
    Case {
        file: "",
        environment: &[],
        flags: &["nothing"],
        text: r#"
error: `--set` needs a key and a value
--> command line:1:7
 |
 | --set nothing
 |       ^^^^^^^ no `=`
 |
 = help: write it as --set section.key=value
"#,
    },
    Case {
        file: "",
        environment: &[],
        flags: &["logging.level=Info"],
        text: r#"
error: bad value for `logging.level`
--> command line:1:21
 |
 | --set logging.level=Info
 |                     ^^^^ 'Info' is none of error, warn, info, debug, trace
 |
 = help: did you mean `info`?
"#,
    },
    Case {
        file: r#"[mqtt]
receive_maximum = 0
"#,
        environment: &[("WEIR_HTTP__BIND", "x")],
        flags: &["mqtt.receive_maximum=1"],
        text: r#"
error: bad value for `mqtt.receive_maximum`
 --> weir.toml:2:19
  |
2 | receive_maximum = 0
  |                   ^ '0' is no whole number from 1 to 65535

error: bad value for `http.bind`
--> environment:1:17
 |
 | WEIR_HTTP__BIND=x
 |                 ^ 'x' is no IP address with a port
 |
 = help: write it as 127.0.0.1:1883, [::1]:1883 or, for all addresses, 0.0.0.0:1883
"#,
    },
    Case {
        file: r#"[mqtt.shared_subscriptions]
strategy = "least_inflght"
group_strategies = ["billing=hash_topc"]
stall_timeout = "10"
"#,
        environment: &[(
            "WEIR_MQTT__SHARED_SUBSCRIPTIONS__GROUP_STRATEGIES",
            "a=random,a=round_robin",
        )],
        flags: &["mqtt.shared_subscriptions.group_strategies=billing"],
        text: r#"
error: bad value for `mqtt.shared_subscriptions.strategy`
 --> weir.toml:2:12
  |
2 | strategy = "least_inflght"
  |            ^^^^^^^^^^^^^^^ 'least_inflght' is none of round_robin, random, least_inflight, hash_topic, hash_clientid, single_active
  |
  = help: did you mean `least_inflight`?

error: bad value for `mqtt.shared_subscriptions.group_strategies`
 --> weir.toml:3:20
  |
3 | group_strategies = ["billing=hash_topc"]
  |                    ^^^^^^^^^^^^^^^^^^^^^ 'hash_topc' is no strategy; they are round_robin, random, least_inflight, hash_topic, hash_clientid, single_active
  |
  = help: did you mean `hash_topic`?

error: bad value for `mqtt.shared_subscriptions.stall_timeout`
 --> weir.toml:4:17
  |
4 | stall_timeout = "10"
  |                 ^^^^ '10' is no duration; write a whole number and ms, s, m, h or d, such as 30s

error: bad value for `mqtt.shared_subscriptions.group_strategies`
--> environment:1:51
 |
 | WEIR_MQTT__SHARED_SUBSCRIPTIONS__GROUP_STRATEGIES=a=random,a=round_robin
 |                                                   ^^^^^^^^^^^^^^^^^^^^^^ share name 'a' is here twice

error: bad value for `mqtt.shared_subscriptions.group_strategies`
--> command line:1:50
 |
 | --set mqtt.shared_subscriptions.group_strategies=billing
 |                                                  ^^^^^^^ 'billing' is not of the form <share name>=<strategy>
"#,
    },
];

"""Runs conformance suites against the broker and prints a table. It must not know how a suite tests."""

import contextlib
import importlib
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

# Why a test's demand is not met, by suite and test. The clause is of the version that the suite is about.
EXCLUDED = {
    ("Paho 3.1.1", "test_subscribe_failure"): (
        "[MQTT-3.8.4-5]",
        "wants a filter that nobody may subscribe to; there is no policy yet that could forbid one",
    ),
    ("Paho 5.0", "test_subscribe_failure"): (
        "[MQTT-3.8.4-7]",
        "wants a filter that nobody may subscribe to; there is no policy yet that could forbid one",
    ),
    ("mqtt5-conformance", "overlapping_subs_max_qos_delivered"): (
        "[MQTT-3.3.4-2]",
        "wants one copy for each overlapping subscription; the clause demands one and allows more. We send one",
    ),
    ("mqtt5-conformance", "overlapping_subs_subscription_ids_per_copy"): (
        "[MQTT-3.3.4-4]",
        "wants one copy for each overlapping subscription. We send one, with all identifiers, as the clause says",
    ),
    ("mqtt5-conformance", "client_id_rejected_with_0x85"): (
        "[MQTT-3.1.3-8]",
        "is for servers that refuse some characters in client ids, as they may. We take all",
    ),
    ("mqtt5-conformance", "client_id_rejected_closes_connection"): (
        "[MQTT-3.1.3-8]",
        "is for servers that refuse some characters in client ids, as they may. We take all",
    ),
    ("mqtt5-conformance", "username_flag_with_username_succeeds"): (
        "[MQTT-3.1.2-16]",
        "wants to be let in by a user name that nobody proves. The clause asks for the field; who gives a name to us has "
        "to prove it",
    ),
    ("mqtt5-conformance", "dollar_topics_matched_by_explicit_prefix"): (
        "§4.7.2",
        "publishes to `$SYS/`, which a server should prevent, and may use for itself. We refuse it",
    ),
}

# The least that mqtt5-conformance must be told; everything else has its default.
DESCRIPTOR = """name = "weir"
address = "mqtt://127.0.0.1:{mqtt}"
ws_address = "ws://127.0.0.1:{ws}/mqtt"
[capabilities.transports]
websocket = true
"""

# Its client listens for an acknowledgement only after it has sent what is acknowledged, and waits for ever if the
# broker is faster. That much later it hears everything.
DELAY_SECONDS = 0.004


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def broker(binary, *settings, user=None):
    """A fresh broker with an MQTT and a WebSocket listener; gives their ports. A user comes with a password."""
    mqtt, ws, http = free_port(), free_port(), free_port()
    wanted = [f"listeners.mqtt.bind=127.0.0.1:{mqtt}", f"listeners.ws.bind=127.0.0.1:{ws}"]
    wanted += [f"http.bind=127.0.0.1:{http}", *settings]
    with tempfile.TemporaryDirectory() as data, open(os.path.join(data, "log"), "w") as log:
        command = [binary, "serve", "--data-dir", os.path.join(data, "weir")]
        command += [word for setting in wanted for word in ("--set", setting)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            for port in (mqtt, ws, http):
                wait_for(port, process, log.name)
            if user:
                add_user(binary, os.path.join(data, "weir"), http, *user)
            yield mqtt, ws
        finally:
            process.terminate()
            process.wait()


def add_user(binary, data_dir, http, name, password):
    command = [binary, "users", "add", name, "--password-stdin"]
    command += ["--url", f"http://127.0.0.1:{http}", "--data-dir", data_dir]
    subprocess.run(command, input=password, text=True, check=True, stdout=subprocess.DEVNULL)


def wait_for(port, process, log):
    while process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    sys.exit(f"the broker ended before it served:\n{Path(log).read_text()}")


def pipe(source, sink, delay):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            time.sleep(delay)
            sink.sendall(data)
        time.sleep(delay)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def relay(near, target):
    with near, socket.create_connection(("127.0.0.1", target)) as far:
        there = threading.Thread(target=pipe, args=(near, far, 0), daemon=True)
        there.start()
        pipe(far, near, DELAY_SECONDS)
        # The broker has said its last word; a client that does not hear it must not keep the thread.
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)
        there.join()


def delayed(target):
    """A port that leads to that one, and brings back everything a little later, as long as this process lives."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def serve():
        while True:
            near, _ = listener.accept()
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=relay, args=(near, target), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def paho(folder, module_name, port):
    """Runs a Paho suite in this process: it has no command line for all it must be told. Writes JSON."""
    sys.path.insert(0, folder)
    module = importlib.import_module(module_name)
    prefix = "client_test5/" if module_name == "client_test5" else ""
    module.host, module.port, module.topic_prefix = "127.0.0.1", port, prefix
    topics = ("TopicA", "TopicA/B", "Topic/C", "TopicA/C", "/TopicA")
    filters = ("TopicA/+", "+/C", "#", "/#", "/+", "+/+", "TopicA/#")
    module.topics = [prefix + topic for topic in topics]
    module.wildtopics = [prefix + each for each in filters]
    module.nosubscribe_topics = ("test/nosubscribe",)
    names = unittest.TestLoader().getTestCaseNames(module.Test)
    # By its name the loader takes it for no test.
    names += [name for name in ("will_message_test",) if hasattr(module.Test, name)]
    noise = io.StringIO()
    with contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
        suite = unittest.TestSuite(module.Test(name) for name in names)
        result = unittest.TextTestRunner(stream=noise).run(suite)
    if result.testsRun < len(names):
        sys.exit(noise.getvalue())
    why = {case.id().rpartition(".")[2]: text for case, text in result.failures + result.errors}
    json.dump({name: why.get(name, "") for name in names}, sys.stdout)


def run_paho(binary, folder, module_name, *settings):
    with broker(binary, *settings) as (port, _):
        command = [sys.executable, "-W", "ignore", __file__, "--paho", folder, module_name, str(port)]
        outcome = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return {name: ("failed" if why else "passed", why) for name, why in json.loads(outcome.stdout).items()}


def run_mqtt5_conformance(binary, program):
    # One test signs in; the others do not.
    with broker(binary, "auth.anonymous=always", user=("testuser", "secret")) as (mqtt, ws), tempfile.TemporaryDirectory() as work:
        descriptor = Path(work) / "weir.toml"
        descriptor.write_text(DESCRIPTOR.format(mqtt=delayed(mqtt), ws=delayed(ws)))
        outcome = subprocess.run(
            [program, "--sut", descriptor, "--test-threads", "4"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
        )
    words = {"ok": "passed", "FAILED": "failed", "ignored": "ignored"}
    lines = re.findall(r"^test \S*::(\w+).*\.\.\. (ok|FAILED|ignored)$", outcome.stdout, re.MULTILINE)
    if not lines:
        sys.exit(f"{program} said no result:\n{outcome.stdout}")
    why = dict(re.findall(r"^---- \S*::(\w+)[^\n]*----\n(.*?)\n\n", outcome.stdout, re.MULTILINE | re.DOTALL))
    return {name: (words[word], why.get(name, "not run")) for name, word in lines}


def report(results):
    """Prints the table and what stands behind it; true if nothing failed without a reason known before."""
    print("| suite | tests | passed | failed | excluded |\n|---|---|---|---|---|")
    excluded, failed = [], []
    for suite, tests in results.items():
        reasons = {name: EXCLUDED.get((suite, name)) for name in tests}
        not_passed = {name: why for name, (word, why) in tests.items() if word != "passed"}
        excluded += [(suite, name, *reasons[name]) for name in not_passed if reasons[name]]
        here = [(suite, name, why) for name, why in not_passed.items() if not reasons[name]]
        failed += here
        passed = len(tests) - len(not_passed)
        print(f"| {suite} | {len(tests)} | {passed} | {len(here)} | {len(not_passed) - len(here)} |")
    print("\n| excluded | clause | why |\n|---|---|---|")
    for suite, name, clause, why in excluded:
        print(f"| {suite}: `{name}` | {clause} | {why} |")
    for suite, name, why in failed:
        print(f"\nFAILED {suite}: {name}\n{why}")
    return not failed


def main():
    if sys.argv[1] == "--paho":
        paho(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return 0
    binary, suites = sys.argv[1:]
    interoperability = os.path.join(suites, "paho.mqtt.testing", "interoperability")
    program = os.path.join(suites, "mqtt5-conformance")
    for path in (interoperability, program):
        if not os.path.exists(path):
            sys.exit(f"{path} is not there; docs/conformance.md says what the folder holds")
    results = {
        "Paho 3.1.1": run_paho(binary, interoperability, "client_test"),
        # test_server_keep_alive wants to be told 60 seconds.
        "Paho 5.0": run_paho(binary, interoperability, "client_test5", "mqtt.keep_alive_max=60s"),
        "mqtt5-conformance": run_mqtt5_conformance(binary, program),
    }
    return 0 if report(results) else 1


if __name__ == "__main__":
    sys.exit(main())

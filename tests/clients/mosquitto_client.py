"""mosquitto_pub and mosquitto_sub behind the shared command line."""

import re
import subprocess

import command_line

VERSIONS = {"3": "mqttv311", "5": "mqttv5"}


def common(program, options):
    """The arguments that both programs take."""
    where = ["--unix", options.socket] if options.socket else ["-h", options.host, "-p", str(options.port)]
    trust = ["--cafile", options.cafile] if options.cafile else []
    own = ["--cert", options.cert, "--key", options.key] if options.cert else []
    user = ["-u", options.username, "-P", options.password] if options.username else []
    return [
        program, *where, *trust, *own, *user, "-V", VERSIONS[options.version],
        "-i", options.client_id, "-q", str(options.qos),
    ]  # fmt: skip


def publish(options):
    """Publishes all over one connection when the topic is one, else over one connection each."""
    numbers = range(options.count)
    if "{}" not in options.topic:
        lines = "".join(f"{number}\n" for number in numbers)
        run([*common("mosquitto_pub", options), "-t", options.topic, "-l"], lines, options)
    for number in numbers:
        if "{}" in options.topic:
            topic = command_line.topic(options.topic, number)
            run([*common("mosquitto_pub", options), "-t", topic, "-m", str(number)], None, options)
        command_line.say(acked=number)


def run(arguments, lines, options):
    """Runs a program to its end, which must be good."""
    done = subprocess.run(
        arguments, input=lines, text=True, capture_output=True, timeout=options.timeout, check=False
    )
    if done.returncode != 0:
        command_line.fail(f"mosquitto_pub ended with {done.returncode}: {done.stderr}")


def subscribe(options):
    """Subscribes, and prints each message."""
    timeout = str(int(options.timeout))
    keep = ["-c"] if command_line.keeps_session(options) else []
    if keep and options.version == "5":
        keep += ["-x", str(command_line.SESSION_SECONDS)]
    until = ["-C", str(options.count)] if options.count else ["-E"]
    arguments = [
        *common("mosquitto_sub", options), *keep, "-t", options.filter, *until, "-W", timeout, "-d",
        "-F", "MESSAGE %q %r %t %p",
    ]  # fmt: skip
    with subprocess.Popen(["stdbuf", "-oL", *arguments], stdout=subprocess.PIPE, text=True) as program:
        for line in program.stdout:
            report(line.rstrip("\n"), options)
    if program.returncode != 0:
        command_line.fail(f"mosquitto_sub ended with {program.returncode}")


def report(line, options):
    """Turns one line of mosquitto_sub into one of ours. It always subscribes, also in a session that has done so."""
    granted = re.match(r"Subscribed \(mid: \d+\): (\d+)", line)
    if granted and options.session != "resume":
        command_line.say(ready=True, granted=int(granted[1]))
    elif line.startswith("MESSAGE "):
        _, qos, retain, topic, payload = line.split(" ", 4)
        command_line.say(topic=topic, payload=payload, qos=int(qos), retain=retain == "1")


if __name__ == "__main__":
    chosen = command_line.parse()
    {"publish": publish, "subscribe": subscribe}[chosen.verb](chosen)

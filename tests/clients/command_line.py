"""The command line that all programs share, and their output."""

import argparse
import json
import sys


def parse(arguments=None):
    """Reads the command line."""
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    publish = verbs.add_parser("publish")
    subscribe = verbs.add_parser("subscribe")
    for verb in (publish, subscribe):
        verb.add_argument("--host", default="127.0.0.1")
        verb.add_argument("--port", type=int)
        verb.add_argument("--transport", choices=["tcp", "tls", "ws", "wss", "unix"], default="tcp")
        verb.add_argument("--cafile")
        verb.add_argument("--cert")
        verb.add_argument("--key")
        verb.add_argument("--socket")
        verb.add_argument("--username")
        verb.add_argument("--password")
        verb.add_argument("--version", choices=["3", "5"], default="5")
        verb.add_argument("--client-id", required=True)
        verb.add_argument("--qos", type=int, choices=[0, 1, 2], default=1)
        verb.add_argument("--count", type=int, required=True)
        verb.add_argument("--timeout", type=float, default=60)
    publish.add_argument("--topic", required=True)
    subscribe.add_argument("--filter", required=True)
    subscribe.add_argument("--session", choices=["none", "begin", "resume"], default="none")
    return parser.parse_args(arguments)


SESSION_SECONDS = 600


def keeps_session(options):
    """Whether the session is to outlive the connection."""
    return getattr(options, "session", "none") != "none"


def topic(template, number):
    """The topic of one message."""
    return template.replace("{}", f"{number:05}")


def say(**fields):
    """Prints one line of output."""
    print(json.dumps(fields), flush=True)


def fail(message):
    """Ends the program: something did not happen."""
    print(message, file=sys.stderr, flush=True)
    sys.exit(1)

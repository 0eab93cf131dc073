"""A proxy that says with a PROXY header on whose behalf it connects. Runs until it is ended."""

import argparse
import contextlib
import json
import socket
import struct
import threading


def header(version, source, port):
    """The header of that version for a client at that IPv4 address."""
    if version == "1":
        return f"PROXY TCP4 {source} 192.0.2.1 {port} 1883\r\n".encode()
    if version == "2":
        addresses = socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack(">HH", port, 1883)
        extension = b"\x05" + struct.pack(">H", 4) + b"\x00\x01\x02\x03"
        length = struct.pack(">H", len(addresses) + len(extension))
        return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + length + addresses + extension
    return b""


def relay(source, sink):
    """Moves bytes until one side ends; a side that breaks ends the other."""
    how = socket.SHUT_RDWR
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        how = socket.SHUT_WR
    # Not closed: the other thread may be waiting for it.
    with contextlib.suppress(OSError):
        sink.shutdown(how)


def serve(options):
    """Takes connections and passes them on."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    while True:
        client, (_, port) = listener.accept()
        broker = socket.create_connection(("127.0.0.1", options.to))
        broker.sendall(header(options.header, options.source, port))
        for pair in ((client, broker), (broker, client)):
            threading.Thread(target=relay, args=pair, daemon=True).start()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--header", choices=["1", "2", "none"], required=True)
    parser.add_argument("--source", default="203.0.113.9")
    serve(parser.parse_args())

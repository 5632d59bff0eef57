"""What whoever runs the broker can see of what Plaza publishes. It needs pika and an administrator's login.

    tap.py open  URL    a queue of its own that gets a copy of every event from now on
    tap.py print URL    whatever lies in any queue, that one too: properties and bodies, as they are
"""

import base64
import json
import sys
import urllib.parse
import urllib.request

import pika

TAP = "outsider.tap"


def connect(url):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    return connection, connection.channel()


def open_tap(url):
    connection, channel = connect(url)
    channel.queue_declare(TAP, durable=True)
    channel.queue_bind(TAP, "plaza.events", "#")
    connection.close()


def queues(url):
    """The names of all queues, from the management API, which listens ten thousand ports higher."""
    parts = urllib.parse.urlsplit(url)
    vhost = parts.path[1:]
    request = urllib.request.Request(f"http://{parts.hostname}:{parts.port + 10000}/api/queues/{vhost}?columns=name")
    login = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    request.add_header("Authorization", "Basic " + login)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return [queue["name"] for queue in json.load(answer)]


def print_all(url):
    connection, channel = connect(url)
    for queue in queues(url):
        while True:
            try:
                # Not acknowledged: with the connection they go back to where they were.
                method, properties, body = channel.basic_get(queue)
            except pika.exceptions.ChannelClosedByBroker:
                # A queue that has one reader at a time shows nothing to others; what is in it went through the tap.
                channel = connection.channel()
                break
            if method is None:
                break
            print(queue, method.routing_key, properties, body.decode("utf-8", "backslashreplace"))
    connection.close()


{"open": open_tap, "print": print_all}[sys.argv[1]](*sys.argv[2:])

"""A consumer of Plaza's events that knows nothing but docs/events.md. It needs pika and a login to the broker.

    consumer.py declare URL QUEUE KEY...          a queue of its own, bound to plaza.events for these keys
    consumer.py read    URL QUEUE COUNT POISON    until COUNT events are handled and those with POISON are dead
    consumer.py send    URL EXCHANGE KEY ID BODY  one message with the attributes of an event, confirmed by the broker; waits
                                                  for a queue that takes it
    consumer.py drop    URL QUEUE                 a queue, as soon as it is empty
"""

import json
import sys
import time
from collections import Counter
from datetime import datetime, timezone

import pika

EXCHANGE = "plaza.events"
# Counts what comes after the first delivery.
REPETITIONS = 4
PATIENCE = 120


def dead(queue):
    return queue + ".dlq"


def cemetery(queue):
    """The exchange for dead letters, named after the program: `crm.dead` of `crm.contacts`."""
    return queue.split(".")[0] + ".dead"


def connect(url):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    return connection, connection.channel()


def declare(url, queue, *keys):
    connection, channel = connect(url)
    # Plaza's own: it has to be there.
    channel.exchange_declare(EXCHANGE, passive=True)
    # Not the default exchange: that takes a right which reaches every queue.
    channel.exchange_declare(cemetery(queue), "direct", durable=True)
    # Without a limit and an overflow, or with reject-publish, a reader that is away would hold Plaza up.
    limits = {"x-queue-type": "quorum", "x-max-length": 100_000, "x-overflow": "drop-head"}
    channel.queue_declare(dead(queue), durable=True, arguments=limits)
    channel.queue_bind(dead(queue), cemetery(queue), queue)
    channel.queue_declare(
        queue,
        durable=True,
        arguments={
            **limits,
            "x-delivery-limit": REPETITIONS,
            "x-dead-letter-exchange": cemetery(queue),
            "x-dead-letter-routing-key": queue,
        },
    )
    for key in keys:
        channel.queue_bind(queue, EXCHANGE, key)
    connection.close()


def told(method, properties, body):
    """An event as it came, for whoever asks."""
    return {
        "exchange": method.exchange,
        "routing_key": method.routing_key,
        "properties": {
            "content_type": properties.content_type,
            "delivery_mode": properties.delivery_mode,
            "message_id": properties.message_id,
            "type": properties.type,
            "timestamp": properties.timestamp,
        },
        "headers": {name: value for name, value in properties.headers.items() if isinstance(value, (str, int))},
        "payload": json.loads(body),
    }


def read(url, queue, count, poison):
    count = int(count)
    connection, channel = connect(url)
    channel.basic_qos(prefetch_count=10)
    handled, ids, repetitions, refused = [], set(), 0, Counter()
    buried = []
    connection.call_later(PATIENCE, lambda: sys.exit("not all came: %s" % [one["routing_key"] for one in handled]))

    def finished():
        return len(handled) >= count and len(buried) >= (1 if poison else 0)

    def on_event(channel, method, properties, body):
        nonlocal repetitions
        if poison and poison.encode() in body:
            refused[properties.message_id] += 1
            channel.basic_nack(method.delivery_tag, requeue=True)
            return
        if properties.message_id in ids:
            repetitions += 1
        else:
            # Here the effect and the id would be written in one transaction.
            ids.add(properties.message_id)
            handled.append(told(method, properties, body))
        channel.basic_ack(method.delivery_tag)
        if finished():
            channel.stop_consuming()

    def on_dead(channel, method, properties, body):
        deaths = properties.headers.get("x-death", [])
        buried.append(
            {"event": told(method, properties, body), "reason": deaths[0]["reason"], "queue": deaths[0]["queue"]}
        )
        # Left where it is: not acknowledged.
        if finished():
            channel.stop_consuming()

    channel.basic_consume(queue, on_event)
    if poison:
        channel.basic_consume(dead(queue), on_dead)
    channel.start_consuming()
    connection.close()
    print(json.dumps({"handled": handled, "repetitions": repetitions, "refused": refused, "buried": buried}))


def send(url, exchange, key, message_id, body):
    connection, channel = connect(url)
    channel.confirm_delivery()
    now = datetime.now(timezone.utc)
    headers = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": message_id,
        "cloudEvents_source": "outsider",
        "cloudEvents_type": key,
        "cloudEvents_time": now.isoformat(),
        "cloudEvents_partitionkey": message_id,
        "x-version": 1,
    }
    properties = pika.BasicProperties(
        content_type="application/json",
        delivery_mode=2,
        message_id=message_id,
        type=key,
        timestamp=int(now.timestamp()),
        headers=headers,
    )
    for _ in range(PATIENCE * 10):
        try:
            channel.basic_publish(exchange, key, body.encode(), properties, mandatory=True)
            return connection.close()
        except pika.exceptions.UnroutableError:
            time.sleep(0.1)
    sys.exit("no queue takes %s" % key)


def drop(url, queue):
    connection, channel = connect(url)
    for _ in range(PATIENCE * 10):
        if channel.queue_declare(queue, passive=True).method.message_count == 0:
            channel.queue_delete(queue)
            return connection.close()
        time.sleep(0.1)
    sys.exit("%s is not read" % queue)


{"declare": declare, "read": read, "send": send, "drop": drop}[sys.argv[1]](*sys.argv[2:])

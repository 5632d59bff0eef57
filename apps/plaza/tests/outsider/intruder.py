"""What a login that is meant for `crm.` alone must not be able to do to Plaza. It needs pika and a login to the broker.

    intruder.py URL    tries everything; prints as JSON what the broker said to each attempt: a reply code, or 0 for yes
"""

import json
import sys

import pika

QUEUE = "identity.provision_owner"
EVENTS = "plaza.events"
OWN = "crm.contacts"
DEAD = "crm.dead"


def sneaky(exchange):
    """A queue of its own whose dead letters go where it may not publish."""
    arguments = {"x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": QUEUE}
    return lambda channel: channel.queue_declare("crm.sneaky" + exchange, arguments=arguments)


def publish(exchange, key):
    def attempt(channel):
        channel.confirm_delivery()
        channel.basic_publish(exchange, key, b"{}")

    return attempt


# In an order in which a login that may do everything can do each of them.
ATTEMPTS = {
    "publish into a queue of Plaza": publish("", QUEUE),
    "publish an event": publish(EVENTS, "tenant.created"),
    "publish what others read": publish("mail.exchange.direct", "mail.send"),
    "read a queue of Plaza": lambda channel: channel.basic_get(QUEUE),
    "bind a queue of Plaza to its own exchange": lambda channel: channel.queue_bind(QUEUE, DEAD, "any"),
    "bind Plaza's events to its own exchange": lambda channel: channel.exchange_bind(EVENTS, DEAD, "#"),
    "let its own dead letters go into a queue of Plaza": sneaky(""),
    "let its own dead letters become events": sneaky(EVENTS),
    "let what nobody takes become events": lambda channel: channel.exchange_declare(
        "crm.loud", "fanout", arguments={"alternate-exchange": EVENTS}
    ),
    "hear whom messages go to": lambda channel: channel.queue_bind(OWN, EVENTS, "broadcast.send"),
    "hear everything": lambda channel: channel.queue_bind(OWN, EVENTS, "#"),
    "hear everything, said otherwise": lambda channel: channel.queue_bind(OWN, EVENTS, "*.*"),
    "make a queue in Plaza's name": lambda channel: channel.queue_declare("identity.spy"),
    "unbind a queue of Plaza": lambda channel: channel.queue_unbind(QUEUE, EVENTS, "tenant.created"),
    "empty a queue of Plaza": lambda channel: channel.queue_purge(QUEUE),
    "delete a queue of Plaza": lambda channel: channel.queue_delete(QUEUE),
    "declare over a queue of Plaza": lambda channel: channel.queue_declare(QUEUE, durable=True),
    "delete the exchange of events": lambda channel: channel.exchange_delete(EVENTS),
    "declare over the exchange of events": lambda channel: channel.exchange_declare(EVENTS, "topic", durable=True),
}


def said(connection, attempt):
    channel = connection.channel()
    try:
        attempt(channel)
        return 0
    except pika.exceptions.ChannelClosedByBroker as closed:
        return closed.reply_code


connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
print(json.dumps({name: said(connection, attempt) for name, attempt in ATTEMPTS.items()}))
connection.close()

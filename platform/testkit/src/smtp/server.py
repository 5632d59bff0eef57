"""A receiver of mails on the loopback address, told what to do by the addresses that it gets mails for.

never@…       550: there is nobody
refused@…     554, once the text of the mail is there
denied@…      454 for each who is named, as where a login is wanted for mails to there
later-N.…@…   450, the first N times
silent-N.…@…  takes the mail and does not answer, the first N times
cut-N.…@…     takes the mail and closes the connection without an answer, the first N times

Prints a line of JSON for what happens: where it listens, and each mail that it took.
"""

import asyncio
import collections
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

OPTIONS = json.loads(sys.argv[1])
seen = collections.Counter()


def tell(**what):
    print(json.dumps(what), flush=True)


def times(address, word):
    """Whether the address asks for this once more."""
    local = address.split("@")[0]
    if not local.startswith(word + "-"):
        return False
    asked = int(local[len(word) + 1 :].split(".")[0])
    seen[word, address] += 1
    return seen[word, address] <= asked


def part(message, kind):
    body = message.get_body(preferencelist=(kind,))
    return body.get_content() if body else None


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("never@"):
            return "550 5.1.1 there is nobody"
        if address.startswith("denied@"):
            return "454 4.7.1 relay access denied"
        if times(address, "later"):
            return "450 4.2.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        address = envelope.rcpt_tos[0]
        if address.startswith("refused@"):
            return "554 5.7.1 not wanted"
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        tell(
            mail={
                "sender": envelope.mail_from,
                "recipients": envelope.rcpt_tos,
                "tls": server.transport.get_extra_info("ssl_object") is not None,
                "login": session.auth_data.decode() if session.auth_data else None,
                "subject": message["subject"],
                "from": message["from"],
                "headers": [[name, value] for name, value in message.items()],
                "text": part(message, "plain"),
                "html": part(message, "html"),
            }
        )
        if times(address, "silent"):
            await asyncio.sleep(3600)
        if times(address, "cut"):
            server.transport.abort()
            await asyncio.sleep(3600)
        return "250 2.0.0 taken"


def authenticator(server, session, envelope, mechanism, data):
    wanted = OPTIONS["login"]
    good = [data.login.decode(), data.password.decode()] == wanted
    return AuthResult(success=good, handled=False, auth_data=data.login if good else None)


async def main():
    context = None
    if OPTIONS["certificate"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(OPTIONS["certificate"], OPTIONS["key"])
    at_once = OPTIONS["tls"] == "at_once"

    def smtp():
        return SMTP(
            Handler(),
            hostname="mail.test",
            tls_context=None if at_once else context,
            require_starttls=context is not None and not at_once,
            authenticator=authenticator if OPTIONS["login"] else None,
            auth_required=bool(OPTIONS["login"]),
            auth_require_tls=False,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(smtp, "127.0.0.1", OPTIONS["port"], ssl=context if at_once else None)
    tell(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())

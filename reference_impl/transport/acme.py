"""A certificate from an ACME server (RFC 8555): ordered by name, proven over HTTP (HTTP-01), as the field automates it.

Needs the packages acme and josepy: ``pip install ps315[acme]``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reference_impl.transport.front import Identity

if TYPE_CHECKING:
    from acme import messages
    from acme.client import ClientV2

CHALLENGE_PORT = 80
"""Where an ACME server asks for the proof (RFC 8555 8.3), unless it was told otherwise."""

_AGENT = "ps315"
_RSA_BITS = 2048


class AcmeError(RuntimeError):
    """No certificate could be obtained; the text says why, in one sentence."""


@dataclass(frozen=True)
class AcmeOrder:
    """What to order and where.

    `directory` is the URL of the ACME server's directory, `authorities` a PEM file of roots by which that server's own
    certificate is verified (by default the system's). The proof is served at `host` and `port`, to which every one of
    `names` has to lead. `seconds` bound the whole.
    """

    directory: str
    names: tuple[str, ...]
    authorities: Path | None = None
    host: str = ""
    port: int = CHALLENGE_PORT
    contact: str | None = None
    seconds: float = 60.0


def obtain_identity(order: AcmeOrder) -> Identity:
    """Order a certificate for an RSA key made here, and return it with its chain.

    Raises `AcmeError` when the packages are missing, the server cannot be reached or trusted, refuses the order, or
    does not finish in time.
    """
    try:
        from acme import crypto_util, errors, messages
        from requests import exceptions
    except ImportError:
        raise AcmeError("the packages for ACME are missing; install ps315[acme]") from None
    if not order.names:
        raise AcmeError("an order needs a name")
    key = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    deadline = datetime.now() + timedelta(seconds=order.seconds)  # the library compares naive local times
    try:
        client = _account(order)
        placed = client.new_order(crypto_util.make_csr(pem, list(order.names)))
        with _proofs(client, placed, order):
            fulfilled = client.poll_and_finalize(placed, deadline)
    except messages.Error as problem:
        raise AcmeError(f"{order.directory}: {problem.detail or problem.typ}") from None
    except errors.ValidationError as problem:
        raise AcmeError(f"{order.directory}: {_reasons(problem.failed_authzrs)}") from None
    except errors.TimeoutError:
        raise AcmeError(f"{order.directory}: no certificate within {order.seconds:g} s") from None
    except exceptions.SSLError:
        raise AcmeError(f"{order.directory}: the server's own certificate is not trusted; name its root") from None
    except exceptions.Timeout:
        raise AcmeError(f"{order.directory}: does not answer") from None
    except exceptions.ConnectionError:
        raise AcmeError(f"{order.directory}: cannot be reached") from None
    except exceptions.RequestException as problem:
        raise AcmeError(f"{order.directory}: {problem}") from None
    except OSError as problem:
        raise AcmeError(f"{order.host or 'any address'}:{order.port}: no proof can be served: {problem}") from None
    except (errors.Error, ValueError, KeyError) as problem:
        raise AcmeError(f"{order.directory}: {type(problem).__name__}: {problem}") from None
    chain = tuple(x509.load_pem_x509_certificates(fulfilled.fullchain_pem.encode()))
    if chain[0].public_key() != key.public_key():
        raise AcmeError(f"{order.directory}: the certificate is for another key than the one that was ordered for")
    return Identity(chain, key)


def _account(order: AcmeOrder) -> ClientV2:
    """A client with an account of its own, made now: an account outlives no process here."""
    from acme import client, messages
    from josepy.jwa import ES256
    from josepy.jwk import JWKEC

    account_key = JWKEC(key=ec.generate_private_key(ec.SECP256R1()))
    trust: bool | str = True if order.authorities is None else str(order.authorities)
    network = client.ClientNetwork(
        account_key,
        alg=ES256,
        verify_ssl=trust,  # type: ignore[arg-type]  # requests takes the path of a PEM file too
        user_agent=_AGENT,
        timeout=max(1, int(order.seconds)),
    )
    found = client.ClientV2(client.ClientV2.get_directory(order.directory, network), network)
    found.new_account(messages.NewRegistration.from_data(email=order.contact, terms_of_service_agreed=True))
    return found


@contextmanager
def _proofs(client: ClientV2, placed: messages.OrderResource, order: AcmeOrder) -> Iterator[None]:
    """Serve the proof for every name while the block runs, and tell the server to look."""
    from acme import standalone

    chosen = [_http_01(each) for each in placed.authorizations]
    answers = [(each, *each.response_and_validation(client.net.key)) for each in chosen]
    resources = {
        standalone.HTTP01RequestHandler.HTTP01Resource(chall=each.chall, response=response, validation=validation)
        for each, response, validation in answers
    }
    server = standalone.HTTP01Server((order.host, order.port), resources)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="acme proofs", daemon=True)
    thread.start()
    try:
        for each, response, _ in answers:
            client.answer_challenge(each, response)
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _http_01(authorization: messages.AuthorizationResource) -> messages.ChallengeBody:
    from acme import challenges

    offered: Sequence[messages.ChallengeBody] = authorization.body.challenges
    for each in offered:
        if isinstance(each.chall, challenges.HTTP01):
            return each
    kinds = ", ".join(str(each.chall.typ) for each in offered)
    raise AcmeError(f"the server wants a proof by {kinds or 'nothing'}; only http-01 can be given")


def _reasons(failed: Sequence[messages.AuthorizationResource]) -> str:
    """Why the server did not believe a proof."""
    said = [
        f"{authorization.body.identifier.value}: {challenge.error.detail}"
        for authorization in failed
        for challenge in authorization.body.challenges
        if challenge.error is not None
    ]
    return "; ".join(said) or "the proof was not believed"


__all__ = ["CHALLENGE_PORT", "AcmeError", "AcmeOrder", "obtain_identity"]

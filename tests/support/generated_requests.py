"""Requests that are generated from the OpenAPI description, and the server that they are sent to.

The generator tries the limits of every parameter of an operation and what lies beyond, and random requests besides.
"""

import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import httpx2
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.schemas import wrap_test_function
from schemathesis.transport.requests import ManagedCookiesSession
from starlette.types import ASGIApp

from jeton.bootstrap.server import assemble
from jeton.crypto.credentials import digest_secret
from jeton.oauth.clients import SECRET_METHODS
from jeton.storage.clients import insert_client
from jeton.storage.users import insert_user
from support.builders import client, user
from support.in_process_server import PASSWORD, SESSIONS, settings_for

_CLIENT_ID: Final = "fuzz"
_SECRET: Final = "jcs_for_the_generator_only"
_PLACEHOLDER: Final = "Bearer placeholder"
# A well-formed request with a made-up password or token is refused, and rightly so.
_EXCLUDED: Final = [schemathesis.checks.positive_data_acceptance]

_Case: TypeAlias = "schemathesis.Case[Any]"


@schemathesis.auth().apply_to(path_regex="^/oauth/(?!register)")
class _ClientAuthentication:
    """Client authentication. The generator may omit it; the request must then be refused."""

    def get(self, case: _Case, context: schemathesis.AuthContext) -> tuple[str, str]:
        return (_CLIENT_ID, _SECRET)

    def set(self, case: _Case, data: tuple[str, str], context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = "Basic " + b64encode(":".join(data).encode()).decode()


@schemathesis.auth().apply_to(path_regex="^/account")
class _AccessToken:
    """An access token that is added when a request is sent, because many requests end their session."""

    def get(self, case: _Case, context: schemathesis.AuthContext) -> str:
        return _PLACEHOLDER

    def set(self, case: _Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = data


class GeneratedRequests:
    """Sends the requests that are generated for the operations of a description."""

    def __init__(self, description: dict[str, Any], http: httpx2.Client) -> None:
        self._schema = schemathesis.openapi.from_dict(description)
        self._http = http
        self._session = ManagedCookiesSession()
        # Otherwise it looks for proxies in the environment at each request.
        self._session.trust_env = False

    def send_all(self, operation: str) -> None:
        """Send the requests for one operation, such as "GET /healthz". Fail if a response is not described."""

        @settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        def send(case: _Case) -> None:
            self._send(case)

        only_this = self._schema.include(name=operation)
        test_func = wrap_test_function(send)
        (test,) = get_all_tests(schema=only_this, test_func=test_func, settings=None, given_kwargs=None)
        assert isinstance(test, Ok), test
        _, send_generated = test.ok()
        send_generated()

    def _send(self, case: _Case) -> None:
        if case.headers.get("Authorization") == _PLACEHOLDER:
            form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
            answer = self._http.post("/oauth/token", data=form, auth=(_CLIENT_ID, _SECRET))
            case.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        address = str(self._http.base_url).rstrip("/")
        case.call_and_validate(base_url=address, session=self._session, excluded_checks=_EXCLUDED)

    def close(self) -> None:
        self._session.close()


@contextmanager
def generated_requests(description: dict[str, Any], database_url: str) -> Iterator[GeneratedRequests]:
    """Start a server on a free port, for generated requests."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = _server_with_client_and_user(database_url)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    with httpx2.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as http:
        requests = GeneratedRequests(description, http)
        yield requests
        requests.close()
    server.should_exit = True
    thread.join(timeout=30)


def _server_with_client_and_user(url: str) -> ASGIApp:
    server = assemble(settings_for(url, REGISTRATION__DYNAMIC="open", LIMITS__REGISTRATIONS_PER_ADDRESS="0"))
    registered = client(
        _CLIENT_ID,
        introspect=True,
        auth_methods=frozenset(SECRET_METHODS),
        grant_types=SESSIONS | {"client_credentials"},
        scope=frozenset({"account", "read"}),
        secret_digest=digest_secret(_SECRET),
    )
    with server.parts.storage.database.write() as connection:
        insert_client(connection, registered)
        insert_user(connection, user(password_hash=server.parts.logins.passwords.hash(PASSWORD)))
    return server.app

"""What HTTP alone costs: this server's HTTP connections with an application that reads a form and answers JSON."""

import asyncio
import multiprocessing
import tempfile
import time
from typing import Any, Final, cast

import uvicorn

import processor_time
from footprint import has_answered
from jeton.http1.connection_factory import ConnectionFactory
from load import HERE, THREADS, word_before, wrk
from support.server_processes import free_port

# As long as what a refresh sends and gets.
FORM: Final = "grant_type=refresh_token&refresh_token=" + "x" * 120
BODY: Final = b'{"access_token":"' + b"x" * 900 + b'","token_type":"Bearer","expires_in":600}'
_SECONDS: Final = 3


async def _application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


def _serve(port: int) -> None:
    http = cast("type[asyncio.Protocol]", ConnectionFactory(1000))
    uvicorn.run(
        _application, port=port, http=http, ws="none", lifespan="off", loop="uvloop", access_log=False, log_config=None
    )


def measure_http() -> float:
    """Return the processor time of a request in seconds."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=[port])
    process.start()
    try:
        while not has_answered(port):
            time.sleep(0.05)
        assert process.pid is not None
        with tempfile.NamedTemporaryFile("w") as file:
            file.write((FORM + "\n") * THREADS)
            file.flush()
            before = processor_time.of_process(process.pid)
            script = [str(HERE / "requests.lua"), f"http://127.0.0.1:{port}"]
            output = wrk([*script, "--", file.name, str(THREADS), "Basic eA==", "POST", "/"], _SECONDS)
            used = processor_time.of_process(process.pid) - before
        return used / int(word_before(output, " requests in"))
    finally:
        process.terminate()
        process.join()


if __name__ == "__main__":
    print(f"{1e6 * measure_http():.0f} microseconds")

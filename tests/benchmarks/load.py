"""Closed-loop load from wrk: each connection asks again as soon as it is answered.

wrk is written in C and takes a small part of one core, so what is measured is the server. The
latencies are wrk's own: where the slowest answers hold others up it adds the waits that
a steady caller would have seen.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.benchmarks.failure import BenchmarkFailed

GRACE_S = 30.0
SCRIPT = """
local file = assert(io.open("{body}", "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
{headers}
file:close()

local threads = {{}}
function setup(thread) table.insert(threads, thread) end

other_than_200 = 0
function response(status)
  if status ~= 200 then other_than_200 = other_than_200 + 1 end
end

function done(summary, latency, requests)
  local refused = 0
  for _, thread in ipairs(threads) do refused = refused + thread:get("other_than_200") end
  local errors = summary.errors
  io.write(string.format(
    '\\n{{"requests": %d, "duration_us": %d, "p50_us": %d, "p95_us": %d, "p99_us": %d, "refused": %d, "broken": %d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(95), latency:percentile(99), refused,
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one stretch of load found.

    Attributes
    ----------
    refused : int
        Answers with another status than 200.
    broken : int
        Connections that could not be made, read, written, or timed out.
    """

    requests: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    refused: int
    broken: int


def wrk() -> str:
    """Where wrk is.

    Raises
    ------
    BenchmarkFailed
        When it is not installed.
    """
    found = shutil.which("wrk")
    if found is None:
        raise BenchmarkFailed("wrk is not on PATH; install the Debian package `wrk`")
    return found


def put_under_load(
    url: str,
    body: bytes,
    connections: int,
    seconds: int,
    folder: Path,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Load:
    """POST one body again and again over keep-alive connections.

    Parameters
    ----------
    folder : Path
        A temporary folder for the body and wrk's script.
    """
    (folder / "body").write_bytes(body)
    script = folder / "post.lua"
    more = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())
    script.write_text(SCRIPT.format(body=folder / "body", headers=more), encoding="utf-8")
    command = [wrk(), "-t", "1", "-c", str(connections), "-d", f"{seconds}s"]
    try:
        done = subprocess.run(
            [*command, "-s", str(script), url],
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + GRACE_S,
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        raise BenchmarkFailed(f"wrk gave no figures ({type(error).__name__})") from error
    return Load(
        requests=found["requests"],
        requests_per_s=found["requests"] / found["duration_us"] * 1e6,
        p50_ms=found["p50_us"] / 1e3,
        p95_ms=found["p95_us"] / 1e3,
        p99_ms=found["p99_us"] / 1e3,
        refused=found["refused"],
        broken=found["broken"],
    )

"""Serve the tiny artifact with two replicas on a local Ray and compare with the library.

Run by test_ray_app.py in a process of its own, as Ray leaves threads behind.
"""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import ray
from ray import serve

import yinzi
from yinzi.serve.ray_app import build


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(artifact: str) -> None:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    port = free_port()
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    arguments = {"n_replicas": "2", "n_cpus": "0.5", "artifact": artifact, "insecure": "true"}
    serve.run(build(arguments), route_prefix="/")
    converter = yinzi.load(artifact)
    lines = ["nihao", "xian", "woyaomaijipiao", "fangan", ""] * 4
    expected = [[one.text for one in found] for found in converter.convert_batch(lines, n_best=3)]

    def ask(line: str) -> list[str]:
        body = json.dumps({"pinyin": line, "n_best": 3}).encode()
        for _ in range(20):
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/convert",
                body,
                {"Content-Type": "application/json"},
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    found = json.load(answer)
                    return [one["text"] for one in found["candidates"]]
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                time.sleep(0.5)
        raise SystemExit("no answer")

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(ask, lines))
    assert found == expected, (found, expected)
    deployment = serve.status().applications["default"].deployments["yinzi"]
    replicas = {
        state.name if hasattr(state, "name") else state: n
        for state, n in deployment.replica_states.items()
    }
    assert replicas == {"RUNNING": 2}, replicas
    serve.shutdown()
    ray.shutdown()
    print("two replicas answer as the library does")


if __name__ == "__main__":
    main(sys.argv[1])

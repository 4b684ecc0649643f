"""Lines of a log of a service, made up: for benchmarks of compression."""

from __future__ import annotations

import json
import random


def log(seed: int, size: int) -> list[bytes]:
    """Return lines until there are so many bytes; other seeds give other days."""
    rng, now, lines, written = random.Random(seed), 1_764_000_000 + 40_000_000 * seed, [], 0
    while written < size:
        now += rng.randint(0, 9)
        line = {
            "ts": now,
            "level": rng.choice(["INFO", "INFO", "INFO", "WARN", "ERROR"]),
            "svc": rng.choice(["api", "auth", "billing"]),
            "method": rng.choice(["GET", "POST"]),
            "path": rng.choice(["/v1/users/", "/v1/orders/", "/health", "/v1/items/"]) + str(rng.randint(1, 9999)),
            "status": rng.choice([200, 200, 200, 404, 500]),
            "ms": round(rng.expovariate(1 / 40), 1),
            "req": f"{rng.getrandbits(32):08x}",
        }
        lines.append(json.dumps(line).encode() + b"\n")
        written += len(lines[-1])
    return lines

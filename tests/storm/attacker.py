"""Attacks a Spider and the car behind it until it is ended: conversations of viewers, or strangers of all kinds.

    attacker.py conversations BASE KEY SEED             one after another, each with the next seed; a line for each
    attacker.py once BASE KEY SEED                      the conversation of that seed
    attacker.py strangers BASE KEY SEED PORTS SHARE     PORTS as JSON: {"tcp": [plain, tls], "udp": [...]}
"""

import asyncio
import json
import random
import sys

import stranger
from conversation import Conversation


async def conversations(base: str, key: str, seed: int) -> None:
    """Until it is ended."""
    while True:
        print(f"begins {seed}", flush=True)
        print(f"{seed} {await Conversation(seed, base, key).run()}", flush=True)
        seed += 1


async def main() -> None:
    """What the command line asks for."""
    what, base, key, seed = *sys.argv[1:4], int(sys.argv[4])
    match what:
        case "once":
            print(await Conversation(seed, base, key).run())
        case "conversations":
            await conversations(base, key, seed)
        case "strangers":
            ports, share = json.loads(sys.argv[5]), float(sys.argv[6])
            await asyncio.gather(*stranger.all_of(random.Random(seed), base, ports, key, share))
        case _:
            sys.exit(__doc__)


asyncio.run(main())

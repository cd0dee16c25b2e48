"""A Ray cluster of two nodes on this machine, for as long as its standard input is open.

Tells its address and the process of the second node's raylet as a line of JSON.
"""

import json
import sys

from ray.cluster_utils import Cluster

from tests.orchestrator.runs import PATIENCE_S

if __name__ == "__main__":
    cluster = Cluster()
    cluster.add_node(wait=False, num_cpus=1, num_gpus=1, include_dashboard=False)
    second = cluster.add_node(wait=False, num_cpus=1)
    cluster.wait_for_nodes(PATIENCE_S)
    raylet = second.all_processes["raylet"][0].process.pid
    print(json.dumps({"address": cluster.address, "raylet": raylet}), flush=True)
    sys.stdin.read()
    cluster.shutdown()

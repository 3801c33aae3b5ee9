"""What one service exports at /metrics: `python -m tests.deploy.exported ordering`, as JSON.

In a process of its own, which has no other service's metrics. Nothing is connected to.
"""

import importlib
import json
import sys

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from service_kit.runtime import telemetry

NOBODY = {
    "nats_url": "nats://nobody.invalid",
    "jwks": "nowhere.json",
    "issuer": "nobody",
    "database_url": "postgresql+asyncpg://nobody.invalid/comanda",
    "mongodb_url": "mongodb://nobody.invalid/comanda",
}


def metrics_of(service: str) -> list[dict[str, object]]:
    """Each of our metrics: its name, type, labels and meaning."""
    settings_type = importlib.import_module(f"{service}.settings").Settings
    fields = settings_type.model_fields
    settings = settings_type(**{name: it for name, it in NOBODY.items() if name in fields})
    telemetry.start(service, settings)
    importlib.import_module(f"{service}.bootstrap").bootstrap(settings)
    found = [each for each in REGISTRY._collector_to_names if isinstance(each, MetricWrapperBase)]
    return [
        {
            "name": f"{each._name}_total" if each._type == "counter" else each._name,
            "type": each._type,
            "labels": list(each._labelnames),
            "meaning": each._documentation,
        }
        for each in found
    ]


if __name__ == "__main__":
    print(json.dumps(metrics_of(sys.argv[1])))

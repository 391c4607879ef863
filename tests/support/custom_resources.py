"""Schemas of the custom resources that the chart makes: what it may write, and what each must have.

Kubernetes' own schemas do not have them. These are the parts that the chart uses of the Prometheus Operator's
`monitoring.coreos.com/v1` and of KEDA's `keda.sh/v1alpha1`; a key beyond them is an error until it is added here.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string", "minLength": 1}
WORDS = {"type": "object", "additionalProperties": {"type": "string"}}
WHOLE = {"type": "integer", "minimum": 0}
DURATION = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"}


def exactly(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def several(item: dict[str, Any]) -> dict[str, Any]:
    """A list with at least one item."""
    return {"type": "array", "items": item, "minItems": 1}


def resource(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A whole object."""
    metadata = exactly({"name": TEXT}, labels=WORDS, annotations=WORDS)
    return exactly(
        {"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": metadata, "spec": spec}
    )


RULE = exactly({"alert": TEXT, "expr": TEXT}, labels=WORDS, annotations=WORDS, **{"for": DURATION})

POLICY = exactly({"type": {"enum": ["Pods", "Percent"]}, "value": WHOLE, "periodSeconds": WHOLE})
SCALING = exactly({"policies": several(POLICY)}, stabilizationWindowSeconds=WHOLE)

KAFKA_TRIGGER = exactly(
    {
        "type": {"const": "kafka"},
        # KEDA takes text only, and limitToPartitionsWithLag needs the topic.
        "metadata": {
            **WORDS,
            "required": ["bootstrapServers", "consumerGroup", "topic", "lagThreshold"],
            "properties": {
                "limitToPartitionsWithLag": {"const": "true"},
                "excludePersistentLag": {"const": "true"},
            },
        },
    },
    authenticationRef=exactly(
        {"name": TEXT}, kind={"enum": ["TriggerAuthentication", "ClusterTriggerAuthentication"]}
    ),
)

CUSTOM_RESOURCES: dict[str, dict[str, Any]] = {
    "PodMonitor": resource(
        "monitoring.coreos.com/v1",
        "PodMonitor",
        exactly(
            {
                "selector": exactly({"matchLabels": WORDS}),
                "podMetricsEndpoints": several(exactly({"port": TEXT}, path=TEXT, interval=DURATION)),
            }
        ),
    ),
    "PrometheusRule": resource(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        exactly({"groups": several(exactly({"name": TEXT, "rules": several(RULE)}))}),
    ),
    "ScaledObject": resource(
        "keda.sh/v1alpha1",
        "ScaledObject",
        exactly(
            {
                "scaleTargetRef": exactly({"name": TEXT}, apiVersion=TEXT, kind=TEXT),
                "triggers": several(KAFKA_TRIGGER),
            },
            minReplicaCount=WHOLE,
            maxReplicaCount=WHOLE,
            pollingInterval=WHOLE,
            advanced=exactly(
                {"horizontalPodAutoscalerConfig": exactly({"behavior": exactly({"scaleDown": SCALING})})}
            ),
        ),
    ),
}

"""`kafka.auth`: tokens for SASL/OAUTHBEARER, from AWS or from a Python function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema, model_validator

from worker.settings.section import Section
from worker.settings.values import InvalidValueError, Nullable, Text

_EXAMPLES = [
    {"type": "aws_msk_iam", "region": "eu-west-1"},
    {"type": "token", "provider": "mappers.tokens:kafka_token"},
]

_REQUIRED = {
    "aws_msk_iam": ("region", "the AWS region of the cluster: region: eu-west-1"),
    "token": ("provider", "a Python function without arguments: provider: 'module:function'"),
}
"""The key that each type needs, which the other one does not have."""

_TLS = {"SASL_SSL", "SASL_PLAINTEXT"}
_MECHANISM = {"sasl.mechanism", "sasl.mechanisms"}


class KafkaAuth(Section):
    """How the Kafka clients get tokens."""

    type: Literal["aws_msk_iam", "token"] = Field(
        description="aws_msk_iam: signs tokens for Amazon MSK with the credentials that AWS's tools find. token: "
        "calls a Python function."
    )
    region: Text | None = Field(default=None, description="aws_msk_iam: the AWS region of the cluster.")
    provider: Text | None = Field(
        default=None,
        description="token: module:function, found as mappers are. It is called without arguments, from a thread of "
        "its own, and returns (token, expires_at) or (token, expires_at, principal, extensions); "
        "expires_at is in epoch seconds.",
    )

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> KafkaAuth:
        needed, hint = _REQUIRED[self.type]
        if getattr(self, needed) is None:
            raise InvalidValueError(f"{self.type} needs the key {needed}", hint)
        for other, _ in _REQUIRED.values():
            if other != needed and getattr(self, other) is not None:
                raise InvalidValueError(
                    f"does not go with type: {self.type}", f"it takes {needed}", key=other
                )
        return self


_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {
                "type": "object",
                "properties": {"type": {"const": kind}, key: {"type": "string", "minLength": 1}},
                "required": ["type", key],
                "additionalProperties": False,
            }
            for kind, (key, _) in _REQUIRED.items()
        ]
        + [{"type": "null"}]
    }
)

Auth = Annotated[Annotated[KafkaAuth | None, Nullable], _SCHEMA]

AUTH_FIELD = Field(
    default=None,
    description="Tokens for SASL/OAUTHBEARER. Sets security.protocol to SASL_SSL and sasl.mechanisms to "
    "OAUTHBEARER. For passwords, certificates and OIDC set properties.",
    examples=_EXAMPLES,
)


def conflicts_with(properties: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The properties that do not go with `kafka.auth`: each with what is wrong and what to do."""
    for name, value in properties.items():
        if name == "security.protocol" and value.upper() not in _TLS:
            yield name, "must be SASL_SSL with kafka.auth", "leave it out: kafka.auth sets it"
        elif name in _MECHANISM and value.upper() != "OAUTHBEARER":
            yield name, "must be OAUTHBEARER with kafka.auth", "leave it out: kafka.auth sets it"
        elif name.startswith("sasl.") and name not in _MECHANISM:
            yield name, "does not go with kafka.auth, which gets the tokens", "remove it, or kafka.auth"

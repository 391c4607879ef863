"""A real Kafka that asks who its clients are: SASL, TLS, client certificates and tokens, each on its own listener."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from tests.support.certificates import Authority, TokenSigner, keystore
from tests.support.kafka_cluster import BOOT_SECONDS, KafkaCluster, free_ports

USER, PASSWORD = "worker", "right-password"

PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:{PLAINTEXT},CONTROLLER://127.0.0.1:{CONTROLLER},{listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{PLAINTEXT},{listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PASSWORD:SASL_PLAINTEXT,LOGIN:SASL_SSL,\
TLS:SSL,MUTUAL:SSL,OTHERHOST:SSL,EXPIRED:SSL,TOKEN:SASL_SSL,SIGNED:SASL_SSL
controller.quorum.voters=1@127.0.0.1:{CONTROLLER}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
{plain}
{scram}
listener.name.token.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.token.oauthbearer.sasl.jaas.config={oauth} required unsecuredLoginStringClaim_sub="broker";
listener.name.signed.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.signed.oauthbearer.sasl.jaas.config={oauth} required;
listener.name.signed.oauthbearer.sasl.server.callback.handler.class=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.signed.sasl.oauthbearer.jwks.endpoint.url=file://{jwks}
listener.name.signed.sasl.oauthbearer.expected.audience=kafka
listener.name.signed.sasl.oauthbearer.expected.issuer=tests
ssl.keystore.type=PEM
ssl.keystore.location={store}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
listener.name.mutual.ssl.client.auth=required
listener.name.otherhost.ssl.keystore.type=PEM
listener.name.otherhost.ssl.keystore.location={other_store}
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location={expired_store}
"""

LISTENERS = ("PASSWORD", "LOGIN", "TLS", "MUTUAL", "OTHERHOST", "EXPIRED", "TOKEN", "SIGNED")


class SecureKafka(KafkaCluster):
    """One node.

    The user `worker` has the password `right-password` (PLAIN, SCRAM-SHA-256 and -512).

    Attributes:
        servers: the address of each listener: PASSWORD (SASL without TLS), LOGIN (SASL with TLS), TLS, MUTUAL (client
            certificates), OTHERHOST and EXPIRED (certificates of another host, and of yesterday), TOKEN (unsigned
            tokens), SIGNED (signed ones).
        ca: the certificate of the authority that signed the brokers' certificates.
        client: key and certificate of a client.
        stranger: key and certificate of a client that another authority has signed; and that authority's certificate.
        signer: signs the tokens that SIGNED takes.
    """

    def __init__(self, directory: Path) -> None:
        authority = Authority(directory / "tls", "tests")
        other = Authority(directory / "other", "someone else")
        self.ca = authority.certificate
        self.client = authority.issue("client")
        self.stranger = (*other.issue("client"), other.certificate)
        self.signer = TokenSigner(directory / "tokens")
        ports = dict(
            zip(("PLAINTEXT", "CONTROLLER", *LISTENERS), free_ports(2 + len(LISTENERS)), strict=True)
        )
        self.servers = {name: f"127.0.0.1:{ports[name]}" for name in LISTENERS}
        self._more = PROPERTIES.format(
            **ports,
            listeners=",".join(f"{name}://{self.servers[name]}" for name in LISTENERS),
            plain="\n".join(
                _login(
                    name,
                    "plain",
                    f'PlainLoginModule required user_{USER}="{PASSWORD}" user_$ConnectionString="{PASSWORD}"',
                )
                for name in ("password", "login")
            ),
            scram="\n".join(
                _login(name, mechanism, "ScramLoginModule required")
                for name in ("password", "login")
                for mechanism in ("scram-sha-256", "scram-sha-512")
            ),
            oauth="org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
            jwks=self.signer.jwks,
            store=keystore(directory, *authority.issue("broker", host="127.0.0.1")),
            other_store=keystore(directory, *authority.issue("elsewhere", host="kafka.example.com")),
            expired_store=keystore(directory, *authority.issue("old", host="127.0.0.1", expired=True)),
            ca=self.ca,
        )
        super().__init__(directory)
        self.bootstrap_servers = f"127.0.0.1:{ports['PLAINTEXT']}"

    def forbid(self, name: str, operation: AclOperation = AclOperation.ALL) -> None:
        """Take a right, or all, to the topic and the group of this name from the user `worker`."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        bindings = [
            AclBinding(kind, name, ResourcePatternType.LITERAL, user, "*", right, permission)
            for kind in (ResourceType.TOPIC, ResourceType.GROUP)
            # What has one ACL has no rights but those of its ACLs.
            for user, right, permission in (
                ("User:*", AclOperation.ALL, AclPermissionType.ALLOW),
                (f"User:{USER}", operation, AclPermissionType.DENY),
            )
        ]
        for done in admin.create_acls(bindings).values():
            done.result(BOOT_SECONDS)

    def _format(self, *options: str) -> None:
        with self._properties.open("a") as properties:
            properties.write(self._more)  # where a property stands twice, the later one counts
        scram = [
            f"{mechanism}=[name={USER},password={PASSWORD}]"
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        ]
        super()._format(*options, *(option for each in scram for option in ("--add-scram", each)))

    def _java(self, main: str, *arguments: str) -> list[str]:
        java, *rest = super()._java(main, *arguments)
        return [java, f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{self.signer.jwks}", *rest]


def _login(listener: str, mechanism: str, module: str) -> str:
    kind = "plain" if mechanism == "plain" else "scram"
    package = f"org.apache.kafka.common.security.{kind}"
    return f"listener.name.{listener}.{mechanism}.sasl.jaas.config={package}.{module};"

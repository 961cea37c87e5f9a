"""How connections are made and taken: TLS on both sides, the PROXY protocol, health checks, files of sockets."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from gateway.settings.base import Fault, Section, fail_on, wrong
from gateway.settings.names import Listed, Network, Text
from gateway.settings.units import Duration, Flag, PositiveDuration, Whole

_MODE = re.compile(r"0?[0-7]{3}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


def _mode(value: object) -> str:
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise wrong('must be the mode of a file in quotes, such as "0660"')
    return value


def _path(value: str) -> str:
    if not value.startswith("/") or any(sign in value for sign in "?#% ") or not value.isprintable():
        raise wrong("must be a path such as /healthz")
    if not value.isascii():
        raise wrong("must be ASCII: percent-encode the rest")
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise wrong("must be a host name, such as api.internal")
    return value


FileMode = Annotated[str, PlainValidator(_mode)]
CheckPath = Annotated[Text, AfterValidator(_path)]
HostName = Annotated[Text, AfterValidator(_host)]


class TlsSettings(Section):
    """TLS on the listener."""

    cert: Text = Field(
        description="The PEM file of the certificate and its chain. New contents are taken up while the gateway runs; "
        "what cannot be used is refused with the reason, and the old one stays."
    )
    key: Text = Field(description="The PEM file of its private key, not encrypted.")


class ProxyProtocolSettings(Section):
    """Load balancers in front that speak the PROXY protocol (version 1 or 2)."""

    networks: Annotated[tuple[Network, ...], *Listed] = Field(
        default=(),
        description="Their networks. Connections from there must begin with the header, and the client's address is "
        "what it says; connections from elsewhere are taken as they come. Not for a Unix socket: there everybody must.",
    )


class UpstreamTlsSettings(Section):
    """TLS to an upstream with an https URL."""

    ca: Text | None = Field(
        default=None,
        description="The PEM file of those who vouch for the upstream's certificate. `null`: whom the system trusts.",
    )
    server_name: HostName | None = Field(
        default=None,
        description="The name that is asked for (SNI) and that the certificate must have. `null`: the host of the URL.",
    )
    cert: Text | None = Field(
        default=None, description="The PEM file of the gateway's own certificate, for upstreams that ask who calls."
    )
    key: Text | None = Field(default=None, description="The PEM file of its private key, not encrypted.")
    verify: Flag = Field(
        default=True,
        description="`false`: any certificate will do, so anybody on the way can read and change everything.",
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        faults = []
        if (self.cert is None) != (self.key is None):
            lone, missing = ("cert", "key") if self.key is None else ("key", "cert")
            faults.append(Fault((lone,), f"needs {missing} as well"))
        if not self.verify and self.ca is not None:
            faults.append(Fault(("ca",), "does nothing with verify: false"))
        fail_on(faults)
        return self


class HealthSettings(Section):
    """Active checks: every address of the upstream is asked now and then."""

    path: CheckPath | None = Field(
        default=None, description="What is asked with GET: a 2xx or 3xx is good. `null`: nothing is asked."
    )
    interval: PositiveDuration = Field(default=Duration.parse("5s"), description="How often each address is asked.")
    timeout: PositiveDuration = Field(default=Duration.parse("2s"), description="How long it may take to answer.")
    healthy_after: Annotated[Whole, Field(ge=1, le=100)] = Field(
        default=2, description="So many good answers in a row bring an address back."
    )
    unhealthy_after: Annotated[Whole, Field(ge=1, le=100)] = Field(
        default=3, description="So many bad ones in a row take it out. If all are out, all are used."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        fields = type(self).model_fields
        changed = [key for key in fields if key != "path" and getattr(self, key) != fields[key].default]
        fail_on([Fault((key,), "does nothing without path") for key in changed if self.path is None])
        return self

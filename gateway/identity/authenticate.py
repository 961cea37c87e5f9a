"""Who a request acts for. One meaning of *anonymous*: no configured carrier is there.

A carrier that is there and not understood, expired or forged is 401; two credentials that disagree are 400. On public
rules credentials are neither needed nor judged (unless ``anonymous: reject`` says that nobody passes without one).
The gateway's own keys, and identity headers that a client sends, never go upstream.
"""

from dataclasses import replace
from functools import lru_cache, partial, reduce

from gateway.core.principal import Principal
from gateway.core.problems import Forbidden
from gateway.identity.address import Networks, client_network
from gateway.identity.api_keys import ApiKey
from gateway.identity.carriers import (
    AUTHORIZATION,
    COOKIE,
    FORWARDED_FOR,
    FieldReader,
    Fields,
    Headers,
    QueryGlance,
    canonical_name,
)
from gateway.identity.config import Identified, IdentityConfig
from gateway.identity.credential import Credential, together, unauthorized
from gateway.identity.issuers import NeedsKeys
from gateway.identity.outcomes import Outcomes
from gateway.identity.peers import peer_credential
from gateway.identity.proofs import ProofReader
from gateway.identity.workspace import asked_workspace

_NONE: frozenset[bytes] = frozenset()
_KNOWN_ADDRESSES = 16_384


class Authenticator:
    """Identifies requests. Raises ``ValueError`` when made from a configuration that cannot work."""

    def __init__(self, config: IdentityConfig) -> None:
        if config.trusted_proxies < 0:
            raise ValueError("trusted_proxies must not be negative")
        self._config = config
        self._proofs = ProofReader(config)
        self._networks = Networks(() if config.peers is None else config.peers.networks)
        self._peer_names = _NONE if config.peers is None else config.peers.names
        carriers = self._proofs.headers
        self._told = config.telling.names
        if overlap := (self._peer_names | self._told) & (carriers | {AUTHORIZATION}):
            raise ValueError(f"a header cannot carry both a credential and a peer's word, or ours: {sorted(overlap)}")
        if overlap := self._told & {canonical_name(name) for name in _of(config.workspace.header)}:
            raise ValueError(f"a header cannot be the clients' word and ours: {sorted(overlap)}")
        self._reader = FieldReader(self._wanted())
        self.query_matters = QueryGlance(self._proofs.queries | _of(config.workspace.query))
        self._ways = self._name_ways()
        self._outcomes = Outcomes(config.cached_tokens)
        self._public_outcomes = Outcomes(max(1, config.cached_tokens // 16))
        self.rotates, self._generation = self._proofs.rotates, 0
        """Whether an issuer's keys can change under way: else ``changes`` is ``forgot``."""
        self.forgot = 0
        """How often everything was dropped."""
        self._nobody_at = lru_cache(_KNOWN_ADDRESSES)(partial(Principal, "anonymous", None, None))

    async def identify(
        self,
        headers: Headers,
        query: bytes,
        peer_ip: str,
        now_us: int,
        *,
        public: bool = False,
        path_workspace: str | None = None,
    ) -> Identified:
        """Who the request acts for, fetching an issuer's keys where needed. Raises a ``Problem`` as the module says.

        ``peer_ip``: of the TCP peer, empty if it has none. ``public``: the rule says so. ``path_workspace``: what the
        route's workspace parameter holds.
        """
        for _ in range(len(self._config.issuers) + 1):
            try:
                return self._identify(headers, query, peer_ip, now_us, (public, path_workspace))
            except NeedsKeys as need:
                await need.keys.refresh(now_us)
        raise unauthorized("The token's signing key is not known here. Get a new token from its issuer.")

    def identify_now(
        self,
        headers: Headers,
        query: bytes,
        peer_ip: str,
        now_us: int,
        *,
        public: bool = False,
        path_workspace: str | None = None,
    ) -> Identified | None:
        """The same without waiting; ``None`` if keys have to be fetched first (use ``identify``)."""
        try:
            return self._identify(headers, query, peer_ip, now_us, (public, path_workspace))
        except NeedsKeys:
            return None

    def nobody(self, headers: Headers, peer_ip: str) -> Identified:
        """An anonymous request whose carriers, if it has any, are not judged and do not go on."""
        address = self._address(self._reader.read(self._reader.pick(headers), judge=False), peer_ip)
        strip = self._proofs.headers | self._peer_names | self._told
        strip = strip | {COOKIE} if self._proofs.cookies else strip
        return Identified(self._nobody_at(address), strip, self._proofs.queries)

    def carried(self, headers: Headers, query: bytes) -> tuple[tuple[bytes, bytes], ...]:
        """The caller's own credential as header fields, for asking the upstream on the caller's behalf.

        For a request that was identified; what is not ours to pass on (our own keys) is not in it.
        """
        return self._proofs.carried(self._reader.read(self._reader.pick(headers)), query)

    def asked(self, headers: Headers, query: bytes) -> str | None:
        """The workspace that a request names, whoever sends it. Raises ``BadRequest`` if that is unclear."""
        return self._ask(self._reader.read(self._reader.pick(headers)), query, None, None)

    @property
    def carriers(self) -> frozenset[bytes]:
        """Canonical names of the headers that say who is asking."""
        return self._proofs.headers | self._peer_names | self._told

    @property
    def looked_at(self) -> frozenset[bytes]:
        """Canonical names of all headers that an outcome depends on, or that it may take off a request."""
        return frozenset(map(canonical_name, self._wanted() | self.carriers | self._proofs.key_headers | {COOKIE}))

    @property
    def changes(self) -> int:
        """Another number whenever a credential that was good may not be any more: for whoever stays connected."""
        return self.forgot + self._proofs.generation

    @property
    def takes_keys(self) -> bool:
        """Whether the gateway's own API keys are a way here."""
        return self._proofs.keys is not None

    def put_key(self, key: ApiKey) -> None:
        """Add a key, or replace the one with its id: outcomes that rested on that one are dropped, tokens are not.

        Raises ``ValueError`` for a key that cannot be one, or where keys are not a way.
        """
        if self._proofs.keys is None:
            raise ValueError("API keys are not a way to identify oneself here")
        if self._proofs.keys.put(key):
            self.forgot += 1
            self._outcomes.clear()

    def forget(self) -> None:
        """Drop every verified token and outcome, because issuers or keys have changed."""
        self.forgot += 1
        self._proofs.forget()
        self._outcomes.clear()

    def _wanted(self) -> frozenset[bytes]:
        """The fields that an outcome depends on."""
        wanted = self._proofs.headers | self._peer_names | _of(self._config.workspace.header) | {AUTHORIZATION}
        wanted = wanted | {COOKIE} if self._proofs.cookies else wanted
        return wanted | {FORWARDED_FOR} if self._config.trusted_proxies else wanted

    def _identify(
        self, headers: Headers, query: bytes, peer_ip: str, now_us: int, rule: tuple[bool, str | None]
    ) -> Identified:
        public, path = rule
        reader = self._reader
        picked = reader.pick(headers)
        if public and self._config.anonymous != "reject":
            return self._unjudged(picked, peer_ip, now_us)
        if self.rotates and self._proofs.generation != self._generation:
            self._generation = self._proofs.generation
            self.forget()
        if query and self.query_matters(query):
            return self._judged(reader.read(picked), query, peer_ip, now_us, path)
        if (known := self._outcomes.find(picked, peer_ip, path, now_us)) is not None:
            return known
        outcome = self._judged(reader.read(picked), b"", peer_ip, now_us, path)
        # What was read has names by now: other fields that came with it for the first time are not picked again.
        self._outcomes.put(reader.pick(picked), peer_ip, path, outcome)
        return outcome

    def _unjudged(self, picked: Headers, peer_ip: str, now_us: int) -> Identified:
        """Anonymous, whatever is there; only what must never go upstream is taken off."""
        if (known := self._public_outcomes.find(picked, peer_ip, None, now_us)) is not None:
            return known
        fields = self._reader.read(picked, judge=False)
        strip = self._ours(self._believes(peer_ip))
        strip = strip | {AUTHORIZATION} if self._proofs.holds_our_key(fields) else strip
        outcome = Identified(self._nobody_at(self._address(fields, peer_ip)), strip)
        self._public_outcomes.put(self._reader.pick(picked), peer_ip, None, outcome)
        return outcome

    def _judged(self, fields: Fields, query: bytes, peer_ip: str, now_us: int, path: str | None) -> Identified:
        address, believed = self._address(fields, peer_ip), self._believes(peer_ip)
        strip = self._ours(believed)
        credentials = self._proofs.read(fields, query, now_us)
        if believed and self._config.peers is not None:
            said = peer_credential(self._config.peers, fields.single)
            credentials += [] if said is None else [said]
        if not credentials:
            self._ask(fields, query, path, None)
            return self._anonymous(address, strip | {AUTHORIZATION} if self._proofs.holds_our_key(fields) else strip)
        found = reduce(together, credentials)
        asked = self._ask(fields, query, path, found)
        who = Principal(found.proof, found.user, None, address, found.role, found.expires_us)
        strip = strip | {AUTHORIZATION} if self._proofs.holds_our_key(fields) else strip
        inside = None if asked is None else replace(who, workspace=asked)
        return Identified(who, strip, _NONE, asked, found, inside, self._config.telling.lines(found))

    def _address(self, fields: Fields, peer_ip: str) -> str | None:
        return client_network(peer_ip, fields.forwarded_for, self._config.trusted_proxies)

    def _believes(self, peer_ip: str) -> bool:
        return bool(self._peer_names) and peer_ip in self._networks

    def _ours(self, believed: bool) -> frozenset[bytes]:  # noqa: FBT001  (of the peer)
        """What never goes upstream: our keys' own header, ours to tell, and identity headers of strangers."""
        ours = self._proofs.key_headers | self._told
        return ours if believed else ours | self._peer_names

    def _ask(self, fields: Fields, query: bytes, path: str | None, credential: Credential | None) -> str | None:
        """The workspace that is named. ``BadRequest`` if unclear, ``Forbidden`` if the credential is for another."""
        spoken = None if credential is None else credential.workspace
        bound = credential is not None and credential.bound
        asked = asked_workspace(
            self._config.workspace, fields.single, query, path=path, claim=None if bound else spoken
        )
        if bound and asked not in (None, spoken):
            raise Forbidden("The credential is not for this workspace. Leave the workspace out, or use another key.")
        return spoken if asked is None else asked

    def _anonymous(self, address: str | None, strip: frozenset[bytes]) -> Identified:
        if self._config.anonymous != "forward":
            raise unauthorized(f"This needs a credential. Send {self._ways}.", invalid=False)
        # What was not read here must not be readable there either.
        return Identified(self._nobody_at(address), strip | self._proofs.headers, self._proofs.queries)

    def _name_ways(self) -> str:
        """How a credential can be sent, for people."""
        ways = ["'Authorization: Bearer <token>'"] if AUTHORIZATION in self._proofs.headers else []
        ways += [f"the header '{name.decode('latin-1')}'" for name in sorted(self._proofs.headers - {AUTHORIZATION})]
        return " or ".join(ways) or "one that the operator of this gateway gave you"


def _of(name: bytes | None) -> frozenset[bytes]:
    return _NONE if name is None else frozenset({name})

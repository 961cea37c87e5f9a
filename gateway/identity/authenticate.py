"""Who a request acts for. One meaning of *anonymous*: no configured carrier is there.

A carrier that is there and not understood, expired or forged is 401; two credentials that disagree are 400. On public
rules credentials are neither needed nor judged (unless ``anonymous: reject`` says that nobody passes without one).
The gateway's own keys, and identity headers that a client sends, never go upstream.
"""

from functools import reduce

from gateway.core.principal import Principal
from gateway.core.problems import Forbidden
from gateway.identity.address import Networks, client_network
from gateway.identity.carriers import AUTHORIZATION, COOKIE, FieldReader, Fields, Headers
from gateway.identity.config import Identified, IdentityConfig
from gateway.identity.credential import Credential, together, unauthorized
from gateway.identity.jwt import NeedsKeys
from gateway.identity.outcomes import Outcomes
from gateway.identity.peers import peer_credential
from gateway.identity.proofs import ProofReader
from gateway.identity.workspace import asked_workspace

_NONE: frozenset[bytes] = frozenset()


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
        if overlap := self._peer_names & (carriers | {AUTHORIZATION}):
            raise ValueError(f"a header cannot carry both a credential and a peer's word: {sorted(overlap)}")
        workspace = () if config.workspace.header is None else (config.workspace.header,)
        self._reader = FieldReader({AUTHORIZATION, *carriers, *self._peer_names, *workspace})
        self._ways = self._name_ways()
        self._outcomes = Outcomes(config.cached_tokens)
        self._generation = 0
        self._reads_cookies = bool(self._proofs.cookies)
        self._reads_query = bool(self._proofs.queries) or config.workspace.query is not None

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
        address = self._address(self._reader.read(headers, judge=False), peer_ip)
        strip = self._proofs.headers | self._peer_names
        strip = strip | {COOKIE} if self._reads_cookies else strip
        return Identified(Principal("anonymous", address=address), strip, self._proofs.queries)

    @property
    def carriers(self) -> frozenset[bytes]:
        """Canonical names of the headers that say who is asking."""
        return self._proofs.headers | self._peer_names

    def forget(self) -> None:
        """Drop every verified token and outcome, because issuers or keys have changed."""
        self._proofs.forget()
        self._outcomes.clear()

    def _identify(
        self, headers: Headers, query: bytes, peer_ip: str, now_us: int, rule: tuple[bool, str | None]
    ) -> Identified:
        public, path_workspace = rule
        if public and self._config.anonymous != "reject":
            return self._unjudged(self._reader.read(headers, judge=False), peer_ip)
        fields = self._reader.read(headers)
        key = None
        if not (fields.forwarded_for and self._config.trusted_proxies) and not (fields.cookies and self._reads_cookies):
            key = None if query and self._reads_query else self._outcomes.key(fields.single, peer_ip, path_workspace)
        if self._proofs.generation != self._generation:
            self._generation = self._proofs.generation
            self.forget()
        if key is not None and (known := self._outcomes.get(key, fields, now_us)) is not None:
            return known
        outcome = self._judged(fields, query, peer_ip, now_us, path_workspace)
        if key is not None:
            self._outcomes.put(key, outcome)
        return outcome

    def _unjudged(self, fields: Fields, peer_ip: str) -> Identified:
        """Anonymous, whatever is there; only what must never go upstream is taken off."""
        strip = self._ours(self._believes(peer_ip))
        strip = strip | {AUTHORIZATION} if self._proofs.holds_our_key(fields) else strip
        return Identified(Principal("anonymous", address=self._address(fields, peer_ip)), strip)

    def _judged(self, fields: Fields, query: bytes, peer_ip: str, now_us: int, path: str | None) -> Identified:
        address, believed = self._address(fields, peer_ip), self._believes(peer_ip)
        strip = self._ours(believed)
        proofs = self._proofs.read(fields, query, now_us)
        if believed and self._config.peers is not None:
            said = peer_credential(self._config.peers, fields.single)
            proofs.credentials.extend(() if said is None else (said,))
        if not proofs.credentials:
            self._ask(fields, query, path, None)
            return self._anonymous(address, strip)
        credential = reduce(together, proofs.credentials)
        asked = self._ask(fields, query, path, credential)
        return Identified(
            Principal(credential.proof, credential.user, None, address, credential.role, credential.expires_us),
            strip | {AUTHORIZATION} if proofs.key_in_authorization else strip,
            _NONE,
            asked,
            credential,
            tuple(proofs.carried),
        )

    def _address(self, fields: Fields, peer_ip: str) -> str | None:
        return client_network(peer_ip, fields.forwarded_for, self._config.trusted_proxies)

    def _believes(self, peer_ip: str) -> bool:
        return bool(self._peer_names) and peer_ip in self._networks

    def _ours(self, believed: bool) -> frozenset[bytes]:  # noqa: FBT001  (of the peer)
        """What never goes upstream: our keys' own header, and identity headers of peers that are not believed."""
        return self._proofs.key_headers if believed else self._proofs.key_headers | self._peer_names

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
        return Identified(Principal("anonymous", address=address), strip | self._proofs.headers, self._proofs.queries)

    def _name_ways(self) -> str:
        """How a credential can be sent, for people."""
        ways = ["'Authorization: Bearer <token>'"] if AUTHORIZATION in self._proofs.headers else []
        ways += [f"the header '{name.decode('latin-1')}'" for name in sorted(self._proofs.headers - {AUTHORIZATION})]
        return " or ".join(ways) or "one that the operator of this gateway gave you"

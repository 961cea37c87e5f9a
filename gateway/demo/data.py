"""What the stand-in backend knows at the start: always the same users, workspaces and rows, under fixed ids."""

import hashlib
import uuid
from collections import deque
from dataclasses import dataclass, replace

POLICIES = (
    *("workspace.admin", "workspace.settings", "workspace.members", "phone_config.read", "phone_config.manage"),
    *(
        "contact.read",
        "contact.manage",
        "message.read",
        "message.send",
        "campaign.read",
        "campaign.manage",
        "campaign.run",
    ),
    *("webhook.read", "webhook.manage", "billing.read", "billing.manage", "billing.admin"),
)
CREATED = "2026-01-05T08:00:00.000001Z"
ROWS_KEPT = 10_000
"""So many rows of a kind a workspace keeps: a load test must not fill the memory."""

_NAMESPACE = uuid.UUID("5b1ff2f6-51b7-4b0e-9f0e-2f8d7a0c1d00")


def fixed_id(name: str) -> str:
    """The same UUID for the same name, on every machine."""
    return str(uuid.uuid5(_NAMESPACE, name))


@dataclass(frozen=True, slots=True)
class User:
    """A row of ``users``; ``password`` is what logs in, its hash is what ``/user/me`` shows."""

    id: str
    name: str
    email: str
    password: str
    role: str = "user"
    email_verified: bool = True

    def row(self) -> dict[str, object]:
        """The JSON form. Like the real server's it carries a bcrypt hash (this one is made up)."""
        digest = hashlib.sha512(self.password.encode()).hexdigest()
        row: dict[str, object] = {"name": self.name, "email": self.email, "password": f"$2a$10${digest[:53]}"}
        return row | {"role": self.role, "email_verified": self.email_verified} | audit(self.id)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A row of ``workspaces``."""

    id: str
    name: str
    slug: str
    created_by: str

    def row(self) -> dict[str, object]:
        """The JSON form."""
        row: dict[str, object] = {"name": self.name, "slug": self.slug, "created_by": self.created_by}
        return row | audit(self.id)


@dataclass(frozen=True, slots=True)
class Member:
    """That a user belongs to a workspace, and what they may do there."""

    id: str
    workspace_id: str
    user_id: str
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """WhatsApp credentials of a workspace; ``app_secret`` signs what comes to ``/webhook-in/{waba_id}``."""

    id: str
    name: str
    workspace_id: str
    waba_id: str
    app_secret: str
    verify_token: str
    is_active: bool = True

    def row(self) -> dict[str, object]:
        """The JSON form; like the real server's it shows the secrets."""
        return {
            "name": self.name,
            "workspace_id": self.workspace_id,
            "waba_id": self.waba_id,
            "waba_account_id": f"9{self.waba_id}",
            "display_phone": "+55 11 5555-0100",
            "access_token": f"EAA-demo-{self.waba_id}",
            "meta_app_secret": self.app_secret,
            "webhook_verify_token": self.verify_token,
            "is_active": self.is_active,
        } | audit(self.id)


@dataclass(frozen=True, slots=True)
class Media:
    """A stored file."""

    id: str
    mime_type: str
    extension: str
    content: bytes


def audit(row_id: str, at: str = CREATED) -> dict[str, object]:
    """The columns that every row has."""
    return {"id": row_id, "created_at": at, "updated_at": at}


ALICE = User("0b3f6f9e-1111-4a11-8a11-a11ce0000001", "Alice", "alice@example.com", "alice-demo-1")
BOB = User("0b3f6f9e-2222-4b22-8b22-b0b000000002", "Bob", "bob@example.com", "bob-demo-2")
CAROL = User("0b3f6f9e-3333-4c33-8c33-ca2010000003", "Carol", "carol@example.com", "carol-demo-3", email_verified=False)
DAVE = User("0b3f6f9e-4444-4d44-8d44-da7e00000004", "Dave", "dave@example.com", "dave-demo-4")
ADMIN = User("0b3f6f9e-5555-4e55-8e55-5000000000ad", "su", "su@sudo", "sudo-demo-5", role="admin")
USERS = (ALICE, BOB, CAROL, DAVE, ADMIN)

ACME = Workspace("aa0e8400-e29b-41d4-a716-446655440005", "Acme", "acme", ALICE.id)
BETA = Workspace("bb0e8400-e29b-41d4-a716-446655440006", "Beta", "beta", BOB.id)
WORKSPACES = (ACME, BETA)

_MEMBERS = (
    (ACME, ALICE, POLICIES),
    (ACME, BOB, ("contact.read", "contact.manage", "message.read", "message.send", "billing.read")),
    (ACME, CAROL, ("contact.read",)),
    (BETA, BOB, POLICIES),
    (BETA, DAVE, ("contact.read",)),
)
MEMBERS = tuple(Member(fixed_id(f"{w.slug}/{u.email}"), w.id, u.id, policies) for w, u, policies in _MEMBERS)

ACME_PHONE = PhoneConfig(
    fixed_id("phone/acme"), "Acme support", ACME.id, "100200300400500", "acme-app-secret", "acme-verify"
)
BETA_PHONE = PhoneConfig(fixed_id("phone/beta"), "Beta shop", BETA.id, "600700800900100", "", "beta-verify")
OLD_PHONE = PhoneConfig(
    fixed_id("phone/old"), "Acme, given up", ACME.id, "111111111111111", "old-secret", "old", is_active=False
)
PHONES = (ACME_PHONE, BETA_PHONE, OLD_PHONE)

PICTURE = Media(
    "1013859600285441", "image/png", "png", b"\x89PNG\r\n\x1a\n" + hashlib.shake_256(b"picture").digest(65_528)
)
CAMPAIGN = fixed_id("campaign/acme/1")
CAMPAIGN_SIZE = 5

_PEOPLE = (
    "Ana Souza",
    "Bruno Lima",
    "Célia Nunes",
    "Diego Ramos",
    "Elisa Prado",
    "Fábio Melo",
    "Gilda Reis",
    "Heitor Sá",
)


class World:
    """The rows, read and written by the handlers; each workspace sees its own, the newest first."""

    def __init__(self) -> None:
        self.users = {user.id: user for user in USERS}
        self.workspaces = {workspace.id: workspace for workspace in WORKSPACES}
        self.members = {(member.workspace_id, member.user_id): member for member in MEMBERS}
        self.phones = PHONES
        self.media = {PICTURE.id: PICTURE}
        self.media_order: deque[str] = deque(maxlen=100)
        self.contacts = {w.id: deque(map(_contact, _PEOPLE), maxlen=ROWS_KEPT) for w in WORKSPACES}
        self.messages = {
            w.id: deque((message_row(w.id, f"Olá, {name}!", i) for i, name in enumerate(_PEOPLE)), ROWS_KEPT)
            for w in WORKSPACES
        }
        self.statuses = deque((status_row(message) for message in self.messages[ACME.id]), maxlen=ROWS_KEPT)

    def user(self, name: str) -> User | None:
        """The user of that id, e-mail address or name (any case)."""
        wanted = name.lower()
        return next((u for u in self.users.values() if wanted in (u.id, u.email.lower(), u.name.lower())), None)

    def join(self, user: User, workspace: Workspace, member: Member) -> None:
        """Add a user with a workspace of their own."""
        self.users[user.id], self.workspaces[workspace.id] = user, workspace
        self.members[workspace.id, user.id] = member
        self.contacts[workspace.id] = deque(maxlen=ROWS_KEPT)
        self.messages[workspace.id] = deque(maxlen=ROWS_KEPT)

    def verify(self, user_id: str) -> bool:
        """Note that a user's e-mail address is theirs; ``False``: nobody has that id."""
        found = self.users.get(user_id)
        if found is None:
            return False
        self.users[user_id] = replace(found, email_verified=True)
        return True

    def store(self, media: Media) -> None:
        """Keep an uploaded file; only the newest hundred are kept."""
        if len(self.media_order) == self.media_order.maxlen:
            self.media.pop(self.media_order[0], None)
        self.media_order.append(media.id)
        self.media[media.id] = media


def _contact(name: str) -> dict[str, object]:
    local = name.split(maxsplit=1)[0].lower()
    return {"name": name, "email": f"{local}@example.org"} | audit(fixed_id(f"contact/{name}"))


def message_row(workspace_id: str, body: str, number: int) -> dict[str, object]:
    """A sent text message."""
    row_id = fixed_id(f"message/{workspace_id}/{number}")
    return {
        "workspace_id": workspace_id,
        "sender_data": {"type": "text", "text": {"body": body}},
        "receiver_data": None,
        "product_data": {"messages": [{"id": f"wamid.{row_id.replace('-', '')}"}]},
    } | audit(row_id)


def status_row(message: dict[str, object]) -> dict[str, object]:
    """The delivery status of a message."""
    message_id = str(message["id"])
    return {"message_id": message_id, "product_data": {"status": "delivered"}} | audit(fixed_id(f"status/{message_id}"))

"""What somebody is called, in a row of the upstream's."""

from collections.abc import Mapping

_LONGEST = 255


def called(row: Mapping[str, object]) -> str | None:
    """The name; who has none goes by the e-mail address."""
    for name in (row.get("name"), row.get("email")):
        if isinstance(name, str) and (printable := "".join(each for each in name.strip() if each.isprintable())):
            return printable[:_LONGEST]
    return None

"""What was found, for people, for programs and for gateway.yaml."""

from collections.abc import Iterator

from gateway.core.profile import PROFILES
from gateway.habits.find import Evidence, Found, differences
from gateway.habits.site import Site

_MEANS = {
    "same": "reaches it",
    "missing": "not there",
    "redirect": "redirected",
    "other": "answered otherwise",
}


def yaml_lines(site: Site, found: Found) -> list[str]:
    """The lines for gateway.yaml."""
    options = differences(found.profile, PROFILES[found.profile.name])
    listed = "".join(f", {name}: {value}" for name, value in options.items())
    profile = f"{{name: {found.profile.name}{listed}}}" if options else found.profile.name
    return ["upstream:", f"  url: {site.origin}", f"  profile: {profile}"]


def report_lines(site: Site, found: Found) -> Iterator[str]:
    """The whole report."""
    yield f"{site.asked} GETs of {site.origin}{site.path} and other spellings of it:"
    yield ""
    width = max(len(one.habit) for one in found.evidence)
    for one in found.evidence:
        yield f"  {one.habit:<{width}}  {_MEANS[one.verdict]:<18}  {one.status or '-':>3}  {one.spelling}"
    yield ""
    for danger in found.dangers:
        yield f"warning: {danger}"
    for habit in found.unknown:
        yield f"warning: {habit}: this path cannot show it. Give one with two or more fixed segments of letters."
    yield "For gateway.yaml:"
    yield ""
    yield from (f"  {line}" for line in yaml_lines(site, found))


def as_json(site: Site, found: Found) -> dict[str, object]:
    """The same for programs."""
    profile = found.profile
    return {
        "url": site.origin,
        "path": site.path,
        "profile": {"name": profile.name, **differences(profile, PROFILES[profile.name])},
        "unknown": list(found.unknown),
        "dangers": list(found.dangers),
        "evidence": [Evidence._asdict(one) for one in found.evidence],
    }

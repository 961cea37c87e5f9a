from gateway.core.page_policy import policy

FOLDER = "/billing/assets"


def parts(said: str) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in said.split("; "))


def test_where_the_origin_is_known_only_the_pages_folder_may_run() -> None:
    said = parts(policy("Pay.example:8443", ["https://pay.example:8443", "https://app.example"], FOLDER))
    assert said["script-src"] == said["style-src"] == said["img-src"] == "https://pay.example:8443/billing/assets/"
    assert said["default-src"] == "'none'"
    assert said["connect-src"] == "'self'", "the API and the upstream's login are elsewhere on it"


def test_an_origin_that_is_known_by_both_schemes_may_use_both() -> None:
    said = parts(policy("pay.example", ["https://pay.example", "http://pay.example"], FOLDER))
    assert said["script-src"] == "http://pay.example/billing/assets/ https://pay.example/billing/assets/"


def test_where_it_is_not_known_the_page_works_all_the_same() -> None:
    for host in ("", "10.0.0.7:8080", "evil.example; script-src *"):
        assert parts(policy(host, ["https://pay.example"], FOLDER))["script-src"] == "'self'"


def test_nothing_inline_runs_anywhere() -> None:
    said = policy("pay.example", ["https://pay.example"], FOLDER)
    assert "unsafe" not in said
    assert parts(said)["trusted-types"] == "'none'"

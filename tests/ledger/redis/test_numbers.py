"""Lua counts in doubles: what the scripts make of large numbers is what Python's integers say."""

import json
from importlib.resources import files

import redis as client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LUA = files("gateway.ledger.redis") / "lua"
LARGEST = 10**12
DAY = 86_400_000_000
ASK = """
local told = {}
for _, case in ipairs(cjson.decode(ARGV[1])) do
    local units, rest = flowed(case[1], case[2], case[3], case[4], case[5])
    told[#told + 1] = digits(units) .. ' ' .. digits(rest)
end
return told
"""

windows = st.sampled_from([1, 7, 10**6, 60 * 10**6 + 1, 3_600_000_000, DAY, 31 * DAY, 36_600 * DAY])
cases = st.tuples(
    st.integers(0, 2 * LARGEST),
    st.integers(0, 10**18),
    st.integers(0, 2 * 10**15) | st.integers(0, 10**7),
    st.integers(1, LARGEST) | st.integers(1, 1000),
    windows,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(cases, min_size=20, max_size=60))
def test_what_flows_back_is_exact(redis: str, asked: list[tuple[int, int, int, int, int]]) -> None:
    rows = [(units, rest % window, elapsed, amount, window) for units, rest, elapsed, amount, window in asked]
    expected = []
    for units, rest, elapsed, amount, window in rows:
        missing = max(0, units * window + rest - elapsed * amount)
        expected.append("{} {}".format(*divmod(missing, window)))
    script = (LUA / "numbers.lua").read_text("utf-8") + ASK
    with client.Redis.from_url(redis) as server:
        told = server.eval(script, 0, json.dumps(rows))
    assert [each.decode() for each in told] == expected

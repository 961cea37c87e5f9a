-- wrk -s wrk.lua URL -- requests.tsv POST_BODY
-- Sends the workload's requests in turn and prints one line of JSON at the end (see bench/load.py).

local requests, count, at = {}, 0, 0

function init(args)
  for line in io.lines(args[1]) do
    local method, path, token, workspace = line:match("^(%S+)\t(%S+)\t(%S+)\t(%S+)$")
    local headers = {
      ["Authorization"] = "Bearer " .. token,
      ["X-Workspace-ID"] = workspace,
      ["Accept"] = "application/json",
    }
    local body = nil
    if method == "POST" then
      headers["Content-Type"] = "application/json"
      body = args[2]
    end
    requests[count] = wrk.format(method, path, headers, body)
    count = count + 1
  end
end

function request()
  local answer = requests[at]
  at = at + 1
  if at == count then at = 0 end
  return answer
end

function done(summary, latency, _)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %.6f, "bad_status": %d, "broken": %d, "p50_us": %d, "p99_us": %d}',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end

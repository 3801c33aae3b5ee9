-- Sends the requests of a file in turn, one a line as METHOD <tab> PATH <tab> BODY, and prints what
-- came of it as one line of JSON. With WRK_RATE they are due evenly, so many a second: whichever
-- connection is free waits until the next one is due, however long the answers take. Each POST has
-- an Idempotency-Key of its own, as a till gives its orders. Each has the token of WRK_AUTHORIZATION,
-- unless that is empty, or one that its line has after a further <tab>.
local ffi = require("ffi")
ffi.cdef [[
  struct bench_time { long seconds; long nanoseconds; };
  int clock_gettime(int clock, struct bench_time *time);
]]
local MONOTONIC = 1
local time = ffi.new("struct bench_time")
local rate = tonumber(os.getenv("WRK_RATE"))
local run = os.getenv("WRK_RUN")
local authorization = os.getenv("WRK_AUTHORIZATION")
local KEY = "000000000"
local requests = {}
local turn = 0
local due
local threads = {}

late_ms = 0 -- global, so that `done` can ask the thread for it

local function now()
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) * 1000 + tonumber(time.nanoseconds) / 1e6
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  for line in io.lines(os.getenv("WRK_REQUESTS")) do
    local method, path, body, token = line:match("^(%S+)\t(%S+)\t([^\t]*)\t?(%S*)$")
    local headers = {}
    if token ~= "" then headers["Authorization"] = "Bearer " .. token
    elseif authorization ~= "" then headers["Authorization"] = authorization end
    if body ~= "" then headers["Content-Type"] = "application/json" end
    if method == "POST" then headers["Idempotency-Key"] = run .. "-" .. KEY end
    local whole = wrk.format(method, path, headers, body ~= "" and body or nil)
    local before, after = whole:match("^(.-" .. run .. "%-)" .. KEY .. "(.*)$")
    requests[#requests + 1] = { before or whole, after }
  end
end

function request()
  turn = turn + 1
  local before, after = unpack(requests[(turn - 1) % #requests + 1])
  return after and before .. string.format("%09d", turn) .. after or before
end

if rate > 0 then
  function delay()
    local at = now()
    due = due and due + 1000 / rate or at
    late_ms = math.max(late_ms, at - due)
    return math.max(0, math.ceil(due - at))
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "refused": %d, "failed": %d, ' ..
    '"p50_ms": %.3f, "p95_ms": %.3f, "p99_ms": %.3f, "late_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    threads[1]:get("late_ms")))
end

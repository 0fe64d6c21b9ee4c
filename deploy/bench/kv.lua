-- What wrk sends: requests for one of 10,000 keys at random, each PUT with a value of 100 bytes that differs from the last one.
-- wrk -s kv.lua http://host:port/kv/ -- PUT
-- wrk -s kv.lua http://host:port/kv/ -- GET ?raw
local keys = 10000
local filler = string.rep("v", 84)

local method
local heads = {} -- the requests but for what changes, made beforehand: the CPU is needed by those who are measured
local count = 0

local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  method = args[1]
  math.randomseed(os.time() + 7919 * number) -- each thread asks for other keys
  for i = 1, keys do
    local path = wrk.path .. "key" .. i .. (args[2] or "")
    if method == "PUT" then
      heads[i] = wrk.format(method, path, nil, filler .. string.rep("0", 16)):sub(1, -17)
    else
      heads[i] = wrk.format(method, path)
    end
  end
end

function request()
  local head = heads[math.random(keys)]
  if method ~= "PUT" then
    return head
  end
  count = count + 1
  return head .. string.format("%016d", count)
end

-- done prints the figures as a line of JSON. Times are in microseconds.
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect, e.read, e.write, e.status, e.timeout))
end

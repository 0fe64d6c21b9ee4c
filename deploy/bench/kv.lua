-- What wrk sends: requests for one of many keys at random, each write with a value that differs from the last one.
--   wrk -s kv.lua http://host:port/kv/ -- path 0 key 10000 100 ?raw
-- The arguments: how a request is put ("path": the key in the path; "etcd": JSON with base64), how many of a hundred requests write,
-- the first three letters of the keys, how many keys there are, the bytes of a value, and what a read has after its path.
-- BENCH_ADDRESSES in the environment, "host:port host:port", spreads wrk's threads over several addresses.
local addresses = {}
for host, port in (os.getenv("BENCH_ADDRESSES") or ""):gmatch("(%S+):(%d+)") do
  addresses[#addresses + 1] = wrk.lookup(host, port)[1]
end

local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
  if #addresses > 0 then
    thread.addr = addresses[(threads - 1) % #addresses + 1]
  end
end

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function base64(text)
  return (text:gsub("..?.?", function(three)
    local a, b, c = three:byte(1, 3)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    local four = ""
    for shift = 3, 0, -1 do
      local i = math.floor(bits / 64 ^ shift) % 64 + 1
      four = four .. alphabet:sub(i, i)
    end
    return four:sub(1, #three + 1) .. ("="):rep(3 - #three)
  end))
end

-- Three bytes are four in base64, wherever they stand: what varies is put together from groups of three digits, encoded beforehand.
-- The CPU is needed by those who are measured.
local groups = {}
local function nine(n)
  return groups[math.floor(n / 1e6)] .. groups[math.floor(n / 1e3) % 1e3] .. groups[n % 1e3]
end

-- pieces cuts a request where what varies belongs.
local function pieces(text, ...)
  local list = {}
  for _, mark in ipairs({...}) do
    local from, to = text:find(mark, 1, true)
    list[#list + 1] = text:sub(1, from - 1)
    text = text:sub(to + 1)
  end
  list[#list + 1] = text
  return list
end

local keys, writes, get, put, mine
local count = 0

function init(args)
  local etcd, first, size = args[1] == "etcd", args[3], tonumber(args[5])
  writes, keys = tonumber(args[2]), tonumber(args[4])
  math.randomseed(os.time() + 7919 * number) -- each thread asks for other keys
  local encode = etcd and base64 or function(text) return text end
  for i = 0, 999 do
    groups[i] = encode(string.format("%03d", i))
  end
  mine = groups[number]
  local width = #groups[0]
  local key, stamp = ("@"):rep(3 * width), ("#"):rep(4 * width)
  local filler = encode("vvv"):rep(math.floor((size - 12) / 3)) .. encode(("v"):rep((size - 12) % 3))
  if etcd then
    local named = '{"key":"' .. encode(first) .. key .. '"'
    get = wrk.format("POST", wrk.path .. "range", nil, named .. "}")
    put = wrk.format("POST", wrk.path .. "put", nil, named .. ',"value":"' .. stamp .. filler .. '"}')
  else
    get = wrk.format("GET", wrk.path .. first .. key .. (args[6] or ""))
    put = wrk.format("PUT", wrk.path .. first .. key, nil, stamp .. filler)
  end
  get, put = pieces(get, key), pieces(put, key, stamp)
end

function request()
  local key = nine(math.random(keys))
  if writes > 0 and math.random(100) <= writes then
    count = count + 1
    return put[1] .. key .. put[2] .. mine .. nine(count) .. put[3]
  end
  return get[1] .. key .. get[2]
end

-- done prints the figures as a line of JSON. Times are in microseconds.
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"p999":%d,"max":%d,"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max,
    e.connect, e.read, e.write, e.status, e.timeout))
end
